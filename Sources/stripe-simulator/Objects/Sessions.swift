import JSON

/// What a Checkout Session is made from.
struct SessionDraft {
  var mode = "payment"
  var lines: [LineDraft]
  var customer: String?
  var customerEmail: String?
  var paymentLink: String?
  var clientReferenceID: String?
  var metadata = Fields([])
  var subscriptionMetadata = Fields([])
  var paymentIntentMetadata = Fields([])
  var invoiceCreation = false
  var customerCreation = false
  var trialDays: Int64?
  /// 0 to 100: a coupon on the whole session.
  var discountPercent: Int64 = 0
  var successURL: String?
  var cancelURL: String?
  /// The version that the shop's integration used: it decides when Checkout creates the subscription.
  var version: APIVersion
  var expiresIn: Int64 = CalendarTime.day
  /// `manual` holds the money until it is captured.
  var captureMethod = "automatic"
  /// Stripe sells it, as merchant of record.
  var isManaged = false
  var isFlexible: Bool?
  var collectionMethod = "charge_automatically"
}

extension Tenant {
  /// An open session with its lines. Stripe has no event for this.
  func openSession(_ draft: SessionDraft) -> String {
    let id = newID(.session)
    let currency = draft.lines.first.flatMap { find(.price, $0.price)?.text("currency") } ?? merchant.currency
    var subtotal: Int64 = 0
    var total: Int64 = 0
    for line in draft.lines {
      let full = amount(line.price, line.quantity)
      let isTrial = draft.trialDays != nil && find(.price, line.price)?.text("type") == "recurring"
      let due = isTrial ? 0 : full
      let discount = due * draft.discountPercent / 100
      subtotal += due
      total += due - discount
      let product = find(.price, line.price)?.text("product").flatMap { find(.product, $0)?.text("name") }
      let lineID = newID(.sessionLine)
      insert(
        .sessionLine, lineID,
        fields([
          "id": .string(lineID), "object": "item", "amount_discount": .integer(discount),
          "amount_subtotal": .integer(due),
          "amount_tax": 0, "amount_total": .integer(due - discount), "currency": .string(currency),
          "description": str(product), "quantity": .integer(line.quantity), "_price": .string(line.price),
          "_session": .string(id),
        ]))
    }
    insert(.session, id, sessionFields(id, draft, currency: currency, subtotal: subtotal, total: total))
    plan(.sessionExpires, id, at: now + draft.expiresIn)
    return id
  }

  private func sessionFields(_ id: String, _ draft: SessionDraft, currency: String, subtotal: Int64, total: Int64)
    -> Fields
  {
    fields([
      "id": .string(id), "object": "checkout.session", "adaptive_pricing": .null, "after_expiration": .null,
      "allow_promotion_codes": .null, "amount_subtotal": .integer(subtotal), "amount_total": .integer(total),
      "automatic_tax": object(["enabled": false, "liability": .null, "status": .null]),
      "billing_address_collection": .null,
      "cancel_url": str(draft.cancelURL), "client_reference_id": str(draft.clientReferenceID), "client_secret": .null,
      "consent": .null, "created": .integer(now), "currency": .string(currency), "custom_fields": [],
      "customer": str(draft.customer),
      "customer_creation": .string(draft.mode == "subscription" || draft.customerCreation ? "always" : "if_required"),
      "customer_details": .null, "customer_email": str(draft.customerEmail), "discounts": [],
      "expires_at": .integer(now + draft.expiresIn), "invoice": .null,
      "invoice_creation": draft.mode == "payment" ? object(["enabled": flag(draft.invoiceCreation)]) : .null,
      "livemode": flag(livemode), "locale": .null, "metadata": .object(draft.metadata), "mode": .string(draft.mode),
      "payment_intent": .null, "payment_link": str(draft.paymentLink), "payment_method_collection": "always",
      "payment_method_types": ["card"], "payment_status": "unpaid",
      "phone_number_collection": object(["enabled": false]),
      "recovered_from": .null, "setup_intent": .null, "shipping_cost": .null, "status": "open", "submit_type": .null,
      "subscription": .null, "success_url": str(draft.successURL),
      "total_details": object([
        "amount_discount": .integer(subtotal - total), "amount_shipping": 0, "amount_tax": 0,
      ]),
      "ui_mode": "hosted", "url": .string("\(world.post.baseURL)/c/pay/\(id)"), "_trial_days": int(draft.trialDays),
      "_discount": .integer(draft.discountPercent), "_subscription_metadata": .object(draft.subscriptionMetadata),
      "_payment_metadata": .object(draft.paymentIntentMetadata), "_version": .string(draft.version.text),
      "_shipping": .null, "_capture_method": .string(draft.captureMethod), "_managed": flag(draft.isManaged),
      "_flexible": flag(draft.isFlexible ?? draft.version.isFlexible),
    ])
  }

  func renderSession(_ fields: Fields, _ shape: Shape) -> Fields {
    var result = fields.visible
    switch shape {
    case .old: result["shipping_details"] = .some(.null)
    case .new, .endive:
      result["collected_information"] = object(["shipping_details": .null])
      result["managed_payments"] = object(["enabled": flag(fields.bool("_managed"))])
    }
    if shape == .endive { result["allowed_payment_method_types"] = .some(.null) }
    return result
  }

  func renderSessionLine(_ fields: Fields, _ shape: Shape) -> Fields {
    var result = fields.visible
    result["price"] = priceValue(fields.text("_price"), shape)
    return result
  }

  func sessionLines(_ id: String) -> [Fields] { all(.sessionLine, where: "_session", is: id) }
}
