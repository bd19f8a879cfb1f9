import JSON

extension Routes {
  static let catalogue: [Route] = [
    Route("GET", "products", "product_read", Listing.parameters.union(["active", "ids", "created"])) {
      tenant, input throws(StripeFailure) in
      let ids = input.parameters["ids"] == nil ? nil : Set(input.parameters.texts("ids"))
      return try Listing.page(tenant, .product, input, filters: [("active", "active")]) { fields in
        ids?.contains(fields.text("id") ?? "") ?? true
      }
    },
    retrieve("products", .product),
    Route("POST", "products", "product_write", ["name", "description", "active", "metadata", "default_price_data"]) {
      tenant, input throws(StripeFailure) in
      guard let name = input.parameters.text("name") else { throw .requiredParameter("name") }
      let id = tenant.createProduct(
        name: name, description: input.parameters.text("description"),
        metadata: try Metadata.new(input.parameters["metadata"]))
      if var data = input.parameters.object("default_price_data") {
        data["product"] = .string(id)
        tenant.createPrice(try priceDraft(data, tenant))
      }
      return tenant.value(.product, id, input.shape)
    },
    update("products", .product, copying: ["name", "description", "active", "default_price"]),
    Route("DELETE", "products/{}", "product_write", []) { tenant, input throws(StripeFailure) in
      _ = try tenant.require(.product, input.id)
      let last = Rendering(tenant, .product, input.id)
      tenant.edit(.product, input.id) {
        $0 = Fields([("id", .string(input.id)), ("object", "product"), ("deleted", true)])
      }
      tenant.emit("product.deleted", last, previous: nil)
      return tenant.value(.product, input.id, input.shape)
    },
    Route(
      "GET", "prices", "plan_read",
      Listing.parameters.union(["active", "product", "type", "currency", "lookup_keys", "created"])
    ) { tenant, input throws(StripeFailure) in
      let keys = input.parameters["lookup_keys"] == nil ? nil : Set(input.parameters.texts("lookup_keys"))
      return try Listing.page(
        tenant, .price, input,
        filters: [("product", "product"), ("active", "active"), ("type", "type"), ("currency", "currency")]
      ) { fields in keys?.contains(fields.text("lookup_key") ?? "") ?? true }
    },
    retrieve("prices", .price),
    Route(
      "POST", "prices", "plan_write",
      [
        "product", "unit_amount", "currency", "recurring", "nickname", "lookup_key", "metadata", "product_data",
        "active",
      ]
    ) { tenant, input throws(StripeFailure) in
      var parameters = input.parameters
      if let data = parameters.object("product_data"), let name = data.text("name") {
        parameters["product"] = .string(tenant.createProduct(name: name))
      }
      let id = tenant.createPrice(try priceDraft(parameters, tenant))
      return tenant.value(.price, id, input.shape)
    },
    update("prices", .price, copying: ["active", "nickname", "lookup_key"]),
    Route("GET", "payment_links", "payment_links_read", Listing.parameters.union(["active"])) {
      tenant, input throws(StripeFailure) in
      try Listing.page(tenant, .paymentLink, input, filters: [("active", "active")])
    },
    retrieve("payment_links", .paymentLink),
    Route(
      "POST", "payment_links", "payment_links_write",
      ["line_items", "metadata", "invoice_creation", "subscription_data", "after_completion"]
    ) { tenant, input throws(StripeFailure) in
      let lines = try lineDrafts(input.parameters, "line_items", tenant)
      let id = tenant.createPaymentLink(
        lines, metadata: try Metadata.new(input.parameters["metadata"]),
        invoiceCreation: input.parameters.object("invoice_creation")?.bool("enabled") ?? false,
        trialDays: input.parameters.object("subscription_data")?.number("trial_period_days"))
      return tenant.value(.paymentLink, id, input.shape)
    },
    update("payment_links", .paymentLink, copying: ["active"]),
  ]

  static func priceDraft(_ parameters: Fields, _ tenant: Tenant) throws(StripeFailure) -> PriceDraft {
    guard let product = parameters.text("product") else { throw .requiredParameter("product") }
    _ = try tenant.require(.product, product, parameter: "product")
    guard let amount = parameters.number("unit_amount") else { throw .requiredParameter("unit_amount") }
    let recurring = parameters.object("recurring")
    return PriceDraft(
      product: product, unitAmount: amount, currency: parameters.text("currency") ?? tenant.merchant.currency,
      interval: recurring?.text("interval") ?? parameters.text("interval"),
      intervalCount: recurring?.number("interval_count") ?? parameters.number("interval_count") ?? 1,
      usageType: recurring?.text("usage_type") ?? "licensed", nickname: parameters.text("nickname"),
      lookupKey: parameters.text("lookup_key"), metadata: try Metadata.new(parameters["metadata"]))
  }

  /// Lines with a price that exists; `price_data` makes the price on the spot.
  static func lineDrafts(_ parameters: Fields, _ name: String, _ tenant: Tenant) throws(StripeFailure) -> [LineDraft] {
    var drafts: [LineDraft] = []
    for (position, value) in parameters.array(name).enumerated() {
      let line = value.asObject ?? Fields([])
      let quantity = line.number("quantity") ?? 1
      if let price = line.text("price") {
        _ = try tenant.require(.price, price, parameter: "\(name)[\(position)][price]")
        drafts.append(LineDraft(price: price, quantity: quantity))
      } else if var data = line.object("price_data") {
        if let product = data.object("product_data")?.text("name") {
          data["product"] = .string(tenant.createProduct(name: product))
        }
        drafts.append(LineDraft(price: tenant.createPrice(try priceDraft(data, tenant)), quantity: quantity))
      } else {
        throw .requiredParameter("\(name)[\(position)][price]")
      }
    }
    guard !drafts.isEmpty else { throw .requiredParameter(name) }
    return drafts
  }
}
