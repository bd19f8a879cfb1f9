import JSON

extension Routes {
  static let checkout: [Route] = [
    Route(
      "GET", "checkout/sessions", "checkout_session_read",
      Listing.parameters.union([
        "payment_intent", "subscription", "payment_link", "customer", "customer_details", "status", "created",
      ])
    ) { tenant, input throws(StripeFailure) in
      let email = input.parameters.object("customer_details")?.text("email")
      return try Listing.page(
        tenant, .session, input,
        filters: [
          ("payment_intent", "payment_intent"), ("subscription", "subscription"), ("payment_link", "payment_link"),
          ("customer", "customer"), ("status", "status"),
        ]
      ) { fields in email == nil || fields.object("customer_details")?.text("email") == email }
    },
    retrieve("checkout/sessions", .session),
    Route(
      "POST", "checkout/sessions", "checkout_session_write",
      [
        "mode", "line_items", "customer", "customer_email", "client_reference_id", "metadata", "subscription_data",
        "payment_intent_data", "invoice_creation", "customer_creation", "success_url", "cancel_url", "return_url",
        "ui_mode", "allow_promotion_codes", "payment_method_types", "expires_at", "locale", "automatic_tax",
        "managed_payments", "allowed_payment_method_types",
      ]
    ) { tenant, input throws(StripeFailure) in
      try refuseMethodTypes(input)
      let id = tenant.openSession(try sessionDraft(input, tenant))
      return tenant.value(.session, id, input.shape)
    },
    Route("POST", "checkout/sessions/{}", "checkout_session_write", ["metadata"]) {
      tenant, input throws(StripeFailure) in
      let session = try tenant.require(.session, input.id)
      if let metadata = try Metadata.merged(session.object("metadata"), input.parameters["metadata"]) {
        tenant.edit(.session, input.id) { $0["metadata"] = .object(metadata) }
      }
      return tenant.value(.session, input.id, input.shape)
    },
    Route("GET", "checkout/sessions/{}/line_items", "checkout_session_read", Listing.parameters) {
      tenant, input throws(StripeFailure) in
      _ = try tenant.require(.session, input.id)
      var input = input
      input.parameters["session"] = .string(input.id)
      return try Listing.page(
        tenant, .sessionLine, input, filters: [("session", "_session")], isNewestFirst: false)
    },
    Route("POST", "checkout/sessions/{}/expire", "checkout_session_write", []) { tenant, input throws(StripeFailure) in
      let session = try tenant.require(.session, input.id)
      guard session.text("status") == "open" else {
        throw .invalid("Only Checkout Sessions with a status in [\"open\"] can be expired.", parameter: nil)
      }
      tenant.expireSession(input.id)
      return tenant.value(.session, input.id, input.shape)
    },
  ]

  private static func sessionDraft(_ input: RouteInput, _ tenant: Tenant) throws(StripeFailure) -> SessionDraft {
    let parameters = input.parameters
    let mode = parameters.text("mode") ?? "payment"
    guard ["payment", "subscription"].contains(mode) else {
      throw .invalid("The simulator knows the modes payment and subscription.", parameter: "mode")
    }
    if let customer = parameters.text("customer") { _ = try tenant.require(.customer, customer, parameter: "customer") }
    var draft = SessionDraft(
      mode: mode, lines: try lineDrafts(parameters, "line_items", tenant), version: input.version)
    let hasRecurring = draft.lines.contains { tenant.find(.price, $0.price)?.text("type") == "recurring" }
    if hasRecurring != (mode == "subscription") {
      throw .invalid(
        hasRecurring
          ? "You specified `payment` mode but passed a recurring price."
          : "You must provide at least one recurring price in `subscription` mode.", parameter: "line_items")
    }
    let subscriptionData = parameters.object("subscription_data")
    draft.customer = parameters.text("customer")
    draft.customerEmail = parameters.text("customer_email")
    draft.clientReferenceID = parameters.text("client_reference_id")
    draft.metadata = try Metadata.new(parameters["metadata"])
    draft.subscriptionMetadata = try Metadata.new(subscriptionData?["metadata"])
    draft.paymentIntentMetadata = try Metadata.new(parameters.object("payment_intent_data")?["metadata"])
    draft.invoiceCreation = parameters.object("invoice_creation")?.bool("enabled") ?? false
    draft.customerCreation = parameters.text("customer_creation") == "always"
    draft.trialDays = subscriptionData?.number("trial_period_days")
    draft.captureMethod = parameters.object("payment_intent_data")?.text("capture_method") ?? "automatic"
    draft.isManaged = parameters.object("managed_payments")?.bool("enabled") ?? false
    draft.isFlexible = subscriptionData?.object("billing_mode")?.text("type").map { $0 == "flexible" }
    draft.successURL = parameters.text("success_url")
    draft.cancelURL = parameters.text("cancel_url")
    if let expiry = parameters.number("expires_at") { draft.expiresIn = max(60, expiry - tenant.now) }
    return draft
  }
}
