import JSON

extension Tenant {
  /// Holds money on a card without taking it: `charge.succeeded`, `payment_intent.amount_capturable_updated`.
  func hold(_ intent: String, payer: Payer) -> String {
    let charge = createCharge(intent, status: "succeeded", payer: payer)
    edit(.paymentIntent, intent) {
      $0.merge(["status": "requires_capture", "amount_capturable": $0["amount"] ?? 0])
    }
    emit("charge.succeeded", .charge, charge)
    emit("payment_intent.amount_capturable_updated", .paymentIntent, intent)
    return charge
  }

  /// Takes the held money, or a part of it: `charge.captured`, `payment_intent.succeeded`. The rest is released, which the
  /// charge shows as refunded. From then on a Checkout Session is paid, but no event of the session says so.
  func capture(_ intent: String, amount: Int64?) throws(StripeFailure) {
    let payment = try require(.paymentIntent, intent, parameter: "intent")
    guard payment.text("status") == "requires_capture", let charge = payment.text("latest_charge") else {
      throw StripeFailure(
        status: 400, code: "payment_intent_unexpected_state",
        message:
          "This PaymentIntent could not be captured because it has a status of \(payment.text("status") ?? "unknown")."
      )
    }
    let whole = payment.number("amount") ?? 0
    let taken = amount ?? whole
    guard taken > 0, taken <= whole else {
      throw .invalid("The amount to capture must be between 1 and \(whole).", parameter: "amount_to_capture")
    }
    edit(.charge, charge) {
      $0.merge(["captured": true, "amount_captured": .integer(taken), "amount_refunded": .integer(whole - taken)])
    }
    if taken < whole { insertRelease(of: charge, whole - taken) }
    edit(.paymentIntent, intent) {
      $0.merge(["status": "succeeded", "amount_received": .integer(taken), "amount_capturable": 0])
    }
    for session in all(.session, where: "payment_intent", is: intent).compactMap({ $0.text("id") }) {
      edit(.session, session) { $0["payment_status"] = "paid" }
    }
    emit("charge.captured", .charge, charge)
    emit("payment_intent.succeeded", .paymentIntent, intent)
    settle(charge)
  }

  private func insertRelease(of charge: String, _ amount: Int64) {
    let id = newID(.refund)
    let taken = find(.charge, charge) ?? Fields([])
    insert(
      .refund, id,
      fields([
        "id": .string(id), "object": "refund", "amount": .integer(amount), "balance_transaction": .null,
        "charge": .string(charge), "created": .integer(now), "currency": taken["currency"] ?? .null,
        "destination_details": .null, "failure_reason": .null, "metadata": object([:]),
        "payment_intent": taken["payment_intent"] ?? .null, "reason": .null, "receipt_number": .null,
        "source_transfer_reversal": .null, "status": "succeeded", "transfer_reversal": .null,
      ]))
  }

  /// Cancels an unpaid intent; held money is released: `charge.refunded`, `payment_intent.canceled`.
  func cancelIntent(_ intent: String) throws(StripeFailure) {
    let payment = try require(.paymentIntent, intent, parameter: "intent")
    guard let status = payment.text("status"), status != "succeeded", status != "canceled" else {
      throw StripeFailure(
        status: 400, code: "payment_intent_unexpected_state",
        message: "You cannot cancel this PaymentIntent because of its status.")
    }
    if status == "requires_capture", let charge = payment.text("latest_charge") {
      edit(.charge, charge) { $0.merge(["amount_refunded": $0["amount"] ?? 0, "refunded": true]) }
      insertRelease(of: charge, payment.number("amount") ?? 0)
      emit("charge.refunded", .charge, charge)
    }
    edit(.paymentIntent, intent) {
      $0.merge(["status": "canceled", "canceled_at": .integer(now), "amount_capturable": 0])
    }
    emit("payment_intent.canceled", .paymentIntent, intent)
  }
}
