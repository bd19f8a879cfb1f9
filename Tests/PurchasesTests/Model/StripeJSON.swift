import JSON

private func text(_ value: String?) -> JSONValue { value.map { .string($0) } ?? .null }
private func number(_ value: Int64?) -> JSONValue { value.map { .integer($0) } ?? .null }

/// How Stripe writes the model's objects (`reference` shapes of the API pages of both versions).
extension StripeModel {
  private func price(_ id: String, recurring: Bool) -> JSONValue {
    [
      "id": .string(id), "object": "price", "product": text(Catalog.products[id]),
      "type": recurring ? "recurring" : "one_time",
    ]
  }

  func json(_ s: ModelSession) -> JSONValue {
    [
      "id": .string(s.id), "object": "checkout.session", "mode": .string(s.mode), "status": .string(s.status),
      "payment_status": .string(s.paymentStatus), "customer": text(s.customer),
      "customer_details": ["email": "buyer@example.com", "name": "Buyer"],
      "payment_intent": text(s.payment), "subscription": text(s.subscription), "invoice": text(s.invoice),
      "payment_link": text(s.link), "metadata": [:], "created": .integer(s.created),
    ]
  }

  func json(lineItem line: ModelLine) -> JSONValue {
    [
      "id": .string(line.id), "object": "item", "price": price(line.price, recurring: false),
      "quantity": .integer(Int64(line.quantity)), "amount_total": .integer(line.amount),
    ]
  }

  func json(_ s: ModelSubscription, _ shape: Shape) -> JSONValue {
    let items = s.items.map { item -> JSONValue in
      var value = JSONObject([
        ("id", .string(item.id)), ("object", "subscription_item"), ("quantity", .integer(Int64(item.quantity))),
        ("price", price(item.price, recurring: true)),
      ])
      if shape == .new {
        value["current_period_start"] = .integer(s.periodStart)
        value["current_period_end"] = .integer(s.periodEnd)
      }
      return .object(value)
    }
    var value = JSONObject([
      ("id", .string(s.id)), ("object", "subscription"), ("status", .string(s.status)), ("customer", "cus_1"),
      ("cancel_at_period_end", .bool(s.cancelAtPeriodEnd)), ("canceled_at", number(s.canceledAt)),
      ("ended_at", number(s.endedAt)), ("trial_end", number(s.trialEnd)),
      ("pause_collection", s.isPaused ? ["behavior": "void"] : .null), ("latest_invoice", .string(s.latestInvoice)),
      ("metadata", [:]), ("created", .integer(s.created)),
      ("items", ["object": "list", "has_more": false, "data": .array(items)]),
    ])
    if shape == .old {
      value["current_period_start"] = .integer(s.periodStart)
      value["current_period_end"] = .integer(s.periodEnd)
    }
    return .object(value)
  }

  /// - Parameter isCut: the embedded list holds the first line only, as Stripe does with long lists.
  func json(_ i: ModelInvoice, _ shape: Shape, isCut: Bool = false) -> JSONValue {
    let shown = isCut ? Array(i.lines.prefix(1)) : i.lines
    let lines = shown.map { json($0, of: i, shape) }
    var value = JSONObject([
      ("id", .string(i.id)), ("object", "invoice"), ("status", .string(i.status)),
      ("billing_reason", .string(i.reason)),
      ("customer", "cus_1"), ("customer_email", "buyer@example.com"), ("total", .integer(i.total)),
      ("amount_paid", .integer(i.status == "paid" ? i.total : 0)), ("attempt_count", .integer(i.attempts)),
      ("due_date", number(i.dueDate)), ("created", .integer(i.created)), ("currency", "eur"),
      ("lines", ["object": "list", "has_more": .bool(shown.count < i.lines.count), "data": .array(lines)]),
    ])
    switch shape {
    case .old:
      value["paid"] = .bool(i.status == "paid")
      value["subscription"] = text(i.subscription)
      value["payment_intent"] = text(i.payment)
      value["charge"] = text(i.payment.flatMap { payments[$0] }.flatMap { $0.isPaid ? $0.charge : nil })
    case .new:
      value["parent"] =
        i.subscription.map {
          ["type": "subscription_details", "subscription_details": ["subscription": .string($0), "metadata": [:]]]
        } ?? .null
    }
    return .object(value)
  }

  private func json(_ line: ModelLine, of invoice: ModelInvoice, _ shape: Shape) -> JSONValue {
    var value = JSONObject([
      ("id", .string(line.id)), ("object", "line_item"), ("amount", .integer(line.amount)),
      ("quantity", .integer(Int64(line.quantity))), ("subscription", text(invoice.subscription)), ("metadata", [:]),
      ("period", ["start": .integer(line.start), "end": .integer(line.end)]),
    ])
    switch shape {
    case .old:
      value["type"] = line.item == nil ? "invoiceitem" : "subscription"
      value["proration"] = .bool(line.isProration)
      value["subscription_item"] = text(line.item)
      value["price"] = price(line.price, recurring: line.item != nil)
    case .new:
      value["pricing"] = [
        "type": "price_details",
        "price_details": ["price": .string(line.price), "product": text(Catalog.products[line.price])],
      ]
      if let item = line.item {
        value["parent"] = [
          "type": "subscription_item_details",
          "subscription_item_details": [
            "subscription": text(invoice.subscription), "subscription_item": .string(item),
            "proration": .bool(line.isProration),
          ],
        ]
      } else {
        value["parent"] = [
          "type": "invoice_item_details",
          "invoice_item_details": ["invoice_item": "ii_1", "proration": .bool(line.isProration)],
        ]
      }
    }
    return .object(value)
  }

  func json(invoicePaymentOf p: ModelPayment) -> JSONValue {
    [
      "id": .string("inpay_" + p.id), "object": "invoice_payment", "invoice": text(p.invoice),
      "status": p.isPaid ? "paid" : "open",
      "payment": ["type": "payment_intent", "payment_intent": .string(p.id)],
    ]
  }

  func json(intent p: ModelPayment, _ shape: Shape) -> JSONValue {
    var value = JSONObject([
      ("id", .string(p.id)), ("object", "payment_intent"),
      ("status", p.isPaid ? "succeeded" : "requires_payment_method"), ("amount", .integer(p.amount)),
      ("latest_charge", .string(p.charge)), ("created", .integer(p.created)),
    ])
    if shape == .old { value["invoice"] = text(p.invoice) }
    return .object(value)
  }

  func json(charge p: ModelPayment, _ shape: Shape) -> JSONValue {
    var value = JSONObject([
      ("id", .string(p.charge)), ("object", "charge"), ("amount", .integer(p.amount)),
      ("amount_captured", .integer(p.isPaid ? p.amount : 0)), ("amount_refunded", .integer(p.refunded)),
      ("refunded", .bool(p.isPaid && p.refunded == p.amount)), ("disputed", .bool(p.isDisputed)),
      ("paid", .bool(p.isPaid)), ("payment_intent", .string(p.id)), ("created", .integer(p.created)),
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
}
