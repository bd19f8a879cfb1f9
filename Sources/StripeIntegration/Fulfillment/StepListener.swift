import Postgres
import Purchases
import StripeAPI

/// A step of a purchase that was taken.
struct RecordedStep: Sendable {
  let tenant: Tenant
  let purchase: PurchaseID
  let step: Step
  /// The records before the step.
  let before: Recorded
  /// The records after the step.
  let after: Recorded
  /// Whether the step issued a license with a new key.
  let isIssue: Bool
}

/// Receives each step in the transaction that records it: what a listener writes there is as durable as the step.
protocol StepListener: Sendable {
  func recorded(_ step: RecordedStep, in transaction: PostgresTransaction) async throws
}
