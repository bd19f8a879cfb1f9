import Identity
import StripeAPI

extension EventTable {
  static let charges: [EventRow] = [
    .learn("charge.succeeded", .charge, looks: .ifKnown, sync: .second, says: "went through", does: moneyCame),
    .learn("charge.updated", .charge, looks: .ifKnown, sync: .second, says: "was changed", does: moneyCame),
    .learn("charge.captured", .charge, looks: .ifKnown, sync: .third, says: "was captured", does: moneyCame),
    .learn(
      "charge.refunded", .charge, looks: .always, sync: .first, says: "was refunded",
      does: "judged by its amounts: see [Refunds](#refunds)"),
  ]

  private static let moneyCame = """
    says when the money came. A session that was completed unpaid is asked for again then: no event of its own says it
    """

  static let refunds: [EventRow] = [
    .learn(
      "refund.created", .refund, looks: .always, sync: .first, says: "was begun",
      managedNote: EventNote.moneyReturned, does: chargeAsked),
    .learn("refund.updated", .refund, looks: .always, sync: .first, says: "was changed", does: chargeAsked),
    .learn("refund.failed", .refund, looks: .always, sync: .first, says: "failed", does: chargeAsked),
    .learn("charge.refund.updated", .refund, looks: .always, sync: .first, says: "was changed", does: chargeAsked),
  ]

  private static let chargeAsked = "the charge is asked for again, since it alone has the total"

  static let disputes: [EventRow] = [
    .learn(
      "charge.dispute.created", .dispute, looks: .always, sync: .second, says: "was opened",
      note: EventNote.inquiry, managedNote: EventNote.disputeOfStripe, does: disputed),
    .learn("charge.dispute.updated", .dispute, looks: .always, sync: .second, says: "was changed", does: disputed),
    .learn(
      "charge.dispute.funds_withdrawn", .dispute, looks: .always, sync: .second, says: "took the money back",
      does: disputed),
    .learn(
      "charge.dispute.funds_reinstated", .dispute, looks: .always, sync: .second, says: "gave the money back",
      does: disputed),
    .learn("charge.dispute.closed", .dispute, looks: .always, sync: .second, says: "was closed", does: disputed),
  ]

  private static let disputed = "see [Disputes](#disputes)"

  static let notices: [EventRow] = [
    .learn(
      "radar.early_fraud_warning.created", .warning, looks: .always, sync: .second,
      says: "was given by the card network", note: EventNote.fraudFeared, does: warned),
    .learn(
      "radar.early_fraud_warning.updated", .warning, looks: .always, sync: .second, says: "was changed", does: warned),
    .learn(
      "credit_note.created", .creditNote, looks: .always, sync: .second, says: "was issued",
      note: EventNote.credited, does: credited),
    .learn("credit_note.updated", .creditNote, looks: .always, sync: .second, says: "was changed", does: credited),
    .learn("credit_note.voided", .creditNote, looks: .always, sync: .second, says: "was voided", does: credited),
  ]

  private static let warned = "noted; see [Warnings of fraud](#warnings-of-fraud)"
  private static let credited = """
    noted. A refund made with it, and what went back outside Stripe, count as returned: see [Refunds](#refunds)
    """

  static let payments: [EventRow] = [
    .learn(
      "payment_intent.succeeded", .payment, looks: .ifKnown, exception: barePayment, sync: .second,
      says: "went through",
      does: """
        links a payment to its charge and invoice; a session that waits for its money is asked for again. With \
        `bare_payments` a payment that names what it sells is looked at: see [Payments of your own](#payments-of-your-own)
        """),
    .learn("payment_intent.canceled", .payment, looks: .none, sync: .second, says: "was canceled", does: linked),
    .learn("payment_intent.payment_failed", .payment, looks: .none, sync: .second, says: "failed", does: linked),
  ]

  /// Every sale has such an event. Where the vendor sells by payments alone, and this one says what it sells, it is the
  /// sale; elsewhere a sale that waits for its money is looked at.
  private static let barePayment: EventRow.Exception = { snapshot, settings in
    guard settings.barePayments, case .paymentIntent(let payment) = snapshot else { return nil }
    return payment.sale == nil ? nil : .always
  }
  private static let linked = "links a payment to its charge and invoice"
}

extension EventNote {
  fileprivate static func inquiry(_: StripeEvent, _ snapshot: Snapshot) -> EventNote? {
    guard case .dispute(let dispute) = snapshot, dispute.stage == .inquiry else { return nil }
    return EventNote(
      "The buyer's bank inquires about a payment.",
      "\(dispute.id). No money has moved, and licenses stay as they are.")
  }

  fileprivate static func fraudFeared(_: StripeEvent, _ snapshot: Snapshot) -> EventNote? {
    guard case .fraudWarning(let warning) = snapshot else { return nil }
    let kind = warning.fraudType.map { " (\($0.replacing("_", with: " ")))" } ?? ""
    return EventNote(
      "The card issuer warns that a payment may be fraud.",
      "\(warning.charge?.rawValue ?? "A charge")\(kind). A dispute often follows; a refund can prevent it.")
  }

  fileprivate static func credited(_: StripeEvent, _ snapshot: Snapshot) -> EventNote? {
    guard case .creditNote(let note) = snapshot else { return nil }
    return EventNote(
      "A credit note was issued for invoice \(note.invoice).",
      note.refunds.isEmpty
        ? note.outOfBandAmount == nil
          ? "It returns no payment, so that licenses stay as they are."
          : "Money went back outside of Stripe, which counts as returned."
        : "It comes with a refund, which is judged by the amounts of its charge.")
  }
}
