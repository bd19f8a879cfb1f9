import JSON

extension Routes {
  static let subscriptions: [Route] = [
    Route(
      "GET", "subscriptions", "subscription_read",
      Listing.parameters.union(["customer", "status", "price", "created", "collection_method"])
    ) { tenant, input throws(StripeFailure) in
      var input = input
      let status = input.parameters.text("status")
      input.parameters["status"] = nil
      let price = input.parameters.text("price")
      return try Listing.page(
        tenant, .subscription, input,
        filters: [("customer", "customer"), ("collection_method", "collection_method")]
      ) { fields in
        let own = fields.text("status") ?? ""
        switch status {
        case nil: if own == "canceled" || own == "incomplete_expired" { return false }
        case "all": break
        case "ended": if own != "canceled" && own != "incomplete_expired" { return false }
        case .some(let wanted): if own != wanted { return false }
        }
        guard let price else { return true }
        return tenant.items(fields.text("id") ?? "").contains { $0.text("_price") == price }
      }
    },
    retrieve("subscriptions", .subscription),
    Route(
      "POST", "subscriptions", "subscription_write",
      [
        "customer", "items", "metadata", "trial_period_days", "default_payment_method", "collection_method",
        "payment_behavior", "billing_mode",
      ]
    ) { tenant, input throws(StripeFailure) in
      guard let customer = input.parameters.text("customer") else { throw .requiredParameter("customer") }
      let buyer = try tenant.require(.customer, customer, parameter: "customer")
      let id = tenant.startSubscription(
        SubscriptionDraft(
          customer: customer, lines: try lineDrafts(input.parameters, "items", tenant),
          trialDays: input.parameters.number("trial_period_days"),
          metadata: try Metadata.new(input.parameters["metadata"]),
          payer: Payer(email: buyer.text("email"), name: buyer.text("name")),
          isFlexible: input.parameters.object("billing_mode")?.text("type").map { $0 == "flexible" }
            ?? input.version.isFlexible,
          collectionMethod: input.parameters.text("collection_method") ?? "charge_automatically"))
      return tenant.value(.subscription, id, input.shape)
    },
    Route(
      "POST", "subscriptions/{}", "subscription_write",
      [
        "metadata", "cancel_at_period_end", "cancel_at", "items", "pause_collection", "proration_behavior", "trial_end",
        "default_payment_method", "description", "billing_cycle_anchor",
      ]
    ) { tenant, input throws(StripeFailure) in try updateSubscription(tenant, input) },
    Route("DELETE", "subscriptions/{}", "subscription_write", ["invoice_now", "prorate", "cancellation_details"]) {
      tenant, input throws(StripeFailure) in
      let subscription = try tenant.require(.subscription, input.id)
      if subscription.text("status") == "canceled" { throw .missing(.subscription, input.id) }
      let credit: Prorating =
        input.parameters.bool("prorate") ? (input.parameters.bool("invoice_now") ? .invoice : .pending) : .none
      tenant.cancelNow(input.id, reason: "cancellation_requested", credit: credit)
      return tenant.value(.subscription, input.id, input.shape)
    },
    Route(
      "POST", "subscriptions/{}/resume", "subscription_write",
      ["billing_cycle_anchor", "proration_behavior", "proration_date", "payment_behavior"]
    ) { tenant, input throws(StripeFailure) in
      let subscription = try tenant.require(.subscription, input.id)
      guard subscription.text("status") == "paused" else {
        throw .invalid("Only a paused subscription can be resumed.", parameter: nil)
      }
      tenant.resumePaused(
        input.id,
        Resumption(
          restartsPeriod: try anchor(input) != "unchanged",
          prorating: try Prorating(input.parameters.text("proration_behavior")),
          waitsForPayment: input.parameters.text("payment_behavior") == "resume_on_payment_success"))
      return tenant.value(.subscription, input.id, input.shape)
    },
    Route("POST", "subscriptions/{}/pause", "subscription_write", ["type", "bill_for", "invoicing_behavior"]) {
      tenant, input throws(StripeFailure) in
      let subscription = try tenant.require(.subscription, input.id)
      guard subscription.bool("_flexible") else {
        throw .invalid("Only subscriptions with billing_mode flexible can be paused.", parameter: nil)
      }
      guard ["active", "trialing", "past_due", "unpaid"].contains(subscription.text("status") ?? "") else {
        throw .invalid(
          "This subscription cannot be paused: it is \(subscription.text("status") ?? "").", parameter: nil)
      }
      let unused = input.parameters.object("bill_for")?.object("unused_time_from")?.text("type") ?? "now"
      let isInvoiced = input.parameters.text("invoicing_behavior") == "invoice"
      tenant.pause(input.id, .requested, credit: unused == "none" ? .none : isInvoiced ? .invoice : .pending)
      return tenant.value(.subscription, input.id, input.shape)
    },
    Route("GET", "subscription_items", "subscription_read", Listing.parameters.union(["subscription"])) {
      tenant, input throws(StripeFailure) in
      guard let subscription = input.parameters.text("subscription") else { throw .requiredParameter("subscription") }
      _ = try tenant.require(.subscription, subscription, parameter: "subscription")
      return try Listing.page(
        tenant, .subscriptionItem, input, filters: [("subscription", "subscription")], isNewestFirst: false)
    },
    retrieve("subscription_items", .subscriptionItem),
    Route(
      "POST", "subscription_items", "subscription_write", ["subscription", "price", "quantity", "proration_behavior"]
    ) {
      tenant, input throws(StripeFailure) in
      guard let subscription = input.parameters.text("subscription") else { throw .requiredParameter("subscription") }
      _ = try tenant.require(.subscription, subscription, parameter: "subscription")
      guard let price = input.parameters.text("price") else { throw .requiredParameter("price") }
      _ = try tenant.require(.price, price, parameter: "price")
      let id = tenant.addItem(
        LineDraft(price: price, quantity: input.parameters.number("quantity") ?? 1), to: subscription,
        try Prorating(input.parameters.text("proration_behavior")))
      return tenant.value(.subscriptionItem, id, input.shape)
    },
    Route(
      "POST", "subscription_items/{}", "subscription_write", ["price", "quantity", "metadata", "proration_behavior"]
    ) { tenant, input throws(StripeFailure) in
      let item = try tenant.require(.subscriptionItem, input.id)
      if let metadata = try Metadata.merged(item.object("metadata"), input.parameters["metadata"]) {
        tenant.update(.subscription, item.text("subscription") ?? "", event: "customer.subscription.updated") {
          tenant.edit(.subscriptionItem, input.id) { $0["metadata"] = .object(metadata) }
        }
      }
      if input.parameters.text("price") != nil || input.parameters.number("quantity") != nil {
        try tenant.changeItem(
          input.id, price: input.parameters.text("price"), quantity: input.parameters.number("quantity"),
          try Prorating(input.parameters.text("proration_behavior")))
      }
      return tenant.value(.subscriptionItem, input.id, input.shape)
    },
    Route("DELETE", "subscription_items/{}", "subscription_write", ["proration_behavior"]) {
      tenant, input throws(StripeFailure) in
      _ = try tenant.require(.subscriptionItem, input.id)
      tenant.removeItem(input.id, try Prorating(input.parameters.text("proration_behavior")))
      return object(["id": .string(input.id), "object": "subscription_item", "deleted": true])
    },
  ]

