import JSON

extension Tenant {
  /// Asks for the end at the period's end, or takes the wish back: `customer.subscription.updated`.
  func setCancelAtPeriodEnd(_ id: String, _ cancels: Bool) {
    let end = periodEnd(id)
    update(.subscription, id, event: "customer.subscription.updated") {
      edit(.subscription, id) {
        $0.merge([
          "cancel_at_period_end": flag(cancels), "cancel_at": cancels ? .integer(end) : .null,
          "canceled_at": cancels ? .integer(now) : .null,
          "cancellation_details": object([
            "comment": .null, "feedback": .null, "reason": cancels ? "cancellation_requested" : .null,
          ]),
        ])
      }
    }
  }

  /// Changes the price or quantity of an item. The proration invoice (`subscription_update`) credits the old price and
  /// charges the new for the rest of the period; it is no sale.
  func changeItem(_ item: String, price: String?, quantity: Int64?, invoicesNow: Bool) throws(StripeFailure) {
    let former = try require(.subscriptionItem, item)
    let subscription = former.text("subscription") ?? ""
    let formerPrice = former.text("_price") ?? ""
    let formerQuantity = former.number("quantity") ?? 1
    if let price { _ = try require(.price, price, parameter: "items[0][price]") }
    update(.subscription, subscription, event: "customer.subscription.updated") {
      edit(.subscriptionItem, item) {
        if let price { $0["_price"] = .string(price) }
        if let quantity { $0["quantity"] = .integer(quantity) }
      }
    }
    guard invoicesNow, find(.subscription, subscription)?.text("status") == "active" else { return }
    prorate(item, formerPrice: formerPrice, formerQuantity: formerQuantity)
  }

  private func prorate(_ item: String, formerPrice: String, formerQuantity: Int64) {
    guard let current = find(.subscriptionItem, item), let subscription = current.text("subscription"),
      let start = current.number("_period_start"), let end = current.number("_period_end"), end > start
    else { return }
    let price = current.text("_price") ?? formerPrice
    let quantity = current.number("quantity") ?? 1
    let rest = max(0, end - now)
    let credit = amount(formerPrice, formerQuantity) * rest / (end - start)
    let debit = amount(price, quantity) * rest / (end - start)
    var lines: [InvoiceLineDraft] = []
    for (price, quantity, amount) in [(formerPrice, formerQuantity, -credit), (price, quantity, debit)] {
      lines.append(
        InvoiceLineDraft(
          price: price, quantity: quantity, amount: amount, item: item, subscription: subscription, isProration: true,
          periodStart: now, periodEnd: end, description: amount < 0 ? "Unused time" : "Remaining time"))
    }
    let invoice = createInvoice(
      customer: find(.subscription, subscription)?.text("customer"), subscription: subscription,
      reason: "subscription_update", lines: lines)
    edit(.subscription, subscription) { $0["latest_invoice"] = .string(invoice) }
    finalizeInvoice(invoice)
    payInvoice(invoice)
  }

  /// Adds an item: `customer.subscription.updated`.
  func addItem(_ line: LineDraft, to subscription: String) -> String {
    var id = ""
    update(.subscription, subscription, event: "customer.subscription.updated") {
      id = insertItem(line, of: subscription, periodEnd: nil)
    }
    return id
  }

  /// Takes an item away: `customer.subscription.updated`.
  func removeItem(_ item: String) {
    guard let subscription = find(.subscriptionItem, item)?.text("subscription") else { return }
    update(.subscription, subscription, event: "customer.subscription.updated") { remove(.subscriptionItem, item) }
  }

  /// Pauses collection: the status stays, only `customer.subscription.updated` comes.
  func pauseCollection(_ id: String, behavior: String, resumesAt: Int64?) {
    update(.subscription, id, event: "customer.subscription.updated") {
      edit(.subscription, id) {
        $0["pause_collection"] = object(["behavior": .string(behavior), "resumes_at": int(resumesAt)])
      }
    }
    if let resumesAt { plan(.pauseResumes, id, at: resumesAt) }
  }

  func resumeCollection(_ id: String) {
    update(.subscription, id, event: "customer.subscription.updated") {
      edit(.subscription, id) { $0["pause_collection"] = .some(.null) }
    }
  }

  /// Wakes a subscription that paused at the end of its trial: `customer.subscription.resumed`.
  func resumePaused(_ id: String) {
    guard find(.subscription, id)?.text("status") == "paused" else { return }
    edit(.subscription, id) { $0.merge(["status": "active", "_needs_method": false]) }
    for item in items(id) {
      guard let itemID = item.text("id"), let price = item.text("_price") else { continue }
      edit(.subscriptionItem, itemID) {
        $0.merge(["_period_start": .integer(now), "_period_end": .integer(endOfPeriod(price, from: now))])
      }
    }
    let invoice = createInvoice(
      customer: find(.subscription, id)?.text("customer"), subscription: id, reason: "subscription_cycle",
      lines: items(id).map { recurringLine($0, subscription: id) })
    edit(.subscription, id) { $0["latest_invoice"] = .string(invoice) }
    finalizeInvoice(invoice)
    payInvoice(invoice)
    emit("customer.subscription.resumed", .subscription, id)
    planPeriodEnd(id)
  }

  /// Ends a trial now.
  func endTrial(_ id: String) {
    guard find(.subscription, id)?.text("status") == "trialing" else { return }
    edit(.subscription, id) { $0["trial_end"] = .integer(now) }
    for item in items(id).compactMap({ $0.text("id") }) {
      edit(.subscriptionItem, item) { $0["_period_end"] = .integer(now) }
    }
    periodEnds(id)
  }
}
