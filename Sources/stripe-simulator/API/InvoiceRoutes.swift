import JSON

extension Routes {
  static let invoices: [Route] = [
    Route(
      "GET", "invoices", "invoice_read",
      Listing.parameters.union(["customer", "subscription", "status", "created", "collection_method"])
    ) { tenant, input throws(StripeFailure) in
      try Listing.page(
        tenant, .invoice, input,
        filters: [
          ("subscription", "_subscription"), ("customer", "customer"), ("status", "status"),
          ("collection_method", "collection_method"),
        ])
    },
    retrieve("invoices", .invoice),
    update("invoices", .invoice, copying: ["description", "footer"]),
    Route("GET", "invoices/{}/lines", "invoice_read", Listing.parameters) { tenant, input throws(StripeFailure) in
      _ = try tenant.require(.invoice, input.id)
      var input = input
      input.parameters["invoice"] = .string(input.id)
      return try Listing.page(tenant, .invoiceLine, input, filters: [("invoice", "invoice")], isNewestFirst: false)
    },
    action("finalize", from: ["draft"]) { tenant, id in tenant.finalizeInvoice(id) },
    action("void", from: ["open", "uncollectible"]) { tenant, id in tenant.voidInvoice(id) },
    action("mark_uncollectible", from: ["open"]) { tenant, id in tenant.markUncollectible(id) },
    Route("POST", "invoices/{}/pay", "invoice_write", ["paid_out_of_band", "payment_method"]) {
      tenant, input throws(StripeFailure) in
      let invoice = try tenant.require(.invoice, input.id)
      if invoice.text("status") == "draft" { tenant.finalizeInvoice(input.id) }
      guard tenant.find(.invoice, input.id)?.text("status") == "open" else {
        throw .invalid("Invoice is already \(invoice.text("status") ?? "closed")", parameter: nil)
      }
      if input.parameters.bool("paid_out_of_band") {
        tenant.payOutOfBand(input.id)
      } else {
        tenant.attemptInvoice(input.id)
        if tenant.find(.invoice, input.id)?.text("status") != "paid" {
          throw StripeFailure(
            status: 402, type: "card_error", code: "card_declined", message: "Your card was declined.")
        }
      }
      return tenant.value(.invoice, input.id, input.shape)
    },
    Route(
      "GET", "invoice_payments", "invoice_read", Listing.parameters.union(["invoice", "payment", "status", "created"]),
      isNewOnly: true
    ) { tenant, input throws(StripeFailure) in
      var input = input
      if let payment = input.parameters.object("payment") {
        if payment.text("type") != nil, payment.text("payment_intent") == nil {
          throw .requiredParameter("payment[payment_intent]")
        }
        input.parameters["payment_intent"] = payment["payment_intent"]
      }
      return try Listing.page(
        tenant, .invoicePayment, input,
        filters: [("invoice", "invoice"), ("payment_intent", "_payment_intent"), ("status", "status")])
    },
    retrieve("invoice_payments", .invoicePayment, isNewOnly: true),
  ]

  private static func action(
    _ name: String, from states: [String], _ act: @escaping @Sendable (Tenant, String) -> Void
  ) -> Route {
    Route("POST", "invoices/{}/" + name, "invoice_write", ["auto_advance"]) { tenant, input throws(StripeFailure) in
      let invoice = try tenant.require(.invoice, input.id)
      guard states.contains(invoice.text("status") ?? "") else {
        throw .invalid(
          "This invoice is \(invoice.text("status") ?? "not open"), so this cannot be done.", parameter: nil)
      }
      act(tenant, input.id)
      return tenant.value(.invoice, input.id, input.shape)
    }
  }
}
