import JSON

extension Routes {
  static let payments: [Route] = [
    Route("GET", "payment_intents", "payment_intent_read", Listing.parameters.union(["customer", "created"])) {
      tenant, input throws(StripeFailure) in
      try Listing.page(tenant, .paymentIntent, input, filters: [("customer", "customer")])
    },
    retrieve("payment_intents", .paymentIntent),
    Route(
      "POST", "payment_intents", "payment_intent_write",
      [
        "amount", "currency", "customer", "metadata", "confirm", "receipt_email", "payment_method", "description",
        "automatic_payment_methods", "payment_method_types", "return_url",
      ]
    ) { tenant, input throws(StripeFailure) in
      let parameters = input.parameters
      guard let amount = parameters.number("amount") else { throw .requiredParameter("amount") }
      guard let currency = parameters.text("currency") else { throw .requiredParameter("currency") }
      let id = tenant.createPaymentIntent(
        amount: amount, currency: currency, customer: parameters.text("customer"),
        receiptEmail: parameters.text("receipt_email"), metadata: try Metadata.new(parameters["metadata"]))
      if parameters.bool("confirm") {
        tenant.settle(tenant.succeed(id, payer: Payer(email: parameters.text("receipt_email"), name: nil)))
      }
      return tenant.value(.paymentIntent, id, input.shape)
    },
    update("payment_intents", .paymentIntent, copying: ["description", "receipt_email"]),
    Route("GET", "charges", "charge_read", Listing.parameters.union(["payment_intent", "customer", "created"])) {
      tenant, input throws(StripeFailure) in
      try Listing.page(
        tenant, .charge, input, filters: [("payment_intent", "payment_intent"), ("customer", "customer")])
    },
    retrieve("charges", .charge),
    update("charges", .charge, copying: ["description", "receipt_email"]),
  ]

  static let moneyBack: [Route] = [
    Route("GET", "refunds", "charge_read", Listing.parameters.union(["charge", "payment_intent", "created"])) {
      tenant, input throws(StripeFailure) in
      try Listing.page(tenant, .refund, input, filters: [("charge", "charge"), ("payment_intent", "payment_intent")])
    },
    retrieve("refunds", .refund),
    Route("POST", "refunds", "charge_write", ["charge", "payment_intent", "amount", "reason", "metadata"]) {
      tenant, input throws(StripeFailure) in
      let parameters = input.parameters
      var charge = parameters.text("charge")
      if charge == nil, let intent = parameters.text("payment_intent") {
        charge = try tenant.require(.paymentIntent, intent, parameter: "payment_intent").text("latest_charge")
      }
      guard let charge else { throw .requiredParameter("charge") }
      let id = try tenant.refund(
        charge: charge, amount: parameters.number("amount"), reason: parameters.text("reason"),
        metadata: try Metadata.new(parameters["metadata"]))
      return tenant.value(.refund, id, input.shape)
    },
    update("refunds", .refund),
    Route("GET", "disputes", "dispute_read", Listing.parameters.union(["charge", "payment_intent", "created"])) {
      tenant, input throws(StripeFailure) in
      try Listing.page(tenant, .dispute, input, filters: [("charge", "charge"), ("payment_intent", "payment_intent")])
    },
    retrieve("disputes", .dispute),
    Route("POST", "disputes/{}/close", "dispute_write", []) { tenant, input throws(StripeFailure) in
      _ = try tenant.require(.dispute, input.id)
      tenant.closeDispute(input.id, status: "lost")
      return tenant.value(.dispute, input.id, input.shape)
    },
    Route("GET", "credit_notes", "credit_note_read", Listing.parameters.union(["invoice", "customer", "created"])) {
      tenant, input throws(StripeFailure) in
      try Listing.page(tenant, .creditNote, input, filters: [("invoice", "invoice"), ("customer", "customer")])
    },
    retrieve("credit_notes", .creditNote),
    update("credit_notes", .creditNote),
  ]
}
