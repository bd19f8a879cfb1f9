import StripeAPI

extension Knowledge {
  /// Whether Stripe is the merchant of record of this sale (Stripe docs, "Managed Payments"): it answers disputes, and may
  /// return money by itself.
  package var isManaged: Bool { sessions.contains(where: \.isManaged) }
}

extension EventNote {
  /// An event that no API request has caused was Stripe's own doing (API reference, "Events": `request`).
  static func moneyReturned(_ event: StripeEvent, _ snapshot: Snapshot) -> EventNote? {
    guard case .refund(let refund) = snapshot else { return nil }
    return EventNote(
      event.requestID == nil
        ? "Stripe returned money by itself, as the merchant of record." : "The vendor's account returned money.",
      "\(refund.id) of a sale through Managed Payments. "
        + (event.requestID.map { "Asked for by \($0)." } ?? "Nobody asked for it through the vendor's account."))
  }

  static func disputeOfStripe(_: StripeEvent, _ snapshot: Snapshot) -> EventNote? {
    guard case .dispute(let dispute) = snapshot else { return nil }
    return EventNote(
      "Stripe answers this dispute, as the merchant of record.",
      "\(dispute.id) of a sale through Managed Payments. Evidence of the vendor's is not asked for.")
  }
}
