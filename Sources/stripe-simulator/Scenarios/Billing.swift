import JSON

/// What a subscription is started from.
struct SubscriptionDraft {
  var customer: String
  var lines: [LineDraft]
  var trialDays: Int64?
  var discountPercent: Int64 = 0
  var metadata = Fields([])
  var payer: Payer
  var createsBeforePayment = false
  var isDelayed = false
  /// The first payment is declined: the subscription stays `incomplete`.
  var firstPaymentFails = false
  var isFlexible = true
  /// `send_invoice` asks by invoice, and the buyer pays within thirty days.
  var collectionMethod = "charge_automatically"
}

extension Tenant {
  /// Starts a subscription and its first invoice. Recurring lines become items; one-time lines only stand on the invoice.
  func startSubscription(_ draft: SubscriptionDraft) -> String {
    let recurring = draft.lines.filter { find(.price, $0.price)?.text("type") == "recurring" }
    let oneTime = draft.lines.filter { find(.price, $0.price)?.text("type") != "recurring" }
    let isTrial = draft.trialDays != nil
    let startsIncomplete =
      (draft.createsBeforePayment || draft.firstPaymentFails) && !isTrial && draft.discountPercent < 100
      && draft.collectionMethod != "send_invoice"
    let id = insertSubscription(
      customer: draft.customer, lines: recurring,
      status: isTrial ? "trialing" : (startsIncomplete ? "incomplete" : "active"), trialDays: draft.trialDays,
      discountPercent: draft.discountPercent, metadata: draft.metadata, isFlexible: draft.isFlexible,
      collection: draft.collectionMethod)
    let isSent = draft.collectionMethod == "send_invoice"
    var lines = items(id).map { item in
      recurringLine(item, subscription: id, isFree: isTrial)
    }
    lines += oneTime.map { line in
      InvoiceLineDraft(
        price: line.price, quantity: line.quantity, amount: amount(line.price, line.quantity), subscription: id,
        periodStart: now, periodEnd: now)
    }
    emit("customer.subscription.created", .subscription, id)
    let invoice = createInvoice(
      customer: draft.customer, subscription: id, reason: "subscription_create", lines: lines,
      discountPercent: draft.discountPercent, collection: draft.collectionMethod)
    edit(.subscription, id) { $0["latest_invoice"] = .string(invoice) }
    finalizeInvoice(invoice)
    if find(.invoice, invoice)?.text("status") != "paid", !isSent {
      if draft.firstPaymentFails {
        failInvoice(invoice, subscription: id)
        plan(.firstPaymentExpires, id, at: now + 23 * CalendarTime.hour)
      } else if draft.isDelayed {
        startDebit(invoice, payer: draft.payer)
        activate(id)
      } else {
        payInvoice(invoice)
      }
    }
    if let end = find(.subscription, id)?.number("trial_end") {
      // Three days before the end, or at once if the trial is shorter (Stripe docs, Billing: subscription webhooks).
      let warning = end - 3 * CalendarTime.day
      if warning > now {
        plan(.trialWillEnd, id, at: warning)
      } else {
        emit("customer.subscription.trial_will_end", .subscription, id)
      }
    }
    planPeriodEnd(id)
    return id
  }

  func recurringLine(_ item: Fields, subscription: String, isFree: Bool = false) -> InvoiceLineDraft {
    let price = item.text("_price") ?? ""
    let quantity = item.number("quantity") ?? 1
    return InvoiceLineDraft(
      price: price, quantity: quantity, amount: isFree ? 0 : amount(price, quantity), item: item.text("id"),
      subscription: subscription, periodStart: item.number("_period_start") ?? now,
      periodEnd: item.number("_period_end") ?? now,
      metadata: find(.subscription, subscription)?.object("metadata") ?? Fields([]))
  }

  /// Money came for the newest invoice: a subscription that waited for it becomes `active`.
  func activate(_ subscription: String) {
    if find(.subscription, subscription)?.bool("_resuming") == true { return wake(subscription) }
    guard let status = find(.subscription, subscription)?.text("status"),
      ["incomplete", "past_due", "unpaid"].contains(status)
    else { return }
    update(.subscription, subscription, event: "customer.subscription.updated") {
      edit(.subscription, subscription) { $0["status"] = "active" }
    }
  }

