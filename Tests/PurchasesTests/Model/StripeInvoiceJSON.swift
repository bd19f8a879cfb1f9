import JSON

/// How Stripe writes an invoice and its lines, in both shapes.
extension StripeModel {
  /// - Parameter isCut: the embedded list holds the first line only, as Stripe does with long lists.
  func json(_ i: ModelInvoice, _ shape: Shape, isCut: Bool = false) -> JSONValue {
    let shown = isCut ? Array(i.lines.prefix(1)) : i.lines
    let lines = shown.map { json($0, of: i, shape) }
    let subscription = i.isShared ? nil : i.subscription
    let isPaid = i.status == "paid"
    // Before 2025-03-31 what was paid outside Stripe did not count.
    let paid = isPaid && !(shape == .old && i.isPaidOutside) ? i.amountDue : 0
    let credited = creditNotes.values.filter { $0.invoice == i.id }.reduce(0) { $0 + $1.amount }
    var value = JSONObject([
      ("id", .string(i.id)), ("object", "invoice"), ("status", .string(i.status)),
      ("billing_reason", .string(i.reason)), ("customer", "cus_1"), ("customer_email", "buyer@example.com"),
      ("collection_method", .string(i.collectionMethod)), ("total", .integer(i.total)),
      ("amount_due", .integer(i.amountDue)), ("amount_paid", .integer(paid)),
      ("amount_remaining", .integer(isPaid ? 0 : i.amountDue)), ("attempted", .bool(i.attempts > 0)),
      ("attempt_count", .integer(i.attempts)), ("auto_advance", .bool(i.nextAttempt != nil)),
      ("next_payment_attempt", number(i.status == "open" ? i.nextAttempt : nil)), ("due_date", number(i.dueDate)),
      ("starting_balance", .integer(-i.fromBalance)), ("pre_payment_credit_notes_amount", 0),
      ("post_payment_credit_notes_amount", .integer(credited)), ("effective_at", number(i.finalizedAt)),
      (
        "status_transitions",
        [
          "finalized_at": number(i.finalizedAt), "paid_at": number(i.paidAt), "voided_at": number(i.voidedAt),
          "marked_uncollectible_at": number(i.uncollectibleAt),
        ]
      ), ("created", .integer(i.created)), ("currency", "eur"),
      ("lines", ["object": "list", "has_more": .bool(shown.count < i.lines.count), "data": .array(lines)]),
    ])
    switch shape {
    case .old:
      value["paid"] = .bool(isPaid)
      value["paid_out_of_band"] = .bool(i.isPaidOutside)
      value["subscription"] = text(subscription)
      value["payment_intent"] = text(i.payment)
      value["charge"] = text(
        i.payment.flatMap { payments[$0] }.flatMap { $0.isPaid || $0.stage == .processing ? $0.charge : nil })
    case .new:
      value["parent"] =
        subscription.map {
          [
            "type": "subscription_details", "quote_details": .null,
            "subscription_details": ["subscription": .string($0), "metadata": [:]],
          ]
        } ?? .null
      if i.status == "uncollectible" {
        let isPaused = i.subscription.flatMap { subscriptions[$0]?.pause } == .uncollectible
        value["status_details"] = [
          "uncollectible": ["reason": i.attempts == 0 && isPaused ? "subscription_paused" : "user_forgiven"]
        ]
      }
    }
    return .object(value)
  }

  private func json(_ line: ModelLine, of invoice: ModelInvoice, _ shape: Shape) -> JSONValue {
    var value = JSONObject([
      ("id", .string(line.id)), ("object", "line_item"), ("amount", .integer(line.amount)), ("currency", "eur"),
      ("quantity", .integer(Int64(line.quantity))), ("subscription", text(line.subscription ?? invoice.subscription)),
      ("metadata", [:]),
      ("period", ["start": .integer(line.start), "end": .integer(line.end)]),
    ])
    // A change's lines come from invoice items, which newer billing hangs on the subscription's item.
    let isInvoiceItem = line.item == nil || line.isProration
    switch shape {
    case .old:
      value["type"] = isInvoiceItem ? "invoiceitem" : "subscription"
      if isInvoiceItem { value["invoice_item"] = .string("ii_" + line.id) }
      value["proration"] = .bool(line.isProration)
      value["subscription_item"] = text(line.item)
      value["price"] = price(line.price, recurring: line.item != nil)
      value["proration_details"] = ["credited_items": credited(line)]
    case .new:
      value["pricing"] = [
        "type": "price_details",
        "price_details": ["price": .string(line.price), "product": text(Catalog.products[line.price])],
        "unit_amount_decimal": .string("\(Catalog.amount(line.price))"),
      ]
      if let item = line.item, billsFlexibly || !line.isProration {
        value["parent"] = [
          "type": "subscription_item_details", "invoice_item_details": .null,
          "subscription_item_details": [
            "subscription": text(line.subscription ?? invoice.subscription), "subscription_item": .string(item),
            "invoice_item": line.isProration ? .string("ii_" + line.id) : .null,
            "proration": .bool(line.isProration), "proration_details": ["credited_items": credited(line)],
          ],
        ]
      } else {
        value["parent"] = [
          "type": "invoice_item_details", "subscription_item_details": .null,
          "invoice_item_details": [
            "invoice_item": .string("ii_" + line.id), "subscription": text(line.subscription ?? invoice.subscription),
            "proration": .bool(line.isProration), "proration_details": ["credited_items": credited(line)],
          ],
        ]
      }
    }
    return .object(value)
  }

  private func credited(_ line: ModelLine) -> JSONValue {
    guard let credited = line.credited else { return .null }
    return ["invoice": .string(credited.invoice), "invoice_line_items": [.string(credited.line)]]
  }
}
