import Identity
public import Postgres

/// The integration's tables, opened for one tenant at a time.
///
/// Every transaction takes on the tenant role and names its tenant, and the database refuses rows of any other (row-level
/// security). Only the few functions that name another role cross tenants.
public struct TenantDatabase: Sendable {
  /// The roles that `migrations/integration` creates.
  public enum Role: String, Sendable, CaseIterable {
    case tenant = "stripe_integration_tenant"
    case receiver = "stripe_integration_receiver"
    case worker = "stripe_integration_worker"
    case operatorPages = "stripe_integration_operator"
  }

  public let client: PostgresClient
  /// Told of each transaction before it begins.
  private let observe: (@Sendable () -> Void)?

  public init(_ client: PostgresClient, observe: (@Sendable () -> Void)? = nil) {
    self.client = client
    self.observe = observe
  }

  /// Runs a transaction that sees and writes this tenant's rows only.
  /// - Parameter attempts: see `PostgresClient.transaction`.
  public func transaction<T: Sendable>(
    for tenant: Tenant, attempts: Int = 1, isolation: isolated (any Actor)? = #isolation,
    _ body: (PostgresTransaction) async throws -> T
  ) async throws -> T {
    observe?()
    return try await client.transaction(
      TransactionOptions(
        role: Role.tenant.rawValue,
        settings: [
          ("stripe_integration.account_id", tenant.account.rawValue),
          ("stripe_integration.livemode", tenant.livemode ? "true" : "false"),
        ]), attempts: attempts, isolation: isolation, body)
  }

  /// Runs a transaction across tenants, with just the rights of the role.
  public func transaction<T: Sendable>(
    as role: Role, isolation: isolated (any Actor)? = #isolation, _ body: (PostgresTransaction) async throws -> T
  ) async throws -> T {
    observe?()
    return try await client.transaction(TransactionOptions(role: role.rawValue), isolation: isolation, body)
  }
}

extension IntegrationServer {
  /// The integration's part of the database.
  /// - Parameter migrations: the folder that holds the migrations of all parts.
  public static func schema(in migrations: String) -> Schema {
    Schema(directory: "\(migrations)/\(migrationsDirectory)", roles: TenantDatabase.Role.allCases.map(\.rawValue))
  }
}
