import JSON

/// One line of an invoice.
struct InvoiceLineDraft {
  var price: String
  var quantity: Int64
  var amount: Int64
  var item: String?
  var subscription: String?
  var isProration = false
  var periodStart: Int64
  var periodEnd: Int64
  var metadata = Fields([])
  var description: String?
}

extension Tenant {
  /// A draft invoice with its lines; sends `invoice.created`.
  func createInvoice(
    customer: String?, subscription: String?, reason: String, lines: [InvoiceLineDraft], discountPercent: Int64 = 0,
    automatic: Bool = true, collection: String = "charge_automatically",
    daysUntilDue: Int64 = 30, metadata: Fields = Fields([])
  ) -> String {
    let id = newID(.invoice)
    let buyer = customer.flatMap { find(.customer, $0) }
    let currency = lines.first.flatMap { find(.price, $0.price)?.text("currency") } ?? merchant.currency
    let subtotal = lines.reduce(0) { $0 + $1.amount }
    // Negative where more is credited than charged; that goes to the customer's balance.
    let total = subtotal - subtotal * discountPercent / 100
    let due = max(0, total)
    let clock = customer.flatMap { find(.customer, $0)?.text("test_clock") }
    for line in lines { insertLine(line, invoice: id, currency: currency) }
    let subscriptionMetadata = subscription.flatMap { find(.subscription, $0)?.object("metadata") } ?? Fields([])
    insert(
      .invoice, id,
      fields([
        "id": .string(id), "object": "invoice", "account_country": .string(merchant.country),
        "account_name": .string(merchant.name), "amount_due": .integer(due), "amount_overpaid": 0, "amount_paid": 0,
        "amount_remaining": .integer(due), "amount_shipping": 0, "attempt_count": 0, "attempted": false,
        "auto_advance": flag(automatic),
        "automatic_tax": object(["enabled": false, "liability": .null, "status": .null]),
        "billing_reason": .string(reason), "collection_method": .string(collection), "created": .integer(now),
        "currency": .string(currency), "custom_fields": .null, "customer": str(customer), "customer_address": .null,
        "customer_email": str(buyer?.text("email")), "customer_name": str(buyer?.text("name")), "customer_phone": .null,
        "default_payment_method": .null, "description": .null, "discounts": [],
        "due_date": collection == "send_invoice" ? .integer(now + daysUntilDue * CalendarTime.day) : .null,
        "effective_at": .null, "ending_balance": .null, "footer": .null, "hosted_invoice_url": .null,
        "invoice_pdf": .null,
        "last_finalization_error": .null, "livemode": flag(livemode), "metadata": .object(metadata),
        "next_payment_attempt": automatic && collection != "send_invoice" ? .integer(now + CalendarTime.hour) : .null,
        "number": .null,
        "period_end": .integer(now), "period_start": .integer(now), "post_payment_credit_notes_amount": 0,
        "pre_payment_credit_notes_amount": 0, "receipt_number": .null, "starting_balance": 0, "status": "draft",
        "status_transitions": object([
          "finalized_at": .null, "marked_uncollectible_at": .null, "paid_at": .null, "voided_at": .null,
        ]),
        "subtotal": .integer(subtotal), "test_clock": str(clock), "total": .integer(total),
        "_subscription": str(subscription), "_subscription_metadata": .object(subscriptionMetadata),
        "_payment_intent": .null, "_charge": .null, "_out_of_band": false,
      ]))
    emit("invoice.created", .invoice, id)
    return id
  }

  private func insertLine(_ line: InvoiceLineDraft, invoice: String, currency: String) {
    let id = newID(.invoiceLine)
    let name = find(.price, line.price)?.text("product").flatMap { find(.product, $0)?.text("name") }
    insert(
      .invoiceLine, id,
      fields([
        "id": .string(id), "object": "line_item", "amount": .integer(line.amount), "currency": .string(currency),
        "description": .string(line.description ?? "\(line.quantity) × \(name ?? "item")"), "discount_amounts": [],
        "discountable": flag(!line.isProration), "discounts": [], "invoice": .string(invoice),
        "livemode": flag(livemode),
        "metadata": .object(line.metadata),
        "period": object(["end": .integer(line.periodEnd), "start": .integer(line.periodStart)]),
        "quantity": .integer(line.quantity), "subscription": str(line.subscription), "_price": .string(line.price),
        "_item": str(line.item), "_proration": flag(line.isProration),
        "_invoice_item": line.item == nil || line.isProration ? .string(world.newID("ii_")) : .null,
      ]))
  }

