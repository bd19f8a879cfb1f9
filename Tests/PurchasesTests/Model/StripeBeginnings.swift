extension StripeModel {
  /// Begins a purchase.
  /// - Returns: the id of its root.
  mutating func begin(_ beginning: Beginning) -> String {
    switch beginning {
    case .checkout(let start, let wishes): return beginCheckout(start, wishes)
    case .invoice(let wishes):
      let invoice = addInvoice(
        "manual", status: "open", lines: oneTimeLines(wishes, "il"), collectionMethod: "send_invoice")
      invoices[invoice]?.dueDate = now + 14 * day
      emit(invoice: invoice, "finalized")
      return invoice
    case .subscription(let start, let wishes): return beginSubscription(start, wishes)
    }
  }

  private mutating func oneTimeLines(_ wishes: [Wish], _ prefix: String) -> [ModelLine] {
    wishes.map { wish in
      ModelLine(
        id: newID(prefix), price: wish.price, quantity: wish.quantity,
        amount: Int64(wish.quantity) * Catalog.amount(wish.price), item: nil, start: now, end: now)
    }
  }

  private mutating func beginCheckout(_ start: CheckoutStart, _ wishes: [Wish]) -> String {
    let id = newID("cs")
    let lines = oneTimeLines(wishes, "li")
    let isPaid = start.money == .card
    let payment = makePayment(amount: lines.reduce(0) { $0 + $1.amount }, isPaid: isPaid)
    payments[payment]?.stage = start.money == .held ? .held : .processing
    var session = ModelSession(
      id: id, mode: "payment", status: "complete", paymentStatus: isPaid ? "paid" : "unpaid",
      customer: start.guest ? nil : "cus_1", payment: payment, link: start.guest ? "plink_1" : nil, lines: lines,
      created: now)
    if start.makesInvoice {
      let invoice = addInvoice(
        "manual", status: isPaid ? "paid" : "open", lines: oneTimeLines(wishes, "il"),
        collectionMethod: "charge_automatically")
      invoices[invoice]?.payment = payment
      payments[payment]?.invoice = invoice
      session.invoice = invoice
    }
    sessions[id] = session
    switch start.money {
    case .card: announce(payment: payment)
    case .delayed: break
    case .held:
      emit(charge: payment, "succeeded")
      emit(intent: payment, "amount_capturable_updated")
    }
    if let invoice = session.invoice {
      emit(invoice: invoice, isPaid ? "paid" : "finalized")
      if isPaid { announce(invoicePayment: payment) }
    }
    emit(session: id, "completed")
    return id
  }

  private mutating func beginSubscription(_ start: SubscriptionStart, _ wishes: [Wish]) -> String {
    let id = newID("sub")
    let items = items(wishes)
    let end = now + (start.trial ? 14 * day : items.first.map { Catalog.interval($0.price) } ?? month)
    let status = start.trial ? "trialing" : start.first == .incomplete ? "incomplete" : "active"
    subscriptions[id] = ModelSubscription(
      id: id, status: status, items: items, periodStart: now, periodEnd: end, trialEnd: start.trial ? end : nil,
      collectionMethod: start.first == .sent ? "send_invoice" : "charge_automatically", latestInvoice: "",
      created: now)
    if let extra = start.extra {
      let price = extra == .setupFee ? Catalog.fee : Catalog.addOn
      let lines = oneTimeLines([Wish(price: price, quantity: 1)], "il")
      subscriptions[id]?.pending = lines
    }
    let invoice = bill(id, reason: "subscription_create", free: start.trial)
    var beside: String?
    if !start.beside.isEmpty { beside = begin(start.beside, billedOn: invoice, status) }
    if start.byCheckout {
      let session = newID("cs")
      var lines = (invoices[invoice]?.lines ?? [])
      for index in lines.indices { lines[index].id = newID("li") }
      sessions[session] = ModelSession(
        id: session, mode: "subscription", customer: "cus_1", subscription: id, lines: lines, created: now)
    }
    let isFree = (invoices[invoice]?.total ?? 0) == 0
    if start.trial && isFree {
      emit(subscription: id, "created")
      invoices[invoice]?.status = "paid"
      emit(invoice: invoice, "paid")
      completeSession(of: id)
    } else {
      beginBilling(start, id, invoice)
    }
    if let beside { emit(subscription: beside, "created") }
    return id
  }

  private mutating func items(_ wishes: [Wish]) -> [ModelItem] {
    var items: [ModelItem] = []
    // Stripe refuses two items of one price.
    for wish in wishes where !items.contains(where: { $0.price == wish.price }) {
      items.append(ModelItem(id: newID("si"), price: wish.price, quantity: wish.quantity, created: now))
    }
    return items
  }

  /// A second subscription begins, and the first invoice of another bills it as well.
  private mutating func begin(_ wishes: [Wish], billedOn invoice: String, _ status: String) -> String {
    let id = newID("sub")
    let items = items(wishes)
    subscriptions[id] = ModelSubscription(
      id: id, status: status, items: items, periodStart: now,
      periodEnd: now + (items.first.map { Catalog.interval($0.price) } ?? month), latestInvoice: invoice, created: now)
    bill(id, with: invoice)
    return id
  }

  /// Puts the current period of a subscription on an invoice that is another's.
  mutating func bill(_ id: String, with invoice: String) {
    guard let subscription = subscriptions[id] else { return }
    subscriptions[id]?.latestInvoice = invoice
    let lines = subscription.items.map { item in
      ModelLine(
        id: newID("il"), price: item.price, quantity: item.quantity,
        amount: Int64(item.quantity) * Catalog.amount(item.price), item: item.id, subscription: id,
        start: subscription.periodStart, end: subscription.periodEnd)
    }
    invoices[invoice]?.lines += lines
  }

  private mutating func beginBilling(_ start: SubscriptionStart, _ id: String, _ invoice: String) {
    // The fee of a trial is asked for at once.
    let first: SubscriptionStart.First = start.trial ? .paid : start.first
    switch first {
    case .incomplete:
      emit(subscription: id, "created")
      emit(invoice: invoice, "finalized")
    case .paid:
      settle(invoice)
      emit(subscription: id, "created")
      completeSession(of: id)
    case .underWay:
      emit(subscription: id, "created")
      debit(invoice)
      completeSession(of: id)
    case .sent:
      emit(subscription: id, "created")
      emit(invoice: invoice, "finalized")
      completeSession(of: id)
    }
  }

  mutating func completeSession(of subscription: String) {
    guard let session = sessions.values.first(where: { $0.subscription == subscription && $0.status == "open" }),
      let invoice = subscriptions[subscription]?.latestInvoice
    else { return }
    let isPaid = invoices[invoice]?.status == "paid"
    let isFree = invoices[invoice]?.total == 0
    sessions[session.id]?.status = "complete"
    sessions[session.id]?.paymentStatus = isFree ? "no_payment_required" : isPaid ? "paid" : "unpaid"
    sessions[session.id]?.invoice = invoice
    emit(session: session.id, "completed")
  }

  // MARK: Building blocks

  mutating func addInvoice(
    _ reason: String, status: String, lines: [ModelLine], of subscription: String? = nil, collectionMethod: String
  ) -> String {
    let id = newID("in")
    invoices[id] = ModelInvoice(
      id: id, status: status, reason: reason, subscription: subscription, lines: lines, created: now,
      collectionMethod: collectionMethod, number: invoices.count + 1)
    if let subscription { subscriptions[subscription]?.latestInvoice = id }
    return id
  }

  mutating func makePayment(amount: Int64, isPaid: Bool, invoice: String? = nil) -> String {
    let id = newID("pi")
    payments[id] = ModelPayment(
      id: id, charge: newID("ch"), amount: amount, isPaid: isPaid, paidAt: isPaid ? now : nil, invoice: invoice,
      created: now)
    return id
  }

  mutating func announce(payment id: String) {
    emit(intent: id, "succeeded")
    emit(charge: id, "succeeded")
  }

  mutating func announce(invoicePayment id: String) {
    guard tellsInvoicePayments, let payment = payments[id], payment.invoice != nil else { return }
    emit("invoice_payment.paid", json(invoicePaymentOf: payment))
  }

  /// Makes the invoice of a subscription's current period, with what waits for it.
  mutating func bill(_ id: String, reason: String, free: Bool = false) -> String {
    guard let subscription = subscriptions[id] else { return "" }
    var lines = subscription.pending
    for item in subscription.items {
      if let offer = item.trialOffer, offer.end > subscription.periodStart {
        // Asked for from the end of its free time.
        lines.append(rest(item, from: min(offer.end, subscription.periodEnd), of: subscription))
        continue
      }
      lines.append(
        ModelLine(
          id: newID("il"), price: item.price, quantity: item.quantity,
          amount: free ? 0 : Int64(item.quantity) * Catalog.amount(item.price), item: item.id,
          start: subscription.periodStart, end: subscription.periodEnd, isTrial: free))
    }
    subscriptions[id]?.pending = []
    let invoice = addInvoice(
      reason, status: "open", lines: lines, of: id, collectionMethod: subscription.collectionMethod)
    if subscription.collectionMethod == "send_invoice", !free { invoices[invoice]?.dueDate = now + 30 * day }
    return invoice
  }

  /// What the customer has to their credit pays first.
  private mutating func takeFromBalance(_ id: String) {
    guard let invoice = invoices[id], invoice.fromBalance == 0 else { return }
    if invoice.total < 0 {
      balance -= invoice.total
    } else {
      let part = min(balance, invoice.total)
      invoices[id]?.fromBalance = part
      balance -= part
    }
  }

  /// Pays an invoice and tells so.
  mutating func settle(_ id: String) {
    takeFromBalance(id)
    guard let invoice = invoices[id] else { return }
    let payment: String?
    if let started = invoice.payment, payments[started]?.isPaid == false {
      payments[started]?.isPaid = true
      payments[started]?.paidAt = now
      payment = started
    } else {
      payment = invoice.amountDue > 0 ? makePayment(amount: invoice.amountDue, isPaid: true, invoice: id) : nil
    }
    invoices[id]?.payment = payment
    invoices[id]?.status = "paid"
    invoices[id]?.nextAttempt = nil
    if payment != nil { invoices[id]?.attempts += 1 }
    if let payment { announce(payment: payment) }
    emit(invoice: id, "paid")
    if let payment { announce(invoicePayment: payment) }
  }

  /// A debit of an invoice is on its way to the bank. An invoice with nothing to pay is paid.
  mutating func debit(_ id: String) {
    takeFromBalance(id)
    guard let invoice = invoices[id], invoice.amountDue > 0 else { return settle(id) }
    let payment = makePayment(amount: invoice.amountDue, isPaid: false, invoice: id)
    payments[payment]?.stage = .processing
    invoices[id]?.payment = payment
    invoices[id]?.attempts = 1
    emit(invoice: id, "finalized")
    emit(intent: payment, "processing")
    emit(invoice: id, "updated")
  }

  /// The card refuses to pay an invoice. An invoice with nothing to pay is paid.
  /// - Returns: whether it failed.
  mutating func refuse(_ id: String) -> Bool {
    takeFromBalance(id)
    guard let invoice = invoices[id], invoice.amountDue > 0 else {
      settle(id)
      return false
    }
    invoices[id]?.attempts += 1
    invoices[id]?.nextAttempt = now + 3 * day
    if let payment = invoice.payment, payments[payment]?.isPaid == false { payments[payment]?.stage = .failed }
    emit(invoice: id, "payment_failed")
    return true
  }
}
