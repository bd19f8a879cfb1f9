import LicenseKitAPI
import Postgres

/// The database roles of background work that finds its work across tenants; migration 0004 makes them, each with just its
/// rights.
enum BackgroundRole: String, Sendable {
  case linker = "license_server_linker"
  case courier = "license_server_courier"
}

extension TenantStore {
  /// Runs `body` with the rights of a role. Errors of the database come as they are: nobody outside is told of them.
  @discardableResult
  func transaction<T: Sendable>(
    as role: BackgroundRole, _ body: @Sendable (PostgresTransaction) async throws -> T
  ) async throws -> T {
    try await client.transaction(TransactionOptions(role: role.rawValue), body)
  }
}