  func lines(_ invoice: String) -> [Fields] { all(.invoiceLine, where: "invoice", is: invoice) }

  func renderInvoice(_ fields: Fields, _ shape: Shape) -> Fields {
    let id = fields.text("id") ?? ""
    var result = fields.visible
    let lines = lines(id).map { JSONValue.object(renderInvoiceLine($0, shape)) }
    result["lines"] = embeddedList(lines, url: "/v1/invoices/\(id)/lines")
    let subscription = fields.text("_subscription")
    let metadata = fields["_subscription_metadata"] ?? object([:])
    let isOutOfBand = fields.bool("_out_of_band")
    switch shape {
    case .old:
      result["paid"] = flag(fields.text("status") == "paid")
      result["paid_out_of_band"] = flag(isOutOfBand)
      result["subscription"] = str(subscription)
      result["subscription_details"] = object(["metadata": subscription == nil ? .null : metadata])
      result["payment_intent"] = str(fields.text("_payment_intent"))
      result["charge"] = str(fields.text("_charge"))
      result["quote"] = .some(.null)
      result["discount"] = .some(.null)
      result["tax"] = .some(.null)
      result["amount_overpaid"] = nil
      if isOutOfBand { result["amount_paid"] = .integer(0) }
    case .new, .endive:
      result["parent"] =
        subscription.map {
          object([
            "quote_details": .null,
            "subscription_details": object(["metadata": metadata, "subscription": .string($0)]),
            "type": "subscription_details",
          ])
        } ?? .some(.null)
    }
    if shape == .endive {
      result["status_details"] =
        fields.text("status") == "uncollectible"
        ? object(["uncollectible": object(["reason": str(fields.text("_uncollectible_reason"))])]) : .some(.null)
    }
    return result
  }

  func renderInvoiceLine(_ fields: Fields, _ shape: Shape) -> Fields {
    var result = fields.visible
    let item = fields.text("_item")
    let price = fields.text("_price").flatMap { find(.price, $0) }
    let isProration = fields.bool("_proration")
    switch shape {
    case .old:
      result["price"] = priceValue(fields.text("_price"), shape)
      result["type"] = .string(item == nil ? "invoiceitem" : "subscription")
      result["proration"] = flag(isProration)
      result["proration_details"] = object(["credited_items": .null])
      if let item { result["subscription_item"] = .string(item) }
      if let invoiceItem = fields.text("_invoice_item") { result["invoice_item"] = .string(invoiceItem) }
      result["tax_amounts"] = []
      result["tax_rates"] = []
    case .new, .endive:
      result["parent"] = lineParent(fields, item: item, isProration: isProration)
      result["pricing"] = object([
        "price_details": object(["price": str(price?.text("id")), "product": str(price?.text("product"))]),
        "type": "price_details", "unit_amount_decimal": str(price?.text("unit_amount_decimal")),
      ])
      result["taxes"] = []
    }
    return result
  }

  private func lineParent(_ fields: Fields, item: String?, isProration: Bool) -> JSONValue {
    let details = object(["credited_items": .null])
    if let item {
      return object([
        "invoice_item_details": .null,
        "subscription_item_details": object([
          "invoice_item": str(fields.text("_invoice_item")), "proration": flag(isProration),
          "proration_details": details,
          "subscription": str(fields.text("subscription")), "subscription_item": .string(item),
        ]),
        "type": "subscription_item_details",
      ])
    }
    return object([
      "invoice_item_details": object([
        "invoice_item": str(fields.text("_invoice_item")), "proration": flag(isProration), "proration_details": details,
        "subscription": str(fields.text("subscription")),
      ]),
      "subscription_item_details": .null, "type": "invoice_item_details",
    ])
  }
}
