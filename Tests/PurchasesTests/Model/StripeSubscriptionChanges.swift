extension StripeModel {
  mutating func applyToSubscription(_ change: Change, _ id: String) {
    guard let subscription = subscriptions[id] else { return }
    let isRunning = ["active", "trialing", "past_due"].contains(subscription.status)
    switch change {
    case .payFirst, .neverPay: first(change, subscription)
    case .renewTogether: turnTogether(subscription)
    case .renew where isRunning: turn(subscription, .paid)
    case .failRenewal where isRunning: turn(subscription, .refused)
    case .renewUnderWay where isRunning: turn(subscription, .underWay)
    case .renewHeldBack where isRunning: turn(subscription, .heldBack)
    case .turnToNextPhase(let index, let price, let isPaid) where isRunning:
      turnToNextPhase(subscription, index, price, isPaid: isPaid)
    case .retryFails, .recover, .endDunning, .becomesOverdue, .debitArrives, .debitFails:
      collect(change, subscription)
    case .finalizeDraft(let isPaid) where isRunning: finalizeDraft(of: subscription, isPaid: isPaid)
    case .trialEndsWithoutPaymentMethod, .trialEndsCanceled:
      guard subscription.status == "trialing" else { return }
      now = max(now, subscription.periodEnd)
      if change == .trialEndsCanceled { end(id) } else { stop(id, because: "trial_end_without_payment_method") }
    case .cancelNow: if !["canceled", "incomplete_expired"].contains(subscription.status) { end(id) }
    case .cancelNowWithCredit: cancelWithCredit(subscription)
    case .cancelAtPeriodEnd, .keepAfterAll:
      let wanted = change == .cancelAtPeriodEnd
      guard isRunning, subscription.cancelAtPeriodEnd != wanted else { return }
      subscriptions[id]?.cancelAtPeriodEnd = wanted
      subscriptions[id]?.canceledAt = wanted ? now : nil
      emit(subscription: id, "updated")
    case .pauseCollection, .pauseCollectionKeepingDrafts, .pauseCollectionUncollectible, .resumeCollection,
      .requestPause, .resume:
      pauseOrResume(change, subscription)
    default: if isRunning { changeItems(change, subscription) }
    }
  }

  private mutating func first(_ change: Change, _ subscription: ModelSubscription) {
    guard subscription.status == "incomplete" else { return }
    if change == .payFirst {
      settle(subscription.latestInvoice)
      subscriptions[subscription.id]?.status = "active"
      emit(subscription: subscription.id, "updated")
      completeSession(of: subscription.id)
    } else {
      now += 23 * hour
      invoices[subscription.latestInvoice]?.status = "void"
      emit(invoice: subscription.latestInvoice, "voided")
      subscriptions[subscription.id]?.status = "incomplete_expired"
      emit(subscription: subscription.id, "updated")
      if let session = sessions.values.first(where: { $0.subscription == subscription.id && $0.status == "open" }) {
        sessions[session.id]?.status = "expired"
        emit(session: session.id, "expired")
      }
    }
  }

  mutating func end(_ id: String) {
    subscriptions[id]?.status = "canceled"
    subscriptions[id]?.endedAt = now
    if subscriptions[id]?.canceledAt == nil { subscriptions[id]?.canceledAt = now }
    emit(subscription: id, "deleted")
  }

  mutating func stop(_ id: String, because cause: String) {
    subscriptions[id]?.status = "paused"
    subscriptions[id]?.pausedBecause = cause
    emit(subscription: id, "paused")
  }

  // MARK: Periods

  enum Turn { case paid, refused, underWay, heldBack }

  /// The period turns.
  mutating func turn(_ subscription: ModelSubscription, _ how: Turn) {
    let id = subscription.id
    now = max(now, subscription.periodEnd)
    if subscription.cancelAtPeriodEnd {
      end(id)
      return
    }
    subscriptions[id]?.periodStart = subscription.periodEnd
    subscriptions[id]?.periodEnd = subscription.periodEnd + subscription.interval
    if subscription.status == "trialing" { subscriptions[id]?.status = "active" }
    for (index, item) in subscription.items.enumerated() {
      if let offer = item.trialOffer, offer.end <= subscription.periodEnd {
        subscriptions[id]?.items[index].trialOffer = nil
      }
    }
    let invoice = bill(id, reason: "subscription_cycle")
    if let pause = subscription.pause {
      billPaused(invoice, of: id, pause)
      return
    }
    switch how {
    case .paid:
      emit(subscription: id, "updated")
      now += hour
      settle(invoice)
      if subscription.status == "past_due" { becomesActive(id) }
    case .refused where subscription.collectionMethod == "send_invoice",
      .underWay where subscription.status == "past_due":
      emit(subscription: id, "updated")
      emit(invoice: invoice, "finalized")
    case .refused:
      if refuse(invoice) { subscriptions[id]?.status = "past_due" }
      emit(subscription: id, "updated")
    case .underWay:
      emit(subscription: id, "updated")
      now += hour
      debit(invoice)
    case .heldBack:
      invoices[invoice]?.status = "draft"
      invoices[invoice]?.dueDate = nil
      emit(subscription: id, "updated")
    }
  }

  /// A subscription whose next period can be billed on one invoice with that of another.
  func partner(of subscription: ModelSubscription) -> ModelSubscription? {
    func isPlain(_ one: ModelSubscription) -> Bool {
      one.status == "active" && one.pause == nil && !one.cancelAtPeriodEnd && !one.items.isEmpty
        && one.items.allSatisfy { $0.trialOffer == nil } && one.collectionMethod == "charge_automatically"
    }
    let others = subscriptions.values.filter {
      $0.id != subscription.id && isPlain($0) && $0.periodEnd == subscription.periodEnd
    }
    return isPlain(subscription) ? others.min { $0.id < $1.id } : nil
  }

  private mutating func turnTogether(_ subscription: ModelSubscription) {
    guard let partner = partner(of: subscription) else { return }
    now = max(now, subscription.periodEnd)
    for one in [subscription, partner] {
      subscriptions[one.id]?.periodStart = one.periodEnd
      subscriptions[one.id]?.periodEnd = one.periodEnd + one.interval
    }
    let invoice = bill(subscription.id, reason: "subscription_cycle")
    bill(partner.id, with: invoice)
    for one in [subscription, partner] { emit(subscription: one.id, "updated") }
    now += hour
    settle(invoice)
  }

  private mutating func billPaused(_ invoice: String, of id: String, _ pause: ModelSubscription.Pause) {
    invoices[invoice]?.dueDate = nil
    emit(subscription: id, "updated")
    switch pause {
    case .draft: invoices[invoice]?.status = "draft"
    case .void:
      invoices[invoice]?.status = "void"
      emit(invoice: invoice, "voided")
    case .uncollectible:
      invoices[invoice]?.status = "uncollectible"
      emit(invoice: invoice, "marked_uncollectible")
    }
  }

  /// A schedule puts another item in the place of one when its next phase begins.
  private mutating func turnToNextPhase(_ subscription: ModelSubscription, _ index: Int, _ price: String, isPaid: Bool)
  {
    guard index < subscription.items.count, !subscription.cancelAtPeriodEnd,
      Catalog.interval(price) == subscription.interval,
      !subscription.items.enumerated().contains(where: { $0.element.price == price && $0.offset != index })
    else { return }
    var subscription = subscription
    subscription.schedule = "sub_sched_1"
    let item = ModelItem(
      id: newID("si"), price: price, quantity: subscription.items[index].quantity, created: now)
    subscription.predecessors[item.id] = subscription.items[index].id
    subscription.items[index] = item
    subscriptions[subscription.id] = subscription
    turn(subscription, isPaid ? .paid : .refused)
  }

  private mutating func becomesActive(_ id: String) {
    subscriptions[id]?.status = "active"
    emit(subscription: id, "updated")
  }

  private mutating func becomesPastDue(_ id: String) {
    subscriptions[id]?.status = "past_due"
    emit(subscription: id, "updated")
  }

  // MARK: Collection

  private mutating func collect(_ change: Change, _ subscription: ModelSubscription) {
    let id = subscription.id
    let latest = subscription.latestInvoice
    switch change {
    case .retryFails: if subscription.status == "past_due", invoices[latest]?.status == "open" { _ = refuse(latest) }
    case .recover:
      guard invoices[latest]?.status == "open", subscription.status != "incomplete", subscription.status != "paused",
        !isUnderWay(latest)
      else { return }
      settle(latest)
      if subscription.status == "past_due" || subscription.status == "unpaid" { becomesActive(id) }
    case .becomesOverdue:
      guard subscription.status == "active", invoices[latest]?.status == "open", let due = invoices[latest]?.dueDate
      else { return }
      now = max(now, due)
      becomesPastDue(id)
    case .endDunning(let status):
      guard subscription.status == "past_due" else { return }
      invoices[latest]?.nextAttempt = nil
      switch status {
      case "canceled": end(id)
      case "paused": if billsFlexibly { stop(id, because: "final_payment_failure") }
      default:
        subscriptions[id]?.status = status
        emit(subscription: id, "updated")
      }
    default: endDebit(arrives: change == .debitArrives, of: subscription)
    }
  }

  private func isUnderWay(_ invoice: String) -> Bool {
    let payment = invoices[invoice]?.payment.flatMap { payments[$0] }
    return payment.map { !$0.isPaid && $0.stage == .processing } ?? false
  }

  private mutating func endDebit(arrives: Bool, of subscription: ModelSubscription) {
    let waiting = invoices.values.filter {
      $0.subscription == subscription.id && $0.status == "open" && isUnderWay($0.id)
    }
    guard let invoice = waiting.max(by: { $0.number < $1.number }), let payment = invoice.payment else { return }
    let session = sessions.values.first { $0.invoice == invoice.id && $0.paymentStatus == "unpaid" }
    if arrives {
      settle(invoice.id)
      if let session {
        sessions[session.id]?.paymentStatus = "paid"
        emit(session: session.id, "async_payment_succeeded")
      }
    } else {
      payments[payment]?.stage = .failed
      emit(intent: payment, "payment_failed")
      invoices[invoice.id]?.nextAttempt = now + 3 * day
      emit(invoice: invoice.id, "payment_failed")
      if let session { emit(session: session.id, "async_payment_failed") }
      if subscription.status == "active", subscription.latestInvoice == invoice.id { becomesPastDue(subscription.id) }
    }
  }

  private mutating func finalizeDraft(of subscription: ModelSubscription, isPaid: Bool) {
    let drafts = invoices.values.filter { $0.subscription == subscription.id && $0.status == "draft" }
    guard let draft = drafts.max(by: { $0.number < $1.number }), subscription.pause == nil else { return }
    invoices[draft.id]?.status = "open"
    invoices[draft.id]?.finalizedAt = now
    let isSent = subscription.collectionMethod == "send_invoice"
    if isSent { invoices[draft.id]?.dueDate = now + 30 * day }
    if isPaid {
      settle(draft.id)
      if subscription.status == "past_due", subscription.latestInvoice == draft.id { becomesActive(subscription.id) }
    } else if isSent {
      emit(invoice: draft.id, "finalized")
    } else if refuse(draft.id), subscription.latestInvoice == draft.id {
      becomesPastDue(subscription.id)
    }
  }
}
