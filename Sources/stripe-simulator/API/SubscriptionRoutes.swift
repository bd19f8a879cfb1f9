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
        "payment_behavior",
      ]
    ) { tenant, input throws(StripeFailure) in
      guard let customer = input.parameters.text("customer") else { throw .requiredParameter("customer") }
      let buyer = try tenant.require(.customer, customer, parameter: "customer")
      let id = tenant.startSubscription(
        SubscriptionDraft(
          customer: customer, lines: try lineDrafts(input.parameters, "items", tenant),
          trialDays: input.parameters.number("trial_period_days"),
          metadata: try Metadata.new(input.parameters["metadata"]),
          payer: Payer(email: buyer.text("email"), name: buyer.text("name"))))
      return tenant.value(.subscription, id, input.shape)
    },
    Route(
      "POST", "subscriptions/{}", "subscription_write",
      [
        "metadata", "cancel_at_period_end", "cancel_at", "items", "pause_collection", "proration_behavior", "trial_end",
        "default_payment_method", "description",
      ]
    ) { tenant, input throws(StripeFailure) in try updateSubscription(tenant, input) },
    Route("DELETE", "subscriptions/{}", "subscription_write", ["invoice_now", "prorate", "cancellation_details"]) {
      tenant, input throws(StripeFailure) in
      let subscription = try tenant.require(.subscription, input.id)
      if subscription.text("status") == "canceled" { throw .missing(.subscription, input.id) }
      tenant.cancelNow(input.id, reason: "cancellation_requested")
      return tenant.value(.subscription, input.id, input.shape)
    },
    Route("POST", "subscriptions/{}/resume", "subscription_write", ["billing_cycle_anchor", "proration_behavior"]) {
      tenant, input throws(StripeFailure) in
      _ = try tenant.require(.subscription, input.id)
      tenant.resumePaused(input.id)
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
        LineDraft(price: price, quantity: input.parameters.number("quantity") ?? 1), to: subscription)
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
          invoicesNow: input.parameters.text("proration_behavior") == "always_invoice")
      }
      return tenant.value(.subscriptionItem, input.id, input.shape)
    },
    Route("DELETE", "subscription_items/{}", "subscription_write", ["proration_behavior"]) {
      tenant, input throws(StripeFailure) in
      _ = try tenant.require(.subscriptionItem, input.id)
      tenant.removeItem(input.id)
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
    for value in parameters.array("items") {
      guard let change = value.asObject else { continue }
      if let item = change.text("id") {
        if change.bool("deleted") {
          tenant.removeItem(item)
        } else {
          try tenant.changeItem(
            item, price: change.text("price"), quantity: change.number("quantity"),
            invoicesNow: parameters.text("proration_behavior") == "always_invoice")
        }
      } else if let price = change.text("price") {
        _ = try tenant.require(.price, price, parameter: "items[price]")
        _ = tenant.addItem(LineDraft(price: price, quantity: change.number("quantity") ?? 1), to: id)
      }
    }
    if parameters.text("trial_end") == "now" { tenant.endTrial(id) }
    return tenant.value(.subscription, id, input.shape)
  }
}
