import Identity
package import Postgres
package import StripeAPI

/// The integration's tables, opened for one tenant at a time.
///
/// Every transaction takes on the tenant role and names its tenant, and row-level security makes the database refuse rows of
/// any other. Only the few functions that name another role cross tenants.
package struct TenantDatabase: Sendable {
  /// The roles that `migrations/integration` creates.
  package enum Role: String, Sendable, CaseIterable {
    case tenant = "stripe_integration_tenant"
    case receiver = "stripe_integration_receiver"
    case worker = "stripe_integration_worker"
    case operatorPages = "stripe_integration_operator"
  }

  package let client: PostgresClient
  /// Called for each transaction before it begins.
  private let observe: (@Sendable () -> Void)?

  package init(_ client: PostgresClient, observe: (@Sendable () -> Void)? = nil) {
    self.client = client
    self.observe = observe
  }

  /// Runs a transaction that sees and writes this tenant's rows only.
  /// - Parameter attempts: see `PostgresClient.transaction`.
  package func transaction<T: Sendable>(
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

  /// Runs a transaction across tenants, with only the rights of the role.
  package func transaction<T: Sendable>(
    as role: Role, isolation: isolated (any Actor)? = #isolation, _ body: (PostgresTransaction) async throws -> T
  ) async throws -> T {
    observe?()
    return try await client.transaction(TransactionOptions(role: role.rawValue), isolation: isolation, body)
  }
}
