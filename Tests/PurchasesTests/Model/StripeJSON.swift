import JSON

func text(_ value: String?) -> JSONValue { value.map { .string($0) } ?? .null }
func number(_ value: Int64?) -> JSONValue { value.map { .integer($0) } ?? .null }

/// How Stripe writes the model's objects (`reference` shapes of the API pages of both versions).
extension StripeModel {
  func price(_ id: String, recurring: Bool) -> JSONValue {
    [
      "id": .string(id), "object": "price", "product": text(Catalog.products[id]), "active": true, "currency": "eur",
      "unit_amount": .integer(Catalog.amount(id)), "type": recurring ? "recurring" : "one_time",
      "recurring": recurring
        ? [
          "interval": Catalog.isYearly(id) ? "year" : "month", "interval_count": 1, "usage_type": "licensed",
        ] : .null,
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
      "id": .string(line.id), "object": "item", "price": price(line.price, recurring: line.item != nil),
      "quantity": .integer(Int64(line.quantity)), "amount_total": .integer(line.amount),
    ]
  }

  func json(_ s: ModelSubscription, _ shape: Shape) -> JSONValue {
    let items = s.items.map { item -> JSONValue in
      var value = JSONObject([
        ("id", .string(item.id)), ("object", "subscription_item"), ("quantity", .integer(Int64(item.quantity))),
        ("subscription", .string(s.id)), ("price", price(item.price, recurring: true)),
        ("created", .integer(item.created)),
      ])
      if shape == .new {
        value["current_period_start"] = .integer(s.periodStart)
        value["current_period_end"] = .integer(s.periodEnd)
        value["current_trial"] =
          item.trialOffer.map {
            ["start_date": .integer($0.start), "end_date": .integer($0.end), "trial_offer": "to_1"]
          } ?? .null
      }
      return .object(value)
    }
    var value = JSONObject([
      ("id", .string(s.id)), ("object", "subscription"), ("status", .string(s.status)), ("customer", "cus_1"),
      ("cancel_at_period_end", .bool(s.cancelAtPeriodEnd)), ("canceled_at", number(s.canceledAt)),
      ("cancel_at", s.cancelAtPeriodEnd ? .integer(s.periodEnd) : .null), ("ended_at", number(s.endedAt)),
      ("trial_start", s.trialEnd == nil ? .null : .integer(s.created)), ("trial_end", number(s.trialEnd)),
      ("pause_collection", s.pause.map { ["behavior": .string($0.rawValue), "resumes_at": .null] } ?? .null),
      ("collection_method", .string(s.collectionMethod)), ("latest_invoice", .string(s.latestInvoice)),
      ("schedule", text(s.schedule)), ("currency", "eur"), ("metadata", [:]), ("created", .integer(s.created)),
      ("items", ["object": "list", "has_more": false, "data": .array(items)]),
    ])
    switch shape {
    case .old:
      value["current_period_start"] = .integer(s.periodStart)
      value["current_period_end"] = .integer(s.periodEnd)
    case .new:
      value["billing_mode"] = ["type": billsFlexibly ? "flexible" : "classic"]
      if s.status == "paused" {
        value["status_details"] = ["paused": ["subscription": ["type": text(s.pausedBecause)]]]
      }
    }
    return .object(value)
  }
}
