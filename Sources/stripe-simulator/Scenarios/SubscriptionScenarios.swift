import JSON

/// What happens to a running subscription.
enum SubscriptionScenarios {
  static func run(_ name: String, _ body: Fields, _ tenant: Tenant) throws(StripeFailure) -> Fields {
    guard let id = body.text("subscription") else { throw .requiredParameter("subscription") }
    let subscription = try tenant.require(.subscription, id, parameter: "subscription")
    switch name {
    case "renew":
      tenant.edit(.subscription, id) { $0["_fails"] = false }
      turnPeriod(id, body, tenant)
    case "fail":
      tenant.edit(.subscription, id) { $0["_fails"] = true }
      try fail(id, body, tenant)
    case "recover":
      tenant.edit(.subscription, id) { $0["_fails"] = false }
      for invoice in tenant.all(.invoice, where: "_subscription", is: id) where invoice.text("status") == "open" {
        if let invoiceID = invoice.text("id") { tenant.attemptInvoice(invoiceID) }
      }
    case "cancel":
      if body.text("when") == "period_end" {
        tenant.setCancelAtPeriodEnd(id, true)
      } else {
        tenant.cancelNow(id, reason: body.text("reason") ?? "cancellation_requested")
      }
    case "undo_cancel": tenant.setCancelAtPeriodEnd(id, false)
    case "change": try change(id, body, tenant)
    case "pause":
      tenant.pauseCollection(id, behavior: body.text("behavior") ?? "void", resumesAt: body.number("resumes_at"))
    case "resume":
      if subscription.text("status") == "paused" { tenant.resumePaused(id) } else { tenant.resumeCollection(id) }
    case "end_trial": tenant.endTrial(id)
    default: break
    }
    return Scenarios.subscriptionIDs(id, tenant)
  }

  /// Moves to the end of the period and through the hour in which the invoice is a draft. With `"alone": true` only this
  /// subscription moves and the merchant's clock stays: the new period lies in the future.
  private static func turnPeriod(_ id: String, _ body: Fields, _ tenant: Tenant) {
    let end = tenant.periodEnd(id)
    if body.bool("alone") {
      tenant.periodEnds(id, asOf: max(end, tenant.now))
      if let invoice = tenant.find(.subscription, id)?.text("latest_invoice"),
        tenant.find(.invoice, invoice)?.text("status") == "draft",
        tenant.find(.invoice, invoice)?.bool("auto_advance") == true
      {
        tenant.finalizeInvoice(invoice)
        tenant.attemptInvoice(invoice)
      }
    } else {
      tenant.advance(to: max(end, tenant.now))
      tenant.advance(to: tenant.now + CalendarTime.hour)
    }
  }

  /// `attempts` (default 1) declined payments of the next renewal, or of the invoice that is open already; `"exhaust": true`
  /// goes on to the end of dunning.
  private static func fail(_ id: String, _ body: Fields, _ tenant: Tenant) throws(StripeFailure) {
    func openInvoice() -> Fields? {
      tenant.all(.invoice, where: "_subscription", is: id).last { $0.text("status") == "open" }
    }
    var attempts = body.number("attempts") ?? 1
    if body.bool("exhaust") { attempts = Int64(tenant.merchant.dunning.retryDays.count) + 1 }
    if openInvoice() == nil {
      turnPeriod(id, body, tenant)
      attempts -= 1
    }
    while attempts > 0, let invoice = openInvoice(), let next = invoice.number("next_payment_attempt") {
      if body.bool("alone"), let invoiceID = invoice.text("id") {
        tenant.failInvoice(invoiceID, subscription: id)
      } else {
        tenant.advance(to: next)
      }
      attempts -= 1
    }
  }

