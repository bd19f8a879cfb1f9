import JSON

extension Tenant {
  /// Draft to open: `invoice.finalized`. A PaymentIntent waits for the money, or the given one has paid already; a zero
  /// invoice is paid at once.
  func finalizeInvoice(_ id: String, paidBy intent: String? = nil) {
    guard let draft = find(.invoice, id), draft.text("status") == "draft" else { return }
    invoiceNumber += 1
    let total = draft.number("total") ?? 0
    // Negative is credit that pays first; what is left of it, or of a negative invoice, stays on the balance.
    let balance = draft.text("customer").flatMap { find(.customer, $0)?.number("balance") } ?? 0
    let due = intent == nil ? max(0, total + balance) : max(0, total)
    let left = intent == nil ? total + balance - due : balance
    edit(.invoice, id) { invoice in
      invoice.merge([
        "status": "open", "number": .string("SIM-\(self.invoiceNumber)"), "effective_at": .integer(self.now),
        "next_payment_attempt": .null, "starting_balance": .integer(balance), "ending_balance": .integer(left),
        "amount_due": .integer(due), "amount_remaining": .integer(due),
        "hosted_invoice_url": .string("\(self.world.post.baseURL)/i/\(id)"),
      ])
      invoice.transition("finalized_at", self.now)
    }
    changeBalance(of: draft.text("customer"), by: left - balance)
    if due > 0 {
      let made =
        intent
        ?? createPaymentIntent(
          amount: due, currency: draft.text("currency") ?? merchant.currency, customer: draft.text("customer"),
          invoice: id)
      if intent != nil { edit(.paymentIntent, made) { $0["_invoice"] = .string(id) } }
      edit(.invoice, id) { $0["_payment_intent"] = .string(made) }
      insertInvoicePayment(id, intent: made, amount: due, currency: draft.text("currency"))
    }
    emit("invoice.finalized", .invoice, id)
    if due == 0 { markPaid(id, charge: nil) }
  }

  private func insertInvoicePayment(_ invoice: String, intent: String, amount: Int64, currency: String?) {
    let id = newID(.invoicePayment)
    insert(
      .invoicePayment, id,
      fields([
        "id": .string(id), "object": "invoice_payment", "amount_paid": .null, "amount_requested": .integer(amount),
        "created": .integer(now), "currency": str(currency), "invoice": .string(invoice), "is_default": true,
        "livemode": flag(livemode),
        "payment": object(["payment_intent": .string(intent), "type": "payment_intent"]), "status": "open",
        "status_transitions": object(["canceled_at": .null, "paid_at": .null]), "_payment_intent": .string(intent),
      ]))
  }

  /// Tries to collect an open invoice, as the subscription's payment method allows.
  func attemptInvoice(_ id: String) {
    guard let invoice = find(.invoice, id), invoice.text("status") == "open" else { return }
    if invoice.text("collection_method") == "send_invoice" {
      emit("invoice.sent", .invoice, id)
      return
    }
    let subscription = invoice.text("_subscription")
    if let subscription, find(.subscription, subscription)?.bool("_delayed") == true {
      startDebit(id, payer: Payer(email: invoice.text("customer_email"), name: invoice.text("customer_name")))
    } else if let subscription, find(.subscription, subscription)?.bool("_fails") == true {
      failInvoice(id, subscription: subscription)
    } else {
      payInvoice(id)
    }
  }

  /// A bank debit of an open invoice is under way for some days. The subscription stays active meanwhile: `invoice.updated`.
  func startDebit(_ id: String, payer: Payer) {
    guard let invoice = find(.invoice, id), let intent = invoice.text("_payment_intent") else { return }
    _ = startProcessing(intent, payer: payer)
    update(.invoice, id, event: "invoice.updated") {
      edit(.invoice, id) {
        $0.merge([
          "attempted": true, "attempt_count": .integer((invoice.number("attempt_count") ?? 0) + 1),
          "next_payment_attempt": .null, "_debited": true,
        ])
      }
    }
  }

  /// Whether a debit of the invoice is under way.
  func isUnderWay(_ invoice: String) -> Bool {
    find(.invoice, invoice)?.text("_payment_intent").flatMap { find(.paymentIntent, $0)?.text("status") }
      == "processing"
  }

  /// Collects an open invoice: charge, intent, `invoice.paid`, `invoice.payment_succeeded`, `invoice_payment.paid`.
  func payInvoice(_ id: String) {
    guard let invoice = find(.invoice, id), let status = invoice.text("status"),
      ["open", "uncollectible"].contains(status),
      let intent = invoice.text("_payment_intent")
    else { return }
    let payer = Payer(email: invoice.text("customer_email"), name: invoice.text("customer_name"))
    let charge = succeed(intent, payer: payer)
    markPaid(id, charge: charge)
    if let subscription = invoice.text("_subscription") { activate(subscription) }
  }

  /// The merchant was paid outside Stripe: `invoice.paid` alone.
  func payOutOfBand(_ id: String) {
    guard find(.invoice, id)?.text("status") == "open" else { return }
    edit(.invoice, id) { $0["_out_of_band"] = true }
    cancelPayment(of: id)
    markPaid(id, charge: nil)
    if let subscription = find(.invoice, id)?.text("_subscription") { activate(subscription) }
  }

