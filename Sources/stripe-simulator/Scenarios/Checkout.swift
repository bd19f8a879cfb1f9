import JSON

/// How the buyer ends a Checkout Session.
struct SessionCompletion {
  var payer = Payer(email: "buyer@example.com", name: "Buyer")
  /// A bank debit: the session completes unpaid, the money follows or not.
  var isDelayed = false
}

extension Tenant {
  /// The buyer pays. Sends every event of the purchase, `checkout.session.completed` among them.
  func completeSession(_ id: String, _ completion: SessionCompletion) throws(StripeFailure) {
    let session = try require(.session, id)
    guard session.text("status") == "open" else {
      throw .invalid("This Checkout Session is no longer open.", parameter: nil)
    }
    let payer = Payer(email: session.text("customer_email") ?? completion.payer.email, name: completion.payer.name)
    var customer = session.text("customer")
    if customer == nil, session.text("customer_creation") == "always" {
      customer = createCustomer(email: payer.email, name: payer.name)
    }
    edit(.session, id) {
      $0.merge([
        "customer": str(customer),
        "customer_details": object([
          "address": .null, "email": str(payer.email), "name": str(payer.name), "phone": .null, "tax_exempt": "none",
          "tax_ids": [],
        ]),
      ])
    }
    if session.text("mode") == "subscription", let customer {
      completeSubscriptionSession(id, customer: customer, payer: payer, isDelayed: completion.isDelayed)
    } else {
      completePaymentSession(id, customer: customer, payer: payer, isDelayed: completion.isDelayed)
    }
  }

  private func completePaymentSession(_ id: String, customer: String?, payer: Payer, isDelayed: Bool) {
    guard let session = find(.session, id) else { return }
    let total = session.number("amount_total") ?? 0
    guard total > 0 else {
      close(id, paymentStatus: "no_payment_required", intent: nil, invoice: nil)
      return
    }
    let intent = createPaymentIntent(
      amount: total, currency: session.text("currency") ?? merchant.currency, customer: customer,
      metadata: session.object("_payment_metadata") ?? Fields([]),
      capture: session.text("_capture_method") ?? "automatic")
    if session.text("_capture_method") == "manual" {
      _ = hold(intent, payer: payer)
      close(id, paymentStatus: "unpaid", intent: intent, invoice: nil)
      return
    }
    if isDelayed {
      _ = startProcessing(intent, payer: payer)
      close(id, paymentStatus: "unpaid", intent: intent, invoice: nil)
      return
    }
    let charge = succeed(intent, payer: payer)
    let invoice =
      session.object("invoice_creation")?.bool("enabled") == true ? invoiceOfSession(id, intent, charge) : nil
    close(id, paymentStatus: "paid", intent: intent, invoice: invoice)
    settle(charge)
  }

  /// The invoice that Checkout writes after a one-off payment. It names no subscription, so it looks like a manual one.
  private func invoiceOfSession(_ id: String, _ intent: String, _ charge: String) -> String {
    let session = find(.session, id) ?? Fields([])
    let drafts = sessionLines(id).map { line in
      InvoiceLineDraft(
        price: line.text("_price") ?? "", quantity: line.number("quantity") ?? 1,
        amount: line.number("amount_total") ?? 0,
        periodStart: now, periodEnd: now)
    }
    let invoice = createInvoice(
      customer: session.text("customer"), subscription: nil, reason: "manual", lines: drafts, automatic: false)
    let details = session.object("customer_details")
    edit(.invoice, invoice) {
      $0.merge(["customer_email": str(details?.text("email")), "customer_name": str(details?.text("name"))])
    }
    finalizeInvoice(invoice, paidBy: intent)
    edit(.charge, charge) { $0["_invoice"] = .string(invoice) }
    markPaid(invoice, charge: charge)
    return invoice
  }

  private func close(
    _ id: String, paymentStatus: String, intent: String?, invoice: String?, subscription: String? = nil
  ) {
    edit(.session, id) {
      $0.merge([
        "status": "complete", "payment_status": .string(paymentStatus), "payment_intent": str(intent),
        "invoice": str(invoice), "subscription": str(subscription), "url": .null,
      ])
    }
    emit("checkout.session.completed", .session, id)
  }

  private func completeSubscriptionSession(_ id: String, customer: String, payer: Payer, isDelayed: Bool) {
    guard let session = find(.session, id) else { return }
    let lines = sessionLines(id).compactMap { line in
      line.text("_price").map { LineDraft(price: $0, quantity: line.number("quantity") ?? 1) }
    }
    let version = session.text("_version").flatMap { APIVersion($0) } ?? merchant.apiVersion
    let subscription = startSubscription(
      SubscriptionDraft(
        customer: customer, lines: lines, trialDays: session.number("_trial_days"),
        discountPercent: session.number("_discount") ?? 0,
        metadata: session.object("_subscription_metadata") ?? Fields([]), payer: payer,
        // Until acacia Checkout made the subscription first and paid then (Stripe changelog, basil: Checkout).
        createsBeforePayment: version.shape.isOld, isDelayed: isDelayed,
        isFlexible: session.bool("_flexible")))
    let invoice = find(.subscription, subscription)?.text("latest_invoice")
    let status: String
    if session.number("amount_total") ?? 0 == 0 {
      status = "no_payment_required"
    } else {
      status = isDelayed ? "unpaid" : "paid"
    }
    close(id, paymentStatus: status, intent: nil, invoice: invoice, subscription: subscription)
    update(.subscription, subscription, event: "customer.subscription.updated") {
      edit(.subscription, subscription) { $0["default_payment_method"] = .string(world.newID("pm_")) }
    }
    if let charge = invoice.flatMap({ find(.invoice, $0)?.text("_charge") }) { settle(charge) }
  }

  /// A bank debit of a completed session ends: `checkout.session.async_payment_succeeded` or `…_failed`.
  func finishDelayedPayment(_ id: String, succeeds: Bool) throws(StripeFailure) {
    let session = try require(.session, id)
    guard session.text("status") == "complete", session.text("payment_status") == "unpaid" else {
      throw .invalid("This Checkout Session waits for no payment.", parameter: nil)
    }
    let details = session.object("customer_details")
    let payer = Payer(email: details?.text("email"), name: details?.text("name"))
    if let subscription = session.text("subscription"), let invoice = session.text("invoice") {
      if succeeds { payInvoice(invoice) } else { failInvoice(invoice, subscription: subscription) }
    } else if let intent = session.text("payment_intent") {
      if succeeds {
        let charge = succeed(intent, payer: payer)
        if session.object("invoice_creation")?.bool("enabled") == true {
          let invoice = invoiceOfSession(id, intent, charge)
          edit(.session, id) { $0["invoice"] = .string(invoice) }
        }
      } else {
        _ = failPayment(intent, payer: payer)
      }
    }
    if succeeds {
      edit(.session, id) { $0["payment_status"] = "paid" }
      emit("checkout.session.async_payment_succeeded", .session, id)
    } else {
      emit("checkout.session.async_payment_failed", .session, id)
    }
  }

  /// The buyer never paid.
  func expireSession(_ id: String) {
    guard find(.session, id)?.text("status") == "open" else { return }
    edit(.session, id) { $0.merge(["status": "expired", "url": .null]) }
    emit("checkout.session.expired", .session, id)
  }
}