  private static func updateSubscription(_ tenant: Tenant, _ input: RouteInput) throws(StripeFailure) -> JSONValue {
    let id = input.id
    let parameters = input.parameters
    let subscription = try tenant.require(.subscription, id)
    let metadata = try Metadata.merged(subscription.object("metadata"), parameters["metadata"])
    if subscription.text("status") == "canceled",
      parameters.keys.contains(where: { $0 != "metadata" && $0 != "expand" })
    {
      throw .invalid("A canceled subscription can only update its cancellation_details and metadata.", parameter: nil)
    }
    tenant.update(.subscription, id, event: "customer.subscription.updated") {
      tenant.edit(.subscription, id) {
        if let metadata { $0["metadata"] = .object(metadata) }
        if let text = parameters.text("description") { $0["description"] = .string(text) }
      }
    }
    if let cancels = parameters["cancel_at_period_end"]?.asBool { tenant.setCancelAtPeriodEnd(id, cancels) }
    if let pause = parameters["pause_collection"] {
      if let behavior = pause.asObject?.text("behavior") {
        tenant.pauseCollection(id, behavior: behavior, resumesAt: pause.asObject?.number("resumes_at"))
      } else {
        tenant.resumeCollection(id)
      }
    }
    if try anchor(input) == "now" { tenant.resetAnchor(id, try Prorating(parameters.text("proration_behavior"))) }
    try updateItems(parameters.array("items").compactMap(\.asObject), id, parameters, tenant)
    if parameters.text("trial_end") == "now" { tenant.endTrial(id) }
    return tenant.value(.subscription, id, input.shape)
  }

  /// Changes of items. One that goes and one that comes, in one request, are one change: a replacement.
  private static func updateItems(
    _ changes: [Fields], _ subscription: String, _ parameters: Fields, _ tenant: Tenant
  ) throws(StripeFailure) {
    let prorating = try Prorating(parameters.text("proration_behavior"))
    var gone = changes.filter { $0.bool("deleted") }.compactMap { $0.text("id") }
    for change in changes where !change.bool("deleted") {
      let quantity = change.number("quantity")
      if let item = change.text("id") {
        try tenant.changeItem(item, price: change.text("price"), quantity: quantity, prorating)
      } else if let price = change.text("price") {
        _ = try tenant.require(.price, price, parameter: "items[price]")
        let line = LineDraft(price: price, quantity: quantity ?? 1)
        if gone.isEmpty {
          _ = tenant.addItem(line, to: subscription, prorating)
        } else {
          _ = try tenant.replaceItem(gone.removeFirst(), by: line, prorating)
        }
      }
    }
    for item in gone { tenant.removeItem(item, prorating) }
  }
}
