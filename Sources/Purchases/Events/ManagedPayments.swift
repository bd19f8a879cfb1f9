package import StripeAPI

extension Knowledge {
  /// Whether Stripe is the merchant of record of this sale (Stripe docs, "Managed Payments"): it answers disputes, and may
  /// return money by itself.
  package var isManaged: Bool { sessions.contains(where: \.isManaged) }
}

extension EventNote {
  /// Who has moved money of a sale whose merchant of record is Stripe; nil for events that move none.
  ///
  /// An event that no API request has caused was Stripe's own doing (API reference, "Events": `request`).
  package init?(onManaged event: StripeEvent, _ snapshot: Snapshot) {
    switch (event.type.rawValue, snapshot) {
    case ("refund.created", .refund(let refund)):
      title =
        event.requestID == nil
        ? "Stripe returned money by itself, as the merchant of record." : "The vendor's account returned money."
      detail =
        "\(refund.id) of a sale through Managed Payments. "
        + (event.requestID.map { "Asked for by \($0)." } ?? "Nobody asked for it through the vendor's account.")
    case ("charge.dispute.created", .dispute(let dispute)):
      title = "Stripe answers this dispute, as the merchant of record."
      detail = "\(dispute.id) of a sale through Managed Payments. Evidence of the vendor's is not asked for."
    default: return nil
    }
  }
}
