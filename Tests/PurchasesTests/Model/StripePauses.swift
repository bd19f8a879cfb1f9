/// The two kinds of pauses: of collection, which leaves the status, and of the subscription itself.
extension StripeModel {
  mutating func pauseOrResume(_ change: Change, _ subscription: ModelSubscription) {
    let id = subscription.id
    let isRunning = ["active", "trialing", "past_due"].contains(subscription.status)
    switch change {
    case .pauseCollection, .pauseCollectionKeepingDrafts, .pauseCollectionUncollectible:
      guard isRunning, subscription.pause == nil else { return }
      subscriptions[id]?.pause =
        change == .pauseCollection ? .void : change == .pauseCollectionKeepingDrafts ? .draft : .uncollectible
      emit(subscription: id, "updated")
    case .resumeCollection:
      guard isRunning, subscription.pause != nil else { return }
      subscriptions[id]?.pause = nil
      emit(subscription: id, "updated")
    case .requestPause:
      // Only in flexible mode, and without a schedule.
      guard billsFlexibly, subscription.status == "active", subscription.pause == nil, subscription.schedule == nil,
        !subscription.cancelAtPeriodEnd
      else { return }
      stop(id, because: "pause_requested")
    case .resume(let atOldDate, let isPaid):
      guard subscription.status == "paused", invoices[subscription.latestInvoice]?.status != "open" else { return }
      resume(subscription, atOldDate: atOldDate, isPaid: isPaid)
    default: break
    }
  }

  private mutating func resume(_ subscription: ModelSubscription, atOldDate: Bool, isPaid: Bool) {
    let id = subscription.id
    var end = subscription.periodEnd
    if atOldDate, now < end, isPaidNow(subscription) {
      takeUp(id)
      return
    }
    var lines: [ModelLine] = []
    if atOldDate {
      while end <= now { end += subscription.interval }
      var moved = subscription
      moved.periodEnd = end
      moved.periodStart = end - subscription.interval
      subscriptions[id] = moved
      for item in subscription.items where item.quantity > 0 { lines.append(rest(item, from: now, of: moved)) }
    } else {
      if isPaidNow(subscription) { lines = credits(subscription) }
      subscriptions[id]?.periodStart = now
      subscriptions[id]?.periodEnd = now + subscription.interval
    }
    subscriptions[id]?.pending += lines
    let invoice: String
    if atOldDate {
      let all = subscriptions[id]?.pending ?? []
      subscriptions[id]?.pending = []
      invoice = addInvoice(
        "subscription_update", status: "open", lines: all, of: id, collectionMethod: subscription.collectionMethod)
    } else {
      invoice = bill(id, reason: "subscription_update")
    }
    if isPaid {
      settle(invoice)
      takeUp(id)
    } else if !refuse(invoice) {
      takeUp(id)
    }
  }
}
