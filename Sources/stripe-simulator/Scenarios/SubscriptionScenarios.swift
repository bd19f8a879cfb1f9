import JSON

/// What happens to a running subscription.
enum SubscriptionScenarios {
  static func run(_ name: String, _ body: Fields, _ tenant: Tenant) throws(StripeFailure) -> Fields {
    guard let id = body.text("subscription") else { throw .requiredParameter("subscription") }
    let subscription = try tenant.require(.subscription, id, parameter: "subscription")
    switch name {
    case "renew":
      tenant.edit(.subscription, id) { $0.merge(["_fails": false, "_delayed": flag(body.bool("delayed"))]) }
      try turnPeriod(id, body, tenant)
    case "fail":
      tenant.edit(.subscription, id) { $0.merge(["_fails": true, "_delayed": false]) }
      try fail(id, body, tenant)
    case "recover":
      tenant.edit(.subscription, id) { $0.merge(["_fails": false, "_delayed": false]) }
      for invoice in tenant.all(.invoice, where: "_subscription", is: id) where invoice.text("status") == "open" {
        if let invoiceID = invoice.text("id") { tenant.attemptInvoice(invoiceID) }
      }
    case "cancel":
      if body.text("when") == "period_end" {
        tenant.setCancelAtPeriodEnd(id, true)
      } else {
        tenant.cancelNow(
          id, reason: body.text("reason") ?? "cancellation_requested",
          credit: try Prorating(body.text("prorations"), otherwise: .none))
      }
    case "undo_cancel": tenant.setCancelAtPeriodEnd(id, false)
    case "change": try change(id, body, tenant)
    case "replace":
      guard let price = body.text("price") else { throw .requiredParameter("price") }
      _ = try tenant.require(.price, price, parameter: "price")
      guard let item = body.text("item") ?? tenant.items(id).first?.text("id") else { throw .requiredParameter("item") }
      tenant.edit(.subscription, id) { $0["_fails"] = flag(body.bool("fails")) }
      _ = try tenant.replaceItem(
        item, by: LineDraft(price: price, quantity: body.number("quantity") ?? 1),
        try Prorating(body.text("prorations"), otherwise: .invoice))
    case "schedule":
      guard let price = body.text("price") else { throw .requiredParameter("price") }
      _ = try tenant.require(.price, price, parameter: "price")
      _ = tenant.schedule(LineDraft(price: price, quantity: body.number("quantity") ?? 1), of: id)
    case "pause_subscription":
      guard let cause = PauseCause(rawValue: body.text("cause") ?? PauseCause.requested.rawValue) else {
        throw .invalid("No such cause of a pause.", parameter: "cause")
      }
      tenant.pause(id, cause, credit: try Prorating(body.text("prorations"), otherwise: .none))
    case "pause":
      tenant.pauseCollection(id, behavior: body.text("behavior") ?? "void", resumesAt: body.number("resumes_at"))
    case "resume":
      guard subscription.text("status") == "paused" else {
        tenant.resumeCollection(id)
        break
      }
      tenant.edit(.subscription, id) { $0["_fails"] = flag(body.bool("fails")) }
      tenant.resumePaused(
        id,
        Resumption(
          restartsPeriod: body.text("billing_cycle_anchor") != "unchanged",
          prorating: try Prorating(body.text("prorations")), waitsForPayment: body.bool("waits_for_payment")))
    case "end_trial": tenant.endTrial(id)
    default: break
    }
    return Scenarios.subscriptionIDs(id, tenant)
  }

  /// Moves to the end of the period and through the hour in which the invoice is a draft. With `"alone": true` only this
  /// subscription moves and the merchant's clock stays: the new period lies in the future.
  private static func turnPeriod(_ id: String, _ body: Fields, _ tenant: Tenant) throws(StripeFailure) {
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
      try tenant.advance(id, to: max(end, tenant.now))
      try tenant.advance(id, to: tenant.now + CalendarTime.hour)
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
    if let invoice = openInvoice()?.text("id"), tenant.isUnderWay(invoice) {
      tenant.failInvoice(invoice, subscription: id)
      attempts -= 1
    }
    if openInvoice() == nil {
      try turnPeriod(id, body, tenant)
      attempts -= 1
    }
    while attempts > 0, let invoice = openInvoice(), let next = invoice.number("next_payment_attempt") {
      if body.bool("alone"), let invoiceID = invoice.text("id") {
        tenant.failInvoice(invoiceID, subscription: id)
      } else {
        try tenant.advance(id, to: next)
      }
      attempts -= 1
    }
  }

  /// Another price or quantity for one item (the first unless `item` says), one more item, or one less.
  private static func change(_ id: String, _ body: Fields, _ tenant: Tenant) throws(StripeFailure) {
    if body["fails"] != nil { tenant.edit(.subscription, id) { $0["_fails"] = flag(body.bool("fails")) } }
    let invoicesNow = body["invoice_now"]?.asBool
    if let line = body.object("add"), let price = line.text("price") {
      _ = try tenant.require(.price, price, parameter: "add[price]")
      _ = tenant.addItem(
        LineDraft(price: price, quantity: line.number("quantity") ?? 1), to: id, trialDays: line.number("trial_days"),
        try Prorating(body.text("prorations"), otherwise: .none))
      return
    }
    if let item = body.text("remove") {
      _ = try tenant.require(.subscriptionItem, item, parameter: "remove")
      tenant.removeItem(item, try Prorating(body.text("prorations"), otherwise: .none))
      return
    }
    guard let item = body.text("item") ?? tenant.items(id).first?.text("id") else { throw .requiredParameter("item") }
    try tenant.changeItem(
      item, price: body.text("price"), quantity: body.number("quantity"),
      try Prorating(body.text("prorations"), otherwise: invoicesNow == false ? .none : .invoice))
  }
}

/// Refunds and disputes.
enum ReversalScenarios {
  static func run(_ name: String, _ body: Fields, _ tenant: Tenant) throws(StripeFailure) -> Fields {
    switch name {
    case "refund": return try refund(body, tenant)
    case "credit_note": return try creditNote(body, tenant)
    case "void_credit_note":
      guard let id = body.text("credit_note") else { throw .requiredParameter("credit_note") }
      try tenant.voidCreditNote(id)
      return fields(["credit_note": .string(id)])
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

  /// `amount` of an invoice (default: all of it): given back outside Stripe (`"out_of_band": true`), or to the customer's
  /// balance. Of an open invoice it is not owed any more.
  private static func creditNote(_ body: Fields, _ tenant: Tenant) throws(StripeFailure) -> Fields {
    guard let invoice = body.text("invoice") else { throw .requiredParameter("invoice") }
    let fields = try tenant.require(.invoice, invoice, parameter: "invoice")
    let amount = body.number("amount") ?? fields.number("total") ?? 0
    let isPaid = fields.text("status") == "paid"
    let note = try tenant.createCreditNote(
      invoice: invoice,
      CreditDraft(
        amount: amount, credited: isPaid && !body.bool("out_of_band") ? amount : 0,
        outOfBand: isPaid && body.bool("out_of_band") ? amount : 0))
    return record(["credit_note": .string(note), "invoice": .string(invoice)])
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
          invoice: invoice,
          CreditDraft(amount: tenant.find(.refund, refund)?.number("amount") ?? 0, refund: refund)))
    }
    return ids
  }
}
