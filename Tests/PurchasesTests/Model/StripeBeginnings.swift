extension StripeModel {
  /// Begins a purchase.
  /// - Returns: the id of its root.
  mutating func begin(_ beginning: Beginning) -> String {
    switch beginning {
    case .checkout(let guest, let makesInvoice, let delayed, let wishes):
      return beginCheckout(guest: guest, makesInvoice: makesInvoice, delayed: delayed, wishes)
    case .invoice(let wishes):
      let invoice = newID("in")
      invoices[invoice] = ModelInvoice(
        id: invoice, status: "open", reason: "manual", lines: oneTimeLines(wishes, "il"), created: now,
        dueDate: now + 14 * day)
      emit(invoice: invoice, "finalized")
      return invoice
    case .subscription(let trial, let byCheckout, let opensIncomplete, let wishes):
      return beginSubscription(trial: trial, byCheckout: byCheckout, opensIncomplete: opensIncomplete, wishes)
    }
  }

  private mutating func oneTimeLines(_ wishes: [Wish], _ prefix: String) -> [ModelLine] {
    wishes.map {
      ModelLine(
        id: newID(prefix), price: $0.price, quantity: $0.quantity, amount: Int64($0.quantity) * 1_000, item: nil,
        start: now, end: now)
    }
  }

  private mutating func beginCheckout(guest: Bool, makesInvoice: Bool, delayed: Bool, _ wishes: [Wish]) -> String {
    let id = newID("cs")
    let lines = oneTimeLines(wishes, "li")
    let payment = makePayment(amount: lines.reduce(0) { $0 + $1.amount }, isPaid: !delayed)
    var session = ModelSession(
      id: id, mode: "payment", status: "complete", paymentStatus: delayed ? "unpaid" : "paid",
      customer: guest ? nil : "cus_1", payment: payment, link: guest ? "plink_1" : nil, lines: lines, created: now)
    if makesInvoice {
      let invoice = newID("in")
      invoices[invoice] = ModelInvoice(
        id: invoice, status: delayed ? "open" : "paid", reason: "manual", lines: oneTimeLines(wishes, "il"),
        payment: payment, created: now)
      payments[payment]?.invoice = invoice
      session.invoice = invoice
    }
    sessions[id] = session
    if !delayed { announce(payment: payment) }
    if let invoice = session.invoice {
      emit(invoice: invoice, delayed ? "finalized" : "paid")
      if !delayed { announce(invoicePayment: payment) }
    }
    emit(session: id, "completed")
    return id
  }

  private mutating func beginSubscription(
    trial: Bool, byCheckout: Bool, opensIncomplete: Bool, _ wishes: [Wish]
  ) -> String {
    let id = newID("sub")
    let items = wishes.map { ModelItem(id: newID("si"), price: $0.price, quantity: $0.quantity) }
    let end = now + (trial ? 14 * day : month)
    subscriptions[id] = ModelSubscription(
      id: id, status: trial ? "trialing" : opensIncomplete ? "incomplete" : "active", items: items, periodStart: now,
      periodEnd: end, trialEnd: trial ? end : nil, latestInvoice: "", created: now)
    let invoice = bill(id, reason: "subscription_create", free: trial)
    if byCheckout {
      let session = newID("cs")
      sessions[session] = ModelSession(
        id: session, mode: "subscription", customer: "cus_1", subscription: id, lines: [], created: now)
    }
    if trial {
      emit(subscription: id, "created")
      invoices[invoice]?.status = "paid"
      emit(invoice: invoice, "paid")
      completeSession(of: id)
    } else if opensIncomplete {
      emit(subscription: id, "created")
      emit(invoice: invoice, "finalized")
    } else {
      settle(invoice)
      emit(subscription: id, "created")
      completeSession(of: id)
    }
    return id
  }

  mutating func completeSession(of subscription: String) {
    guard let session = sessions.values.first(where: { $0.subscription == subscription && $0.status == "open" }) else {
      return
    }
    sessions[session.id]?.status = "complete"
    sessions[session.id]?.paymentStatus = subscriptions[subscription]?.trialEnd == nil ? "paid" : "no_payment_required"
    sessions[session.id]?.invoice = subscriptions[subscription]?.latestInvoice
    emit(session: session.id, "completed")
  }

  // MARK: Building blocks

  mutating func makePayment(amount: Int64, isPaid: Bool, invoice: String? = nil) -> String {
    let id = newID("pi")
    payments[id] = ModelPayment(
      id: id, charge: newID("ch"), amount: amount, isPaid: isPaid, invoice: invoice, created: now)
    return id
  }

  mutating func announce(payment id: String) {
    guard let payment = payments[id] else { return }
    emit("payment_intent.succeeded", told(id, json(intent: payment, shape)))
    emit(charge: id, "succeeded")
  }

  mutating func announce(invoicePayment id: String) {
    guard tellsInvoicePayments, let payment = payments[id], payment.invoice != nil else { return }
    emit("invoice_payment.paid", json(invoicePaymentOf: payment))
  }

  /// Makes the invoice of a subscription's current period.
  mutating func bill(_ id: String, reason: String, free: Bool = false) -> String {
    let invoice = newID("in")
    guard let subscription = subscriptions[id] else { return invoice }
    let lines = subscription.items.map { item in
      ModelLine(
        id: newID("il"), price: item.price, quantity: item.quantity, amount: free ? 0 : Int64(item.quantity) * 1_000,
        item: item.id, start: subscription.periodStart, end: subscription.periodEnd)
    }
    invoices[invoice] = ModelInvoice(
      id: invoice, status: "open", reason: reason, subscription: id, lines: lines, created: now)
    subscriptions[id]?.latestInvoice = invoice
    return invoice
  }

  /// Pays an invoice and tells so.
  mutating func settle(_ id: String) {
    guard let invoice = invoices[id] else { return }
    let payment = invoice.total > 0 ? makePayment(amount: invoice.total, isPaid: true, invoice: id) : nil
    invoices[id]?.payment = payment
    invoices[id]?.status = "paid"
    invoices[id]?.attempts += 1
    if let payment { announce(payment: payment) }
    emit(invoice: id, "paid")
    if let payment { announce(invoicePayment: payment) }
  }
}
