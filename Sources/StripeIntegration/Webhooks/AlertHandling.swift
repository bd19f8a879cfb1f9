import Postgres
import StripeAPI

/// Handles Stripe's alerts that it could not create events.
protocol AlertHandling: Sendable {
  /// About one account, within a transaction of its tenant.
  func raised(_ tenant: Tenant, in transaction: PostgresTransaction) async throws

  /// An alert that names no account: it may concern every account of the mode.
  func raised(livemode: Bool) async throws
}
