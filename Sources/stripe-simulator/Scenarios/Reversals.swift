import JSON

extension Tenant {
  /// Refunds a charge: `refund.created`, `charge.refunded`. A pending refund counts at once, as Stripe counts it.
  func refund(
    charge id: String, amount: Int64?, reason: String?, status: String = "succeeded", metadata: Fields = Fields([])
  ) throws(StripeFailure) -> String {
    let charge = try require(.charge, id, parameter: "charge")
    let captured = charge.number("amount_captured") ?? 0
    let former = charge.number("amount_refunded") ?? 0
    let value = amount ?? (captured - former)
    guard former < captured else {
      throw StripeFailure(
        status: 400, code: "charge_already_refunded", message: "Charge \(id) has already been refunded.")
    }
    guard value > 0, former + value <= captured else {
      throw .invalid(
        "Refund amount (\(value)) is greater than unrefunded amount on charge (\(captured - former))",
        parameter: "amount")
    }
    let refundID = newID(.refund)
    insert(
      .refund, refundID,
      fields([
        "id": .string(refundID), "object": "refund", "amount": .integer(value), "balance_transaction": .null,
        "charge": .string(id), "created": .integer(now), "currency": charge["currency"] ?? .null,
        "destination_details": .null, "failure_reason": .null, "metadata": .object(metadata),
        "payment_intent": charge["payment_intent"] ?? .null, "reason": str(reason), "receipt_number": .null,
        "source_transfer_reversal": .null, "status": .string(status), "transfer_reversal": .null,
      ]))
    setRefunded(id, former + value)
    emit("refund.created", .refund, refundID)
    emit("charge.refunded", .charge, id)
    return refundID
  }

  private func setRefunded(_ charge: String, _ amount: Int64) {
    edit(.charge, charge) { fields in
      let captured = fields.number("amount_captured") ?? 0
      fields.merge(["amount_refunded": .integer(amount), "refunded": flag(amount >= captured && captured > 0)])
    }
  }

  /// A pending refund arrives: `refund.updated`.
  func settleRefund(_ id: String) {
    update(.refund, id, event: "refund.updated") { edit(.refund, id) { $0["status"] = "succeeded" } }
  }

  /// A refund comes back later; the money is the merchant's again: `refund.failed`, `refund.updated`, `charge.updated`.
  func failRefund(_ id: String, reason: String, status: String = "failed") {
    guard let refund = find(.refund, id), let charge = refund.text("charge"), refund.text("status") != "failed" else {
      return
    }
    let former = find(.charge, charge)?.number("amount_refunded") ?? 0
    update(.refund, id, event: "refund.updated") {
      edit(.refund, id) { $0.merge(["status": .string(status), "failure_reason": .string(reason)]) }
    }
    if status == "failed" { emit("refund.failed", .refund, id) }
    emit("charge.refund.updated", .refund, id)
    update(.charge, charge, event: "charge.updated") { setRefunded(charge, former - (refund.number("amount") ?? 0)) }
  }

  /// The buyer's bank asks (`warning_…`) or takes the money back: `charge.dispute.created`.
  func openDispute(charge id: String, reason: String, status: String, amount: Int64?) throws(StripeFailure) -> String {
    let charge = try require(.charge, id, parameter: "charge")
    let dispute = newID(.dispute)
    insert(
      .dispute, dispute,
      fields([
        "id": .string(dispute), "object": "dispute", "amount": .integer(amount ?? charge.number("amount") ?? 0),
        "balance_transactions": [], "charge": .string(id), "created": .integer(now),
        "currency": charge["currency"] ?? .null,
        "enhanced_eligibility_types": [], "evidence": object([:]),
        "evidence_details": object([
          "due_by": .integer(now + 7 * CalendarTime.day), "has_evidence": false, "past_due": false,
          "submission_count": 0,
        ]),
        "is_charge_refundable": flag(status.hasPrefix("warning_")), "livemode": flag(livemode), "metadata": object([:]),
        "payment_intent": charge["payment_intent"] ?? .null, "reason": .string(reason), "status": .string(status),
      ]))
    emit("charge.dispute.created", .dispute, dispute)
    if !status.hasPrefix("warning_") && status != "prevented" { withdraw(dispute, charge: id) }
    return dispute
  }

  private func withdraw(_ dispute: String, charge: String) {
    update(.charge, charge, event: "charge.updated") { edit(.charge, charge) { $0["disputed"] = true } }
    emit("charge.dispute.funds_withdrawn", .dispute, dispute)
  }

  /// The dispute moves on: `charge.dispute.updated`; an inquiry that becomes a chargeback takes the money.
  func updateDispute(_ id: String, status: String) {
    guard let dispute = find(.dispute, id) else { return }
    let wasInquiry = dispute.text("status")?.hasPrefix("warning_") ?? false
    update(.dispute, id, event: "charge.dispute.updated") { edit(.dispute, id) { $0["status"] = .string(status) } }
    if wasInquiry, !status.hasPrefix("warning_"), let charge = dispute.text("charge") { withdraw(id, charge: charge) }
  }

  /// `charge.dispute.closed` with `won`, `lost` or `warning_closed`; the money comes back when it is won.
  func closeDispute(_ id: String, status: String) {
    edit(.dispute, id) { $0["status"] = .string(status) }
    emit("charge.dispute.closed", .dispute, id)
    if status == "won" { emit("charge.dispute.funds_reinstated", .dispute, id) }
  }
}