  /// Books an open invoice as paid and sends the events.
  func markPaid(_ id: String, charge: String?) {
    guard let invoice = find(.invoice, id) else { return }
    let total = invoice.number("amount_due") ?? 0
    let isOutOfBand = invoice.bool("_out_of_band")
    edit(.invoice, id) {
      $0.merge([
        "status": "paid", "amount_paid": .integer(total), "amount_remaining": 0, "attempted": true,
        "attempt_count": .integer(
          (invoice.number("attempt_count") ?? 0) + (charge == nil || invoice.bool("_debited") ? 0 : 1)),
        "auto_advance": false, "next_payment_attempt": .null, "_charge": str(charge),
      ])
      $0.transition("paid_at", now)
    }
    let payments = all(.invoicePayment, where: "invoice", is: id).compactMap { $0.text("id") }
    for payment in payments where charge != nil {
      edit(.invoicePayment, payment) {
        $0.merge([
          "status": "paid", "amount_paid": .integer(total),
          "status_transitions": object(["canceled_at": .null, "paid_at": .integer(now)]),
        ])
      }
    }
    emit("invoice.paid", .invoice, id)
    if !isOutOfBand { emit("invoice.payment_succeeded", .invoice, id) }
    for payment in payments where charge != nil { emit("invoice_payment.paid", .invoicePayment, payment) }
  }

  /// An attempt was declined: `charge.failed`, `payment_intent.payment_failed`, `invoice.payment_failed`; the subscription
  /// falls behind, and after the last attempt meets what the merchant chose.
  func failInvoice(_ id: String, subscription: String) {
    guard let invoice = find(.invoice, id), let intent = invoice.text("_payment_intent") else { return }
    let payer = Payer(email: invoice.text("customer_email"), name: invoice.text("customer_name"))
    _ = failPayment(intent, payer: payer)
    // An attempt by debit was counted when it began.
    let attempts = (invoice.number("attempt_count") ?? 0) + (invoice.bool("_debited") ? 0 : 1)
    let status = find(.subscription, subscription)?.text("status")
    // A first payment that is declined leaves the subscription incomplete and is not tried again by itself.
    let isFirst = status == "incomplete"
    let retryDays = merchant.dunning.retryDays
    let next: Int64? =
      isFirst || attempts > Int64(retryDays.count) ? nil : now + retryDays[Int(attempts) - 1] * CalendarTime.day
    edit(.invoice, id) {
      $0.merge([
        "attempt_count": .integer(attempts), "attempted": true, "next_payment_attempt": int(next), "_debited": false,
      ])
    }
    emit("invoice.payment_failed", .invoice, id)
    if isFirst { return }
    if status == "active" {
      update(.subscription, subscription, event: "customer.subscription.updated") {
        edit(.subscription, subscription) { $0["status"] = "past_due" }
      }
    }
    if let next { plan(.invoiceIsRetried, id, at: next) } else { giveUp(subscription) }
  }

  private func giveUp(_ subscription: String) {
    switch merchant.dunning.outcome {
    case .canceled: cancelNow(subscription, reason: "payment_failed")
    case .unpaid:
      update(.subscription, subscription, event: "customer.subscription.updated") {
        edit(.subscription, subscription) { $0["status"] = "unpaid" }
      }
    case .pastDue: break
    }
  }

  func voidInvoice(_ id: String) {
    guard let status = find(.invoice, id)?.text("status"), ["draft", "open", "uncollectible"].contains(status) else {
      return
    }
    edit(.invoice, id) {
      $0.merge(["status": "void", "auto_advance": false, "next_payment_attempt": .null])
      $0.transition("voided_at", now)
    }
    cancelPayment(of: id)
    emit("invoice.voided", .invoice, id)
  }

  /// Nobody will pay this intent any more: `payment_intent.canceled`.
  private func cancelPayment(of invoice: String) {
    guard let intent = find(.invoice, invoice)?.text("_payment_intent"),
      let status = find(.paymentIntent, intent)?.text("status"), status != "succeeded", status != "canceled"
    else { return }
    edit(.paymentIntent, intent) {
      $0.merge(["status": "canceled", "canceled_at": .integer(now), "cancellation_reason": "void_invoice"])
    }
    for payment in all(.invoicePayment, where: "invoice", is: invoice).compactMap({ $0.text("id") }) {
      edit(.invoicePayment, payment) {
        $0.merge([
          "status": "canceled", "status_transitions": object(["canceled_at": .integer(now), "paid_at": .null]),
        ])
      }
    }
    emit("payment_intent.canceled", .paymentIntent, intent)
  }

  func markUncollectible(_ id: String, reason: String = "user_forgiven") {
    finalizeInvoice(id)
    guard find(.invoice, id)?.text("status") == "open" else { return }
    edit(.invoice, id) {
      $0.merge([
        "status": "uncollectible", "auto_advance": false, "next_payment_attempt": .null,
        "_uncollectible_reason": .string(reason),
      ])
      $0.transition("marked_uncollectible_at", now)
    }
    emit("invoice.marked_uncollectible", .invoice, id)
  }
}

extension JSONObject {
  /// Notes when an invoice reached a state.
  fileprivate mutating func transition(_ name: String, _ moment: Int64) {
    var transitions = object("status_transitions") ?? Fields([])
    transitions[name] = .integer(moment)
    self["status_transitions"] = .object(transitions)
  }
}
