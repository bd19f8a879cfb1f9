import StripeAPI

extension EventTable {
  static let invoices: [EventRow] = [
    .learn(
      "invoice.paid", .invoice, looks: .always, sync: .first, says: "was paid",
      does: """
        the period of each subscription line is paid: issue or renew. Without subscription and without Checkout: fulfilled \
        as a one-time sale
        """),
    .learn(
      "invoice.payment_failed", .invoice, looks: .always, sync: .first, says: "could not be collected",
      note: EventNote.paymentFailed,
      does: """
        noted, with the next attempt; the grace runs from when the invoice was due. A first payment that fails has no license \
        to touch
        """),
    .learn(
      "invoice.payment_action_required", .invoice, looks: .ifKnown, sync: .second,
      says: "waits for the buyer to confirm the payment", note: EventNote.confirmationAwaited,
      does: "noted: the buyer must confirm the payment. Licenses do not change by it"),
    .learn(
      "invoice.voided", .invoice, looks: .always, sync: .first, says: "was voided",
      does: """
        a one-time sale by invoice is undone: its license is revoked, its order `canceled`. Of a subscription that goes on: \
        the vendor has given the period away
        """),
    .learn(
      "invoice.marked_uncollectible", .invoice, looks: .always, sync: .first, says: "was given up as uncollectible",
      note: EventNote.givenUp,
      does: "noted; counts as not paid, and can still be paid later"),
    // Announced while nothing is decided by it; of a known subscription it tells what is due.
    .learn("invoice.finalized", .invoice, looks: .ifKnown, sync: .second, says: "was made final", does: whatIsDue),
    .learn("invoice.updated", .invoice, looks: .ifKnown, sync: .second, says: "was changed", does: whatIsDue),
    .learn(
      "invoice_payment.paid", .invoicePayment, looks: .always, sync: .first, says: "went through",
      does: "links an invoice to its payment, which invoices of newer API versions no longer name"),
  ]

  private static let whatIsDue = "says what is due, and when"
}

extension EventNote {
  fileprivate static func paymentFailed(_: StripeEvent, _ snapshot: Snapshot) -> EventNote? {
    guard case .invoice(let invoice) = snapshot else { return nil }
    let next = invoice.nextPaymentAttempt.map { "Stripe tries again on \(day($0))." }
    return EventNote(
      "A payment has failed.", "Invoice \(invoice.id). \(next ?? "Stripe does not try again by itself.")")
  }

  fileprivate static func confirmationAwaited(_: StripeEvent, _ snapshot: Snapshot) -> EventNote? {
    guard case .invoice(let invoice) = snapshot else { return nil }
    return EventNote(
      "The buyer's bank wants the buyer to confirm the payment.",
      "Invoice \(invoice.id) waits for that. Licenses change only when it is paid, or overdue.")
  }

  fileprivate static func givenUp(_: StripeEvent, _ snapshot: Snapshot) -> EventNote? {
    guard case .invoice(let invoice) = snapshot else { return nil }
    return EventNote(
      "The invoice was given up.", "Invoice \(invoice.id) counts as not paid. It can still be paid.")
  }
}
