import LicenseKitAPI
import Postgres

/// The database roles of `migrations/server`, each with just its rights. Rows are shown to nobody who has not taken one on.
enum DatabaseRole: String, Sendable, CaseIterable {
  /// A request of one tenant: that tenant's rows only.
  case tenant = "license_server_tenant"
  /// Answers validations, many at a time, of whatever tenants they are.
  case validation = "license_server_validation"
  /// Links events of any tenant, and puts their deliveries in line.
  case linker = "license_server_linker"
  /// Finds and claims the endpoints that are due.
  case courier = "license_server_courier"
  /// Writes and clears what reports read.
  case recorder = "license_server_recorder"
  /// Clears away what is over, and reads nothing of what is in it.
  case upkeep = "license_server_upkeep"
  /// What only the operator does, across tenants.
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
