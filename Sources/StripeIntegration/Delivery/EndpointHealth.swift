import Delivery
import Foundation
import Identity
import Postgres
import StripeAPI
import Tenancy

/// Whether a vendor's endpoint takes messages, within a transaction of its tenant. One that has taken nothing for days, or says
/// that it is gone, is disabled, and what waits for it stays until the vendor makes it active again.
struct EndpointHealth {
  let queue: EndpointQueue<Tenant>
  let transaction: PostgresTransaction

  /// Notes that something arrived.
  func succeeded() async throws {
    try await transaction.query(
      """
      UPDATE stripe_integration.notice_endpoints
         SET failing_since = NULL
       WHERE account_id  = \(queue.owner.account)
         AND livemode    = \(queue.owner.livemode)
         AND endpoint_id = \(queue.id)
         AND failing_since IS NOT NULL
      """)
  }

  /// Notes that nothing arrived.
  /// - Returns: whether the endpoint is disabled by this.
  func failed(_ summary: DeliveryClaim.Summary) async throws -> Bool {
    let days = Int(DeliverySchedule.time / 86_400)
    let reason =
      summary.isGone
      ? "It answered 410 Gone."
      : "Nothing has arrived for \(days) days; the last attempt: \(summary.error ?? "failed")."
    let disabledAt = try await transaction.query(
      """
      UPDATE stripe_integration.notice_endpoints
         SET failing_since   = COALESCE(failing_since, now()),
             disabled_at     = CASE WHEN \(summary.isGone) OR failing_since < now() - \("\(days) days")::text::interval
                                    THEN now() ELSE disabled_at END,
             disabled_reason = CASE WHEN \(summary.isGone) OR failing_since < now() - \("\(days) days")::text::interval
                                    THEN \(reason)::text ELSE disabled_reason END
       WHERE account_id  = \(queue.owner.account)
         AND livemode    = \(queue.owner.livemode)
         AND endpoint_id = \(queue.id)
         AND disabled_at IS NULL
      RETURNING disabled_at
      """
    ).first?.get("disabled_at", as: Date?.self)
    return (disabledAt ?? nil) != nil
  }
}
