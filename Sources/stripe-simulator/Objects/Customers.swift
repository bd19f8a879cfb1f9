import JSON

extension Tenant {
  /// A customer; sends `customer.created`.
  @discardableResult
  func createCustomer(
    email: String?, name: String?, phone: String? = nil, description: String? = nil, metadata: Fields = Fields([]),
    testClock: String? = nil
  ) -> String {
    let id = newID(.customer)
    insert(
      .customer, id,
      fields([
        "id": .string(id), "object": "customer", "address": .null, "balance": 0, "created": .integer(now),
        "currency": .null,
        "default_source": .null, "delinquent": false, "description": str(description), "discount": .null,
        "email": str(email), "invoice_prefix": .string(String(id.suffix(8)).uppercased()),
        "invoice_settings": object([
          "custom_fields": .null, "default_payment_method": .null, "footer": .null, "rendering_options": .null,
        ]),
        "livemode": flag(livemode), "metadata": .object(metadata), "name": str(name), "next_invoice_sequence": 1,
        "phone": str(phone), "preferred_locales": [], "shipping": .null, "tax_exempt": "none",
        "test_clock": str(testClock),
      ]))
    emit("customer.created", .customer, id)
    return id
  }

  /// Deletes a customer: the subscriptions are canceled with their own events, then `customer.deleted` shows the object as
  /// it was; a later read gives only the id and `deleted` (Stripe docs, API: delete a customer).
  func deleteCustomer(_ id: String) {
    for subscription in all(.subscription, where: "customer", is: id) {
      guard let subscriptionID = subscription.text("id"), subscription.text("status") != "canceled" else { continue }
      cancelNow(subscriptionID, reason: "cancellation_requested")
    }
    let last = Rendering(self, .customer, id)
    edit(.customer, id) { fields in
      fields = JSONObject([("id", .string(id)), ("object", "customer"), ("deleted", true)])
    }
    emit("customer.deleted", last, previous: nil)
  }
}
