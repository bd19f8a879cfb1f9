import JSON

/// How Stripe writes payments and what moves back of them.
extension StripeModel {
  func json(invoicePaymentOf p: ModelPayment) -> JSONValue {
    [
      "id": .string("inpay_" + p.id), "object": "invoice_payment", "invoice": text(p.invoice),
      "status": p.isPaid ? "paid" : "open", "is_default": true, "amount_requested": .integer(p.amount),
      "amount_paid": p.isPaid ? .integer(p.taken) : .null,
      "payment": ["type": "payment_intent", "payment_intent": .string(p.id)],
    ]
  }

  func json(intent p: ModelPayment, _ shape: Shape) -> JSONValue {
    var value = JSONObject([
      ("id", .string(p.id)), ("object", "payment_intent"),
      ("status", .string(p.status)), ("amount", .integer(p.amount)), ("amount_received", .integer(p.taken)),
      ("amount_capturable", .integer(!p.isPaid && p.stage == .held ? p.amount : 0)),
      ("latest_charge", .string(p.charge)), ("created", .integer(p.created)),
    ])
    if shape == .old { value["invoice"] = text(p.invoice) }
    return .object(value)
  }

  func json(charge p: ModelPayment, _ shape: Shape) -> JSONValue {
    var value = JSONObject([
      ("id", .string(p.charge)), ("object", "charge"), ("amount", .integer(p.amount)),
      ("amount_captured", .integer(p.taken)), ("amount_refunded", .integer(p.refunded + p.letGo)),
      ("refunded", .bool(p.refunded + p.letGo > 0 && p.refunded >= p.taken && (p.isPaid || p.stage == .released))),
      ("captured", .bool(p.isPaid)), ("disputed", .bool(p.isDisputed)),
      ("paid", .bool(p.isPaid || p.stage == .held || p.stage == .released)),
      ("status", p.stage == .processing && !p.isPaid ? "pending" : "succeeded"),
      ("payment_intent", .string(p.id)), ("created", .integer(p.created)),
    ])
    if shape == .old { value["invoice"] = text(p.invoice) }
    return .object(value)
  }

  func json(_ r: ModelRefund) -> JSONValue {
    [
      "id": .string(r.id), "object": "refund", "amount": .integer(r.amount), "payment_intent": .string(r.payment),
      "charge": text(payments[r.payment]?.charge), "status": .string(r.status), "created": .integer(r.created),
    ]
  }

  func json(_ d: ModelDispute) -> JSONValue {
    [
      "id": .string(d.id), "object": "dispute", "amount": .integer(payments[d.payment]?.amount ?? 0),
      "payment_intent": .string(d.payment), "charge": text(payments[d.payment]?.charge), "status": .string(d.status),
      "created": .integer(d.created),
    ]
  }

  func json(_ n: ModelCreditNote, _ shape: Shape) -> JSONValue {
    var value = JSONObject([
      ("id", .string(n.id)), ("object", "credit_note"), ("invoice", .string(n.invoice)), ("status", "issued"),
      ("type", "post_payment"), ("amount", .integer(n.amount)), ("total", .integer(n.amount)),
      ("out_of_band_amount", n.outOfBand > 0 ? .integer(n.outOfBand) : .null), ("pre_payment_amount", 0),
      ("post_payment_amount", .integer(n.amount)), ("customer", "cus_1"), ("voided_at", .null),
      ("customer_balance_transaction", n.outOfBand < n.amount ? .string("cbtxn_" + n.id) : .null),
      ("created", .integer(n.created)),
    ])
    switch shape {
    case .old: value["refund"] = .null
    case .new: value["refunds"] = []
    }
    return .object(value)
  }
}

extension ModelPayment {
  /// What a hold let go; Stripe shows it as refunded.
  var letGo: Int64 { isPaid ? amount - taken : stage == .released ? amount : 0 }

  fileprivate var status: String {
    if isPaid { return "succeeded" }
    switch stage {
    case .failed: return "requires_payment_method"
    case .processing: return "processing"
    case .held: return "requires_capture"
    case .released: return "canceled"
    }
  }
}