  /// The period of one or more items is over: renews the subscription, or ends it if that was asked for.
  ///
  /// - Parameter moment: the moment up to which periods count as over, if it is not this merchant's own time.
  func periodEnds(_ id: String, asOf moment: Int64? = nil) {
    let moment = moment ?? now
    guard let subscription = find(.subscription, id), let status = subscription.text("status"),
      !["canceled", "incomplete", "incomplete_expired", "paused"].contains(status), periodEnd(id) <= moment
    else { return }
    if subscription.bool("cancel_at_period_end") || subscription.number("cancel_at").map({ $0 <= moment }) == true {
      cancelNow(id, reason: "cancellation_requested")
      return
    }
    if status == "trialing", subscription.bool("_needs_method") {
      pause(id, .trialEnd)
      return
    }
    renew(id, wasTrial: status == "trialing", asOf: moment)
  }

  /// Starts the next period: the new invoice is a draft for about an hour (Stripe docs, Billing: invoice lifecycle).
  private func renew(_ id: String, wasTrial: Bool, asOf moment: Int64) {
    let before = Rendering(self, .subscription, id)
    beginPhase(of: id)
    let due = items(id).filter { ($0.number("_period_end") ?? 0) <= moment }
    for item in due { rollPeriod(item) }
    let ids = due.compactMap { $0.text("id") }
    let lines =
      takePending(of: id)
      + items(id).filter { ids.contains($0.text("id") ?? "") }.map { recurringLine($0, subscription: id) }
    let subscription = find(.subscription, id) ?? Fields([])
    let isUnpaid = subscription.text("status") == "unpaid"
    let pause = subscription.object("pause_collection")?.text("behavior")
    let invoice = createInvoice(
      customer: subscription.text("customer"), subscription: id, reason: "subscription_cycle", lines: lines,
      discountPercent: subscription.number("_discount") ?? 0, automatic: !isUnpaid && pause == nil,
      collection: subscription.text("collection_method") ?? "charge_automatically")
    edit(.subscription, id) {
      $0["latest_invoice"] = .string(invoice)
      if wasTrial { $0["status"] = "active" }
    }
    emit("customer.subscription.updated", Rendering(self, .subscription, id), previous: before)
    switch pause {
    case "void": voidInvoice(invoice)
    case "mark_uncollectible": markUncollectible(invoice, reason: "subscription_paused")
    case .some: break
    case nil: if !isUnpaid { plan(.invoiceIsFinalized, invoice, at: now + CalendarTime.hour) }
    }
    planPeriodEnd(id)
  }

  /// Plans what happens automatically at the end of the current period, and a week before it.
  func planPeriodEnd(_ id: String) {
    let end = periodEnd(id)
    plan(.subscriptionPeriodEnds, id, at: end)
    let notice = end - 7 * CalendarTime.day
    if notice > now { plan(.invoiceIsUpcoming, id, at: notice) }
  }

  /// `invoice.upcoming`: a preview of the next invoice, which has no id yet.
  private func announceInvoice(_ id: String, at moment: Int64) {
    guard let subscription = find(.subscription, id),
      ["active", "trialing"].contains(subscription.text("status") ?? ""),
      !subscription.bool("cancel_at_period_end"), periodEnd(id) == moment + 7 * CalendarTime.day
    else { return }
    let total = items(id).reduce(0) { $0 + amount($1.text("_price") ?? "", $1.number("quantity") ?? 1) }
    var old = fields([
      "object": "invoice", "amount_due": .integer(total), "billing_reason": "upcoming",
      "created": .integer(periodEnd(id)),
      "currency": subscription["currency"] ?? .null, "customer": subscription["customer"] ?? .null,
      "lines": embeddedList([], url: "/v1/invoices/upcoming/lines"), "livemode": flag(livemode), "status": "draft",
      "total": .integer(total),
    ])
    var new = old
    old["subscription"] = .string(id)
    new["parent"] = object([
      "quote_details": .null,
      "subscription_details": object(["metadata": subscription["metadata"] ?? .null, "subscription": .string(id)]),
      "type": "subscription_details",
    ])
    emit("invoice.upcoming", Rendering(id: id, old: old, new: new), previous: nil)
  }

