import JSON

extension Tenant {
  /// A subscription with items, no invoice and no event yet.
  func insertSubscription(
    customer: String, lines: [LineDraft], status: String, trialDays: Int64?, discountPercent: Int64, metadata: Fields,
    isFlexible: Bool = true, collection: String = "charge_automatically"
  ) -> String {
    let id = newID(.subscription)
    let currency = lines.first.flatMap { find(.price, $0.price)?.text("currency") } ?? merchant.currency
    let trialEnd = trialDays.map { now + $0 * CalendarTime.day }
    insert(
      .subscription, id,
      fields([
        "id": .string(id), "object": "subscription", "application": .null, "application_fee_percent": .null,
        "automatic_tax": object(["enabled": false, "liability": .null]),
        "billing_cycle_anchor": .integer(trialEnd ?? now),
        "billing_thresholds": .null, "cancel_at": .null, "cancel_at_period_end": false, "canceled_at": .null,
        "cancellation_details": object(["comment": .null, "feedback": .null, "reason": .null]),
        "collection_method": .string(collection), "created": .integer(now), "currency": .string(currency),
        "customer": .string(customer), "days_until_due": collection == "send_invoice" ? 30 : .null,
        "default_payment_method": .null,
        "default_source": .null,
        "default_tax_rates": [], "description": .null, "ended_at": .null, "latest_invoice": .null,
        "livemode": flag(livemode), "metadata": .object(metadata), "next_pending_invoice_item_invoice": .null,
        "on_behalf_of": .null, "pause_collection": .null, "pending_setup_intent": .null, "pending_update": .null,
        "schedule": .null, "start_date": .integer(now), "status": .string(status),
        "test_clock": str(find(.customer, customer)?.text("test_clock")),
        "transfer_data": .null, "trial_end": int(trialEnd),
        "trial_settings": object(["end_behavior": object(["missing_payment_method": "create_invoice"])]),
        "trial_start": trialDays == nil ? .null : .integer(now), "_discount": .integer(discountPercent),
        "_fails": false,
        "_needs_method": false, "_flexible": flag(isFlexible), "_pause_cause": .null, "_paused_at": .null,
        "_pending": [], "_phase": .null, "_delayed": false,
      ]))
    for line in lines { insertItem(line, of: id, periodEnd: trialEnd) }
    return id
  }

  @discardableResult
  func insertItem(_ line: LineDraft, of subscription: String, periodEnd: Int64? = nil) -> String {
    let id = newID(.subscriptionItem)
    insert(
      .subscriptionItem, id,
      fields([
        "id": .string(id), "object": "subscription_item", "billing_thresholds": .null, "created": .integer(now),
        "discounts": [], "metadata": object([:]), "quantity": .integer(line.quantity),
        "subscription": .string(subscription),
        "tax_rates": [], "_price": .string(line.price), "_period_start": .integer(now),
        "_period_end": .integer(periodEnd ?? endOfPeriod(line.price, from: now)),
      ]))
    return id
  }

  /// When a period of this price that starts at `start` ends.
  func endOfPeriod(_ price: String, from start: Int64) -> Int64 {
    let recurring = find(.price, price)?.object("recurring")
    return CalendarTime.adding(
      recurring?.number("interval_count") ?? 1, recurring?.text("interval") ?? "month", to: start)
  }

  func items(_ subscription: String) -> [Fields] { all(.subscriptionItem, where: "subscription", is: subscription) }

  /// The end of the period that ends first.
  func periodEnd(_ subscription: String) -> Int64 {
    items(subscription).compactMap { $0.number("_period_end") }.min() ?? now
  }

  func renderSubscription(_ fields: Fields, _ shape: Shape) -> Fields {
    let id = fields.text("id") ?? ""
    let items = items(id)
    var result = fields.visible
    let rendered = items.map { JSONValue.object(renderSubscriptionItem($0, shape)) }
    result["items"] = embeddedList(rendered, url: "/v1/subscription_items?subscription=\(id)")
    let percent = fields.number("_discount") ?? 0
    switch shape {
    case .old:
      result["current_period_start"] = int(items.first?.number("_period_start"))
      result["current_period_end"] = int(items.first?.number("_period_end"))
      result["discount"] = percent == 0 ? .null : discount(percent, subscription: id, customer: fields.text("customer"))
      result["quantity"] = items.count == 1 ? int(items.first?.number("quantity")) : .null
    case .new, .endive:
      let isFlexible = fields.bool("_flexible")
      result["billing_mode"] = object([
        "flexible": isFlexible ? object(["proration_discounts": "included"]) : .null,
        "type": .string(isFlexible ? "flexible" : "classic"),
      ])
    }
    if shape == .endive { result["status_details"] = pauseDetails(fields) }
    result["discounts"] = percent == 0 ? [] : [.string("di_" + id.suffix(20))]
    return result
  }

  /// When and why a subscription is `paused`; null while it is not.
  private func pauseDetails(_ fields: Fields) -> JSONValue {
    guard fields.text("status") == "paused", let cause = fields.text("_pause_cause") else { return .null }
    return object([
      "paused": object([
        "subscription": object(["type": .string(cause)]), "transitioned_at": fields["_paused_at"] ?? .null,
        "type": "subscription",
      ])
    ])
  }

  private func discount(_ percent: Int64, subscription: String, customer: String?) -> JSONValue {
    object([
      "id": .string("di_" + subscription.suffix(20)), "object": "discount",
      "coupon": object([
        "id": .string("off\(percent)"), "object": "coupon", "percent_off": .integer(percent), "valid": true,
      ]),
      "customer": str(customer), "subscription": .string(subscription),
    ])
  }

  func renderSubscriptionItem(_ fields: Fields, _ shape: Shape) -> Fields {
    var result = fields.visible
    let price = priceValue(fields.text("_price"), shape)
    result["price"] = price
    if price.asObject?.object("recurring")?.text("usage_type") == "metered" { result["quantity"] = nil }
    if !shape.isOld {
      result["current_period_start"] = int(fields.number("_period_start"))
      result["current_period_end"] = int(fields.number("_period_end"))
    }
    if shape == .endive {
      result["current_trial"] =
        fields.object("_trial").map { trial in
          object([
            "end_date": trial["end"] ?? .null, "start_date": trial["start"] ?? .null,
            "trial_offer": trial["offer"] ?? .null,
          ])
        } ?? .some(.null)
    }
    return result
  }
}
