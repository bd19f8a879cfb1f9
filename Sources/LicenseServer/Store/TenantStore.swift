import Identity
import Logging
import Postgres
import ServerKit

/// The database as this server uses it: look-ups of credentials before the tenant is known, and everything else in a
/// transaction for one tenant, in which the database shows no other tenant's rows.
struct TenantStore: Sendable {
  let client: PostgresClient
  let logger: Logger

  /// Asks one of the look-up functions of migration 0003.
  func lookUp(_ query: PostgresQuery) async throws -> PostgresRows {
    try await translating { try await client.query(query) }
  }

  /// Runs `body` for a tenant; again, up to twice, when the database asks for it (deadlock, lost connection before the
  /// commit). `body` must therefore do nothing but talk to the database.
  @discardableResult
  func transaction<T: Sendable>(
    _ tenant: TenantID, readOnly: Bool = false, isolation: TransactionOptions.Isolation? = nil,
    _ body: @Sendable (PostgresTransaction) async throws -> T
  ) async throws -> T {
    let options = TransactionOptions(
      role: "license_server_tenant", settings: [("license_server.tenant_id", tenant.rawValue)], isolation: isolation,
      readOnly: readOnly)
    return try await translating { try await client.transaction(options, attempts: 3, body) }
  }

  /// What a caller is told about an error of the database: 503 when it is away or busy, 422 for a value that it cannot hold,
  /// 409 for a record that others refer to. Unique violations are told by whoever knows the constraint.
  func translating<T>(_ body: () async throws -> T) async throws -> T {
    do { return try await body() } catch let error as PostgresError {
      switch error.code {
      case .connection, .outcomeUnknown, .timeout, .overloaded, .closed:
        logger.warning("the database did not answer", metadata: ["error": "\(error)"])
        throw APIFailure.unavailable(code: "STORAGE_UNAVAILABLE")
      case .server(let state) where state == .serializationFailure || state == .deadlockDetected:
        throw APIFailure.unavailable(code: "STORAGE_UNAVAILABLE")
      case .encoding:
        throw APIFailure.validation("a text contains a character that cannot be stored")
      case .server(sqlState: .foreignKeyViolation):
        throw APIFailure.conflict("the record is referred to by others, or refers to one that is gone")
      case .server(let state) where state.classCode == "22":
        logger.warning("the database refused a value", metadata: ["error": "\(error)"])
        throw APIFailure.validation("a value cannot be stored")
      default:
        throw error
      }
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