  private func rollPeriod(_ item: Fields) {
    guard let id = item.text("id"), let price = item.text("_price"), let end = item.number("_period_end") else {
      return
    }
    edit(.subscriptionItem, id) {
      $0.merge([
        "_period_start": .integer(end), "_period_end": .integer(endOfPeriod(price, from: end)), "_trial": .null,
      ])
    }
  }

  /// Ends a subscription at once: `customer.subscription.deleted`.
  ///
  /// - Parameter credit: what happens with the paid time that was not used.
  func cancelNow(_ id: String, reason: String, credit: Prorating = .none) {
    guard let subscription = find(.subscription, id), subscription.text("status") != "canceled" else { return }
    let lines = credit == .none ? [] : items(id).compactMap(unusedTime)
    if credit == .invoice, !lines.isEmpty {
      let invoice = createInvoice(
        customer: subscription.text("customer"), subscription: id, reason: "subscription_update",
        lines: takePending(of: id) + lines)
      edit(.subscription, id) { $0["latest_invoice"] = .string(invoice) }
      finalizeInvoice(invoice)
    } else {
      keepPending(lines, of: id)
    }
    edit(.subscription, id) {
      $0.merge([
        "status": "canceled", "canceled_at": .integer(subscription.number("canceled_at") ?? now),
        "ended_at": .integer(now),
        "cancellation_details": object(["comment": .null, "feedback": .null, "reason": .string(reason)]),
      ])
    }
    emit("customer.subscription.deleted", .subscription, id)
  }

  /// The first payment was not made within 23 hours.
  func expireFirstPayment(_ id: String) {
    guard find(.subscription, id)?.text("status") == "incomplete" else { return }
    update(.subscription, id, event: "customer.subscription.updated") {
      edit(.subscription, id) { $0.merge(["status": "incomplete_expired", "ended_at": .integer(now)]) }
    }
    if let invoice = find(.subscription, id)?.text("latest_invoice") { voidInvoice(invoice) }
  }

  var hasDueTask: Bool { agenda.next.map { $0.at <= now } ?? false }

  /// Runs everything that is due until `target` on this merchant's clock, each at its own time.
  func advance(to target: Int64) {
    while let item = agenda.next, item.at <= target {
      _ = agenda.popNext()
      moment = max(item.at, world.now + offset)
      run(item)
      moment = nil
    }
    let reached = world.now + offset
    if target > reached { offset += target - reached }
  }

  /// Advances the clock of an object: its test clock, or the merchant's.
  func advance(_ id: String, to target: Int64) throws(StripeFailure) {
    guard let clock = clock(of: id) else { return advance(to: target) }
    if target > frozenTime(clock) { try advance(clock: clock, to: target) }
  }

  func run(_ item: Agenda.Item) {
    switch item.task {
    case .subscriptionPeriodEnds: periodEnds(item.id)
    case .trialWillEnd:
      guard let subscription = find(.subscription, item.id), subscription.text("status") == "trialing",
        subscription.number("trial_end") == item.at + 3 * CalendarTime.day
      else { return }
      emit("customer.subscription.trial_will_end", .subscription, item.id)
    case .invoiceIsUpcoming: announceInvoice(item.id, at: item.at)
    case .invoiceIsFinalized:
      guard find(.invoice, item.id)?.text("status") == "draft" else { return }
      finalizeInvoice(item.id)
      attemptInvoice(item.id)
    case .invoiceIsRetried:
      guard find(.invoice, item.id)?.text("status") == "open",
        find(.invoice, item.id)?.number("next_payment_attempt") == item.at
      else { return }
      attemptInvoice(item.id)
    case .sessionExpires: expireSession(item.id)
    case .pauseResumes: resumeCollection(item.id)
    case .firstPaymentExpires: expireFirstPayment(item.id)
    }
  }
}
