import Foundation
import Identity
import JSON
package import StripeAPI

/// What a person who reads the story of a purchase should know of an event, in plain words, where the licenses do not
/// tell it.
package struct EventNote: Hashable {
  package let title: String
  package var detail: String?

  /// The note on an event; nil for events that need none.
  package init?(on event: StripeEvent, _ snapshot: Snapshot) {
    func day(_ date: Date) -> String { String(RFC3339.string(from: date).prefix(10)) }
    switch (event.type.rawValue, snapshot) {
    case ("invoice.payment_action_required", .invoice(let invoice)):
      title = "The buyer's bank wants the buyer to confirm the payment."
      detail = "Invoice \(invoice.id) waits for that. Licenses change only when it is paid, or overdue."
    case ("invoice.payment_failed", .invoice(let invoice)):
      title = "A payment has failed."
      let next = invoice.nextPaymentAttempt.map { "Stripe tries again on \(day($0))." }
      detail = "Invoice \(invoice.id). \(next ?? "Stripe does not try again by itself.")"
    case ("invoice.marked_uncollectible", .invoice(let invoice)):
      title = "The invoice was given up."
      detail = "Invoice \(invoice.id) counts as not paid. It can still be paid."
    case ("customer.subscription.trial_will_end", .subscription(let subscription)):
      title = "The trial ends soon."
      detail = subscription.trialEnd.map { "It ends on \(day($0)). Licenses do not change before that." }
    case ("customer.subscription.pending_update_expired", _):
      title = "A change of the subscription was dropped, since its payment did not come."
    case ("radar.early_fraud_warning.created", .fraudWarning(let warning)):
      title = "The card issuer warns that a payment may be fraud."
      let kind = warning.fraudType.map { " (\($0.replacing("_", with: " ")))" } ?? ""
      detail = "\(warning.charge?.rawValue ?? "A charge")\(kind). A dispute often follows; a refund can prevent it."
    case ("charge.dispute.created", .dispute(let dispute)) where dispute.standing == .inquiry:
      title = "The buyer's bank inquires about a payment."
      detail = "\(dispute.id). No money has moved, and licenses stay as they are."
    case ("credit_note.created", .creditNote(let note)):
      title = "A credit note was issued for invoice \(note.invoice)."
      detail =
        note.refunds.isEmpty
        ? note.outOfBandAmount == nil
          ? "It returns no payment, so that licenses stay as they are."
          : "Money went back outside of Stripe, which counts as returned."
        : "It comes with a refund, which is judged by the amounts of its charge."
    default: return nil
    }
  }
}
