import JSON

/// The buyer's particulars on a payment.
struct Payer {
  var email: String?
  var name: String?
}

extension Tenant {
  /// A PaymentIntent; sends `payment_intent.created`.
  func createPaymentIntent(
    amount: Int64, currency: String, customer: String?, invoice: String? = nil, receiptEmail: String? = nil,
    metadata: Fields = Fields([]), capture: String = "automatic"
  ) -> String {
    let id = newID(.paymentIntent)
    insert(
      .paymentIntent, id,
      fields([
        "id": .string(id), "object": "payment_intent", "amount": .integer(amount), "amount_capturable": 0,
        "amount_details": object(["tip": object([:])]), "amount_received": 0, "application": .null,
        "application_fee_amount": .null, "automatic_payment_methods": .null, "canceled_at": .null,
        "cancellation_reason": .null, "capture_method": .string(capture),
        "client_secret": .string("\(id)_secret_hidden"),
        "confirmation_method": "automatic", "created": .integer(now), "currency": .string(currency),
        "customer": str(customer), "description": .null, "last_payment_error": .null, "latest_charge": .null,
        "livemode": flag(livemode), "metadata": .object(metadata), "next_action": .null, "on_behalf_of": .null,
        "payment_method": .null, "payment_method_types": ["card"], "processing": .null,
        "receipt_email": str(receiptEmail), "setup_future_usage": .null, "shipping": .null, "source": .null,
        "statement_descriptor": .null, "status": "requires_payment_method", "transfer_data": .null,
        "transfer_group": .null,
        "_invoice": str(invoice),
      ]))
    emit("payment_intent.created", .paymentIntent, id)
    return id
  }

  /// A charge of the intent in this state (`succeeded`, `pending`, `failed`). The intent's metadata is copied once.
  func createCharge(_ intent: String, status: String, payer: Payer) -> String {
    let payment = find(.paymentIntent, intent) ?? Fields([])
    let id = newID(.charge)
    let amount = payment.number("amount") ?? 0
    let succeeded = status == "succeeded"
    // A hold on a card: the money is taken by a capture.
    let isHeld = succeeded && payment.text("capture_method") == "manual"
    insert(
      .charge, id,
      fields([
        "id": .string(id), "object": "charge", "amount": .integer(amount),
        "amount_captured": .integer(status == "failed" || isHeld ? 0 : amount), "amount_refunded": 0,
        "application": .null,
        "balance_transaction": .null,
        "billing_details": object([
          "address": .null, "email": str(payer.email), "name": str(payer.name), "phone": .null,
        ]),
        "calculated_statement_descriptor": "SIMULATED", "captured": flag(status != "failed" && !isHeld),
        "created": .integer(now),
        "currency": payment["currency"] ?? .null, "customer": payment["customer"] ?? .null, "description": .null,
        "disputed": false,
        "failure_code": status == "failed" ? "card_declined" : .null,
        "failure_message": status == "failed" ? "Your card was declined." : .null, "fraud_details": object([:]),
        "livemode": flag(livemode), "metadata": payment["metadata"] ?? object([:]),
        "outcome": object([
          "network_status": .string(status == "failed" ? "declined_by_network" : "approved_by_network"),
          "type": .string(status == "failed" ? "issuer_declined" : "authorized"),
        ]),
        "paid": flag(succeeded || status == "pending"), "payment_intent": .string(intent),
        "payment_method": .string(world.newID("pm_")),
        "payment_method_details": object(["card": object(["brand": "visa", "last4": "4242"]), "type": "card"]),
        "receipt_email": payment["receipt_email"] ?? .null, "receipt_number": .null, "receipt_url": .null,
        "refunded": false, "review": .null, "shipping": .null, "source": .null, "status": .string(status),
        "transfer_group": .null, "_invoice": payment["_invoice"] ?? .null,
      ]))
    edit(.paymentIntent, intent) { $0["latest_charge"] = .string(id) }
    return id
  }

  /// Takes the money: `charge.succeeded`, `payment_intent.succeeded`.
  func succeed(_ intent: String, payer: Payer) -> String {
    let charge: String
    if let pending = find(.paymentIntent, intent)?.text("latest_charge"),
      find(.charge, pending)?.text("status") == "pending"
    {
      charge = pending
      edit(.charge, charge) { $0.merge(["status": "succeeded", "paid": true]) }
    } else {
      charge = createCharge(intent, status: "succeeded", payer: payer)
    }
    edit(.paymentIntent, intent) { fields in
      fields.merge([
        "status": "succeeded", "amount_received": fields["amount"] ?? 0, "processing": .null,
        "last_payment_error": .null,
        "payment_method": self.find(.charge, charge)?["payment_method"] ?? .null,
      ])
    }
    emit("charge.succeeded", .charge, charge)
    emit("payment_intent.succeeded", .paymentIntent, intent)
    return charge
  }

  /// The balance entry arrives a moment after the charge: `charge.updated`.
  func settle(_ charge: String) {
    update(.charge, charge, event: "charge.updated") {
      edit(.charge, charge) {
        $0.merge([
          "balance_transaction": .string(world.newID("txn_")),
          "receipt_url": .string("\(world.post.baseURL)/receipts/\(charge)"),
        ])
      }
    }
  }

  /// The money did not come: `charge.failed`, `payment_intent.payment_failed`.
  func failPayment(_ intent: String, payer: Payer) -> String {
    let charge: String
    if let pending = find(.paymentIntent, intent)?.text("latest_charge"),
      find(.charge, pending)?.text("status") == "pending"
    {
      charge = pending
      edit(.charge, charge) {
        $0.merge([
          "status": "failed", "paid": false, "failure_code": "charge_declined",
          "failure_message": "The payment failed.",
        ])
      }
    } else {
      charge = createCharge(intent, status: "failed", payer: payer)
    }
    edit(.paymentIntent, intent) {
      $0.merge([
        "status": "requires_payment_method", "processing": .null,
        "last_payment_error": object([
          "charge": .string(charge), "code": "card_declined", "message": "Your card was declined.",
          "type": "card_error",
        ]),
      ])
    }
    emit("charge.failed", .charge, charge)
    emit("payment_intent.payment_failed", .paymentIntent, intent)
    return charge
  }

  /// A bank debit is under way: `payment_intent.processing`, `charge.pending`.
  func startProcessing(_ intent: String, payer: Payer) -> String {
    let charge = createCharge(intent, status: "pending", payer: payer)
    edit(.paymentIntent, intent) { $0.merge(["status": "processing"]) }
    emit("payment_intent.processing", .paymentIntent, intent)
    emit("charge.pending", .charge, charge)
    return charge
  }

  func renderPaymentIntent(_ fields: Fields, _ shape: Shape) -> Fields {
    var result = fields.visible
    if shape.isOld { result["invoice"] = fields["_invoice"] ?? .some(.null) }
    return result
  }

  func renderCharge(_ fields: Fields, _ shape: Shape) -> Fields {
    var result = fields.visible
    if shape.isOld { result["invoice"] = fields["_invoice"] ?? .some(.null) }
    return result
  }

  func renderCreditNote(_ fields: Fields, _ shape: Shape) -> Fields {
    var result = fields.visible
    let refund = fields.text("_refund")
    switch shape {
    case .old: result["refund"] = str(refund)
    case .new, .endive:
      result["refunds"] =
        refund.map { [object(["amount_refunded": fields["amount"] ?? 0, "refund": .string($0)])] } ?? []
    }
    return result
  }
}
