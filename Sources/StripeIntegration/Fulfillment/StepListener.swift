import Postgres
import Purchases
import StripeAPI

/// A step of a purchase that was done.
struct RecordedStep: Sendable {
  let tenant: Tenant
  let purchase: PurchaseID
  let step: Step
  /// What was on record.
  let before: Recorded
  /// What is on record now.
  let after: Recorded
  /// Whether a license with a new key came of it.
  let isIssue: Bool
}

/// Hears of each step in the transaction that records it: what a listener writes there is as durable as the step.
protocol StepListener: Sendable {
  func recorded(_ step: RecordedStep, in transaction: PostgresTransaction) async throws
}
