import JSON

extension Routes {
  static let customers: [Route] = [
    Route("GET", "customers", "customer_read", Listing.parameters.union(["email", "created"])) {
      tenant, input throws(StripeFailure) in
      try Listing.page(tenant, .customer, input, filters: [("email", "email")])
    },
    retrieve("customers", .customer),
    Route("POST", "customers", "customer_write", ["email", "name", "phone", "description", "metadata", "test_clock"]) {
      tenant, input throws(StripeFailure) in
      let parameters = input.parameters
      if let clock = parameters.text("test_clock") {
        _ = try tenant.require(.testClock, clock, parameter: "test_clock")
      }
      let id = tenant.createCustomer(
        email: parameters.text("email"), name: parameters.text("name"), phone: parameters.text("phone"),
        description: parameters.text("description"), metadata: try Metadata.new(parameters["metadata"]),
        testClock: parameters.text("test_clock"))
      return tenant.value(.customer, id, input.shape)
    },
    update("customers", .customer, copying: ["email", "name", "phone", "description", "balance"]),
    Route("DELETE", "customers/{}", "customer_write", []) { tenant, input throws(StripeFailure) in
      let customer = try tenant.require(.customer, input.id)
      if customer.bool("deleted") { throw .missing(.customer, input.id) }
      tenant.deleteCustomer(input.id)
      return tenant.value(.customer, input.id, input.shape)
    },
    Route("GET", "entitlements/active_entitlements", "entitlement_read", Listing.parameters.union(["customer"])) {
      tenant, input throws(StripeFailure) in
      guard input.parameters.text("customer") != nil else { throw .requiredParameter("customer") }
      return try Listing.page(tenant, .entitlement, input, filters: [("customer", "customer")])
    },
    Route("GET", "account", "connected_account_read", []) { tenant, input throws(StripeFailure) in tenant.accountValue
    },
    Route("GET", "accounts/{}", nil, []) { tenant, input throws(StripeFailure) in
      guard input.caller.isMerchant, input.id == tenant.account else {
        throw StripeFailure(
          status: 403, code: "account_invalid",
          message: "The provided key does not have access to account '\(input.id)'.", isStored: false)
      }
      return tenant.accountValue
    },
  ]
}

extension Tenant {
  /// The merchant's account as it sees itself.
  var accountValue: JSONValue {
    object([
      "id": .string(account), "object": "account", "business_profile": object(["name": .string(merchant.name)]),
      "charges_enabled": true, "country": .string(merchant.country), "default_currency": .string(merchant.currency),
      "details_submitted": true, "email": .string(merchant.email), "payouts_enabled": true,
      "settings": object(["dashboard": object(["display_name": .string(merchant.name), "timezone": "Etc/UTC"])]),
      "type": "standard",
    ])
  }
}
