import JSON

/// What a price is made from.
struct PriceDraft {
  var product: String
  var unitAmount: Int64
  var currency: String
  /// Nil is a one-time price.
  var interval: String?
  var intervalCount: Int64 = 1
  var usageType = "licensed"
  var nickname: String?
  var lookupKey: String?
  var metadata = Fields([])
}

extension Tenant {
  /// A product; sends `product.created`.
  @discardableResult
  func createProduct(name: String, description: String? = nil, metadata: Fields = Fields([])) -> String {
    let id = newID(.product)
    insert(
      .product, id,
      fields([
        "id": .string(id), "object": "product", "active": true, "created": .integer(now), "default_price": .null,
        "description": str(description), "features": [], "images": [], "livemode": flag(livemode),
        "marketing_features": [], "metadata": .object(metadata), "name": .string(name), "package_dimensions": .null,
        "shippable": .null, "statement_descriptor": .null, "tax_code": .null, "type": "service", "unit_label": .null,
        "updated": .integer(now), "url": .null,
      ]))
    emit("product.created", .product, id)
    return id
  }

  /// A price; sends `price.created`.
  @discardableResult
  func createPrice(_ draft: PriceDraft) -> String {
    let id = newID(.price)
    let recurring: JSONValue =
      draft.interval.map {
        object([
          "interval": .string($0), "interval_count": .integer(draft.intervalCount), "meter": .null,
          "trial_period_days": .null, "usage_type": .string(draft.usageType),
        ])
      } ?? .null
    insert(
      .price, id,
      fields([
        "id": .string(id), "object": "price", "active": true, "billing_scheme": "per_unit", "created": .integer(now),
        "currency": .string(draft.currency), "custom_unit_amount": .null, "livemode": flag(livemode),
        "lookup_key": str(draft.lookupKey), "metadata": .object(draft.metadata), "nickname": str(draft.nickname),
        "product": .string(draft.product), "recurring": recurring, "tax_behavior": "unspecified", "tiers_mode": .null,
        "transform_quantity": .null, "type": .string(draft.interval == nil ? "one_time" : "recurring"),
        "unit_amount": .integer(draft.unitAmount), "unit_amount_decimal": .string(String(draft.unitAmount)),
      ]))
    if find(.product, draft.product)?["default_price"]?.isAbsent ?? false {
      edit(.product, draft.product) { $0["default_price"] = .string(id) }
    }
    emit("price.created", .price, id)
    return id
  }

  /// The full price object as it is embedded in lines and items.
  func priceValue(_ id: String?, _ shape: Shape) -> JSONValue {
    guard let id, let price = render(.price, id, shape) else { return .null }
    return .object(price)
  }

  /// What `quantity` units of the price cost.
  func amount(_ price: String, _ quantity: Int64) -> Int64 {
    (find(.price, price)?.number("unit_amount") ?? 0) * quantity
  }

  /// A payment link over lines of prices; sends `payment_link.created`.
  @discardableResult
  func createPaymentLink(_ lines: [LineDraft], metadata: Fields, invoiceCreation: Bool, trialDays: Int64?) -> String {
    let id = newID(.paymentLink)
    let isRecurring = lines.contains { find(.price, $0.price)?.text("type") == "recurring" }
    insert(
      .paymentLink, id,
      fields([
        "id": .string(id), "object": "payment_link", "active": true,
        "after_completion": object([
          "hosted_confirmation": object(["custom_message": .null]), "type": "hosted_confirmation",
        ]),
        "allow_promotion_codes": false, "automatic_tax": object(["enabled": false, "liability": .null]),
        "billing_address_collection": "auto",
        "currency": str(lines.first.flatMap { find(.price, $0.price)?.text("currency") }),
        "custom_fields": [], "customer_creation": .string(isRecurring ? "always" : "if_required"),
        "invoice_creation": object(["enabled": flag(invoiceCreation), "invoice_data": .null]),
        "livemode": flag(livemode),
        "metadata": .object(metadata), "payment_method_collection": "always", "payment_method_types": .null,
        "submit_type": "auto",
        "subscription_data": trialDays.map { object(["metadata": object([:]), "trial_period_days": .integer($0)]) }
          ?? .null,
        "url": .string("\(world.post.baseURL)/buy/\(id)"), "_lines": .array(lines.map(\.value)),
        "_mode": .string(isRecurring ? "subscription" : "payment"), "_trial_days": int(trialDays),
      ]))
    emit("payment_link.created", .paymentLink, id)
    return id
  }
}

/// A price and how many of it.
struct LineDraft: Sendable {
  var price: String
  var quantity: Int64 = 1

  var value: JSONValue { object(["price": .string(price), "quantity": .integer(quantity)]) }

  init(price: String, quantity: Int64 = 1) {
    self.price = price
    self.quantity = quantity
  }

  init?(_ value: JSONValue) {
    guard let fields = value.asObject, let price = fields.text("price") else { return nil }
    self.init(price: price, quantity: fields.number("quantity") ?? 1)
  }
}
