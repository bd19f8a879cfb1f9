import Identity
import Purchases
import StripeAPI

/// What an event said, in plain words, for the timeline of its purchase.
enum EventStory {
  /// "Stripe says: invoice in_1 was paid (invoice.paid, evt_1)."
  static func title(_ event: StripeEvent, _ snapshot: Snapshot) -> String {
    "Stripe says: \(snapshot.noun) \(phrase(event.type.rawValue)) (\(event.type), \(event.id))."
  }

  /// The state of the event's object, and whether anything in it is new.
  static func detail(_ snapshot: Snapshot, isNews: Bool) -> String? {
    let state = snapshot.state.map { "Then \($0)." }
    guard !isNews else { return state }
    return [state, "Nothing new: this much was known."].compactMap { $0 }.joined(separator: " ")
  }

  private static let phrases: [String: String] = [
    "checkout.session.completed": "was completed",
    "checkout.session.async_payment_succeeded": "was paid, later than it was completed",
    "checkout.session.async_payment_failed": "failed",
    "checkout.session.expired": "expired",
    "customer.subscription.created": "began",
    "customer.subscription.updated": "was changed",
    "customer.subscription.deleted": "ended",
    "customer.subscription.paused": "was paused",
    "customer.subscription.resumed": "was resumed",
    "customer.subscription.pending_update_applied": "was changed as was planned",
    "invoice.paid": "was paid",
    "invoice.payment_succeeded": "was paid",
    "invoice.payment_failed": "could not be collected",
    "invoice.payment_action_required": "waits for the buyer to confirm the payment",
    "invoice.voided": "was voided",
    "invoice.marked_uncollectible": "was given up as uncollectible",
    "invoice.finalized": "was made final",
    "invoice.updated": "was changed",
    "invoice_payment.paid": "went through",
    "charge.succeeded": "went through",
    "charge.captured": "was captured",
    "charge.updated": "was changed",
    "charge.refunded": "was refunded",
    "charge.refund.updated": "was changed",
    "refund.created": "was begun",
    "refund.updated": "was changed",
    "refund.failed": "failed",
    "charge.dispute.created": "was opened",
    "charge.dispute.updated": "was changed",
    "charge.dispute.closed": "was closed",
    "charge.dispute.funds_withdrawn": "took the money back",
    "charge.dispute.funds_reinstated": "gave the money back",
    "payment_intent.succeeded": "went through",
    "payment_intent.canceled": "was canceled",
    "payment_intent.payment_failed": "failed",
    "radar.early_fraud_warning.created": "was given by the card network",
    "radar.early_fraud_warning.updated": "was changed",
    "credit_note.created": "was issued",
    "credit_note.updated": "was changed",
    "credit_note.voided": "was voided",
    "customer.created": "is new",
    "customer.updated": "was changed",
    "customer.deleted": "was deleted",
  ]

  private static func phrase(_ type: String) -> String {
    phrases[type]
      ?? "has news: " + type.split(separator: ".").suffix(1).joined().replacing("_", with: " ")
  }
}
