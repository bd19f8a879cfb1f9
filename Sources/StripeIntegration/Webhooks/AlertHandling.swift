import Postgres
import StripeAPI

/// What Stripe's alerts that it could not make events lead to.
protocol AlertHandling: Sendable {
  /// About one account, within a transaction of its tenant.
  func raised(_ tenant: Tenant, in transaction: PostgresTransaction) async throws

  /// About accounts that the alert does not name: every one of the mode may be concerned.
  func raised(livemode: Bool) async throws
}
