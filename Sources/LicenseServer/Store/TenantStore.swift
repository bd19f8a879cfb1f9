import Identity
import Logging
import Postgres
import ServerKit
import Storage

/// The database as this server uses it: credentials are looked up before the tenant is known; everything else runs in a
/// transaction for one tenant, in which no other tenant's rows are visible.
struct TenantStore: Sendable {
  let client: PostgresClient
  let logger: Logger

  /// Asks one of the look-up functions of migration 0003.
  func lookUp(_ query: PostgresQuery) async throws -> PostgresRows {
    try await translating { try await client.query(query) }
  }

  /// Runs `body` for a tenant, and again up to twice if the database requires it (deadlock, lost connection before the
  /// commit). So `body` may only talk to the database.
  @discardableResult
  func transaction<T: Sendable>(
    _ tenant: TenantID, readOnly: Bool = false, isolation: TransactionOptions.Isolation? = nil,
    _ body: @Sendable (PostgresTransaction) async throws -> T
  ) async throws -> T {
    let options = TransactionOptions(
      role: DatabaseRole.tenant.rawValue, settings: [("license_server.tenant_id", tenant.rawValue)],
      isolation: isolation,
      readOnly: readOnly)
    return try await translating { try await client.transaction(options, attempts: 3, body) }
  }

  /// Turns an error of the database into the answer that the caller gets.
  func translating<T>(_ body: () async throws -> T) async throws -> T {
    do { return try await body() } catch let error as PostgresError {
      guard let failure = APIFailure.storage(error) else { throw error }
      logger.warning("the database refused", metadata: ["code": "\(failure.code)", "error": "\(error)"])
      throw failure
    }
  }
}

extension PostgresError {
  /// Turns the violation of a unique constraint into 409, naming what is taken.
  func asConflict(_ constraint: String, _ detail: String) -> any Error {
    isUniqueViolation(of: constraint) ? APIFailure.conflict(detail) : self
  }
}

/// Runs a statement whose unique constraint has a meaning for the caller.
@discardableResult
func conflicting<T>(
  on constraint: String, _ detail: String, isolation: isolated (any Actor)? = #isolation, _ body: () async throws -> T
) async throws -> T {
  do { return try await body() } catch let error as PostgresError { throw error.asConflict(constraint, detail) }
}