  /// Another price or quantity for one item (the first unless `item` says), one more item, or one less.
  private static func change(_ id: String, _ body: Fields, _ tenant: Tenant) throws(StripeFailure) {
    if let line = body.object("add"), let price = line.text("price") {
      _ = try tenant.require(.price, price, parameter: "add[price]")
      _ = tenant.addItem(LineDraft(price: price, quantity: line.number("quantity") ?? 1), to: id)
      return
    }
    if let item = body.text("remove") {
      _ = try tenant.require(.subscriptionItem, item, parameter: "remove")
      tenant.removeItem(item)
      return
    }
    guard let item = body.text("item") ?? tenant.items(id).first?.text("id") else { throw .requiredParameter("item") }
    try tenant.changeItem(
      item, price: body.text("price"), quantity: body.number("quantity"),
      invoicesNow: body["invoice_now"]?.asBool ?? true)
  }
}

/// Refunds and disputes.
enum MoneyBackScenarios {
  static func run(_ name: String, _ body: Fields, _ tenant: Tenant) throws(StripeFailure) -> Fields {
    switch name {
    case "refund": return try refund(body, tenant)
    case "dispute":
      let dispute = try tenant.openDispute(
        charge: try charge(body, tenant), reason: body.text("reason") ?? "fraudulent",
        status: body.text("status") ?? "needs_response", amount: body.number("amount"))
      return fields(["dispute": .string(dispute), "charge": str(tenant.find(.dispute, dispute)?.text("charge"))])
    case "settle_refund", "fail_refund":
      guard let id = body.text("refund") else { throw .requiredParameter("refund") }
      _ = try tenant.require(.refund, id, parameter: "refund")
      if name == "settle_refund" {
        tenant.settleRefund(id)
      } else {
        tenant.failRefund(
          id, reason: body.text("reason") ?? "lost_or_stolen_card", status: body.text("status") ?? "failed")
      }
      return fields(["refund": .string(id), "charge": str(tenant.find(.refund, id)?.text("charge"))])
    default:
      guard let id = body.text("dispute") else { throw .requiredParameter("dispute") }
      _ = try tenant.require(.dispute, id, parameter: "dispute")
      let status = body.text("status") ?? (name == "close_dispute" ? "lost" : "under_review")
      if name == "close_dispute" {
        tenant.closeDispute(id, status: status)
      } else {
        tenant.updateDispute(id, status: status)
      }
      return fields(["dispute": .string(id), "status": .string(status)])
    }
  }

  /// The charge a request means: itself, or that of an intent, a session, an invoice, or a subscription's newest invoice.
  private static func charge(_ body: Fields, _ tenant: Tenant) throws(StripeFailure) -> String {
    if let id = body.text("charge") { return id }
    var intent = body.text("payment_intent")
    if let session = body.text("session") {
      let ids = try Scenarios.sessionIDs(session, tenant)
      intent = intent ?? ids.text("payment_intent")
    }
    if let invoice = body.text("invoice") { intent = intent ?? tenant.find(.invoice, invoice)?.text("_payment_intent") }
    if let subscription = body.text("subscription") {
      intent = intent ?? Scenarios.subscriptionIDs(subscription, tenant).text("payment_intent")
    }
    guard let intent, let charge = tenant.find(.paymentIntent, intent)?.text("latest_charge") else {
      throw .requiredParameter("charge")
    }
    return charge
  }

  /// `amount` (default: all that is left), `"pending": true`, `"credit_note": true` when an invoice was paid.
  private static func refund(_ body: Fields, _ tenant: Tenant) throws(StripeFailure) -> Fields {
    let charge = try charge(body, tenant)
    let refund = try tenant.refund(
      charge: charge, amount: body.number("amount"), reason: body.text("reason") ?? "requested_by_customer",
      status: body.bool("pending") ? "pending" : "succeeded")
    var ids = fields([
      "refund": .string(refund), "charge": .string(charge),
      "payment_intent": str(tenant.find(.charge, charge)?.text("payment_intent")),
    ])
    if body.bool("credit_note"), let invoice = tenant.find(.charge, charge)?.text("_invoice") {
      ids["credit_note"] = .string(
        try tenant.createCreditNote(
          invoice: invoice, amount: tenant.find(.refund, refund)?.number("amount") ?? 0, refund: refund))
    }
    return ids
  }
}
