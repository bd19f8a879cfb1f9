import LicenseKitAPI
import Postgres

/// The database roles of `migrations/server`, each with only the rights it needs. Without one of them no rows are visible.
enum DatabaseRole: String, Sendable, CaseIterable {
  /// A request of one tenant: that tenant's rows only.
  case tenant = "license_server_tenant"
  /// Answers validations, many at a time, for any tenants.
  case validation = "license_server_validation"
  /// Links events of any tenant, and enqueues their deliveries.
  case linker = "license_server_linker"
  /// Finds and claims the endpoints that are due.
  case dispatcher = "license_server_courier"
  /// Writes and removes what reports read.
  case recorder = "license_server_recorder"
  /// Removes what has expired, and cannot read its content.
  case upkeep = "license_server_upkeep"
  /// The operator's commands, across tenants.
  case operatorCommands = "license_server_operator"
  /// Owns the functions that find the holder of a credential. Nobody works under it.
  case credentials = "license_server_credentials"

  /// A transaction across tenants, with just the rights of the role.
  var transaction: TransactionOptions { TransactionOptions(role: rawValue) }
}

extension TenantStore {
  /// Runs `body` with the rights of a role. It throws errors of the database unchanged, since no client reads them.
  @discardableResult
  func transaction<T: Sendable>(
    as role: DatabaseRole, _ body: @Sendable (PostgresTransaction) async throws -> T
  ) async throws -> T {
    try await client.transaction(role.transaction, body)
  }
}
