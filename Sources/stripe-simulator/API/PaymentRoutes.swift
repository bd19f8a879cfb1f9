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
        "automatic_payment_methods", "payment_method_types", "return_url", "capture_method",
      ]
    ) { tenant, input throws(StripeFailure) in
      try refuseMethodTypes(input)
      let parameters = input.parameters
      guard let amount = parameters.number("amount") else { throw .requiredParameter("amount") }
      guard let currency = parameters.text("currency") else { throw .requiredParameter("currency") }
      let id = tenant.createPaymentIntent(
        amount: amount, currency: currency, customer: parameters.text("customer"),
        receiptEmail: parameters.text("receipt_email"), metadata: try Metadata.new(parameters["metadata"]),
        capture: parameters.text("capture_method") ?? "automatic")
      if parameters.bool("confirm") {
        let payer = Payer(email: parameters.text("receipt_email"), name: nil)
        if parameters.text("capture_method") == "manual" {
          _ = tenant.hold(id, payer: payer)
        } else {
          tenant.settle(tenant.succeed(id, payer: payer))
        }
      }
      return tenant.value(.paymentIntent, id, input.shape)
    },
    Route("POST", "payment_intents/{}/capture", "payment_intent_write", ["amount_to_capture"]) {
      tenant, input throws(StripeFailure) in
      try tenant.capture(input.id, amount: input.parameters.number("amount_to_capture"))
      return tenant.value(.paymentIntent, input.id, input.shape)
    },
    Route("POST", "payment_intents/{}/cancel", "payment_intent_write", ["cancellation_reason"]) {
      tenant, input throws(StripeFailure) in
      try tenant.cancelIntent(input.id)
      return tenant.value(.paymentIntent, input.id, input.shape)
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

  static let reversals: [Route] = [
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
    Route(
      "POST", "credit_notes", "credit_note_write",
      ["invoice", "amount", "refund_amount", "credit_amount", "out_of_band_amount", "memo", "metadata", "reason"]
    ) { tenant, input throws(StripeFailure) in
      let parameters = input.parameters
      guard let invoice = parameters.text("invoice") else { throw .requiredParameter("invoice") }
      let fields = try tenant.require(.invoice, invoice, parameter: "invoice")
      let parts = ["refund_amount", "credit_amount", "out_of_band_amount"].map { parameters.number($0) ?? 0 }
      let sum = parts.reduce(0, +)
      guard let amount = parameters.number("amount") ?? (sum > 0 ? sum : nil) else {
        throw .requiredParameter("amount")
      }
      if fields.text("status") == "paid", sum != amount {
        throw .invalid(
          "The sum of refund amount, credit amount and out of band amount must equal the credit note amount.",
          parameter: "amount")
      }
      var draft = CreditDraft(amount: amount, credited: parts[1], outOfBand: parts[2])
      if parts[0] > 0, let charge = fields.text("_charge") {
        draft.refund = try tenant.refund(charge: charge, amount: parts[0], reason: nil)
      }
      let id = try tenant.createCreditNote(invoice: invoice, draft)
      return tenant.value(.creditNote, id, input.shape)
    },
    Route("POST", "credit_notes/{}/void", "credit_note_write", []) { tenant, input throws(StripeFailure) in
      try tenant.voidCreditNote(input.id)
      return tenant.value(.creditNote, input.id, input.shape)
    },
    update("credit_notes", .creditNote),
  ]
}
