extension StripeModel {
  mutating func applyToSubscription(_ change: Change, _ id: String) {
    guard let subscription = subscriptions[id] else { return }
    let isRunning = ["active", "trialing", "past_due"].contains(subscription.status)
    switch change {
    case .payFirst, .neverPay: first(change, subscription)
    case .renew, .failRenewal: if isRunning { turn(subscription, isPaid: change == .renew) }
    case .retryFails:
      guard subscription.status == "past_due" else { return }
      invoices[subscription.latestInvoice]?.attempts += 1
      emit(invoice: subscription.latestInvoice, "payment_failed")
    case .recover: recover(subscription)
    case .trialEndsWithoutPaymentMethod:
      guard subscription.status == "trialing" else { return }
      now = max(now, subscription.periodEnd)
      subscriptions[id]?.status = "paused"
      emit(subscription: id, "paused")
    case .endDunning(let status):
      guard subscription.status == "past_due" else { return }
      subscriptions[id]?.status = status
      if status == "canceled" { end(id) } else { emit(subscription: id, "updated") }
    case .cancelNow: if !["canceled", "incomplete_expired"].contains(subscription.status) { end(id) }
    case .cancelAtPeriodEnd, .keepAfterAll:
      let wanted = change == .cancelAtPeriodEnd
      guard isRunning, subscription.cancelAtPeriodEnd != wanted else { return }
      subscriptions[id]?.cancelAtPeriodEnd = wanted
      subscriptions[id]?.canceledAt = wanted ? now : nil
      emit(subscription: id, "updated")
    case .pauseCollection, .resumeCollection:
      guard isRunning, subscription.isPaused != (change == .pauseCollection) else { return }
      subscriptions[id]?.isPaused = change == .pauseCollection
      emit(subscription: id, "updated")
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
      now += 23 * 3_600
      invoices[subscription.latestInvoice]?.status = "void"
      emit(invoice: subscription.latestInvoice, "voided")
      subscriptions[subscription.id]?.status = "incomplete_expired"
      emit(subscription: subscription.id, "updated")
    }
  }

  /// The period turns.
  private mutating func turn(_ subscription: ModelSubscription, isPaid: Bool) {
    let id = subscription.id
    now = max(now, subscription.periodEnd)
    if subscription.cancelAtPeriodEnd {
      end(id)
      return
    }
    guard subscription.status != "past_due" else { return }
    subscriptions[id]?.periodStart = subscription.periodEnd
    subscriptions[id]?.periodEnd = subscription.periodEnd + month
    subscriptions[id]?.status = "active"
    let invoice = bill(id, reason: "subscription_cycle")
    if subscription.isPaused {
      invoices[invoice]?.status = "void"
      emit(subscription: id, "updated")
      emit(invoice: invoice, "voided")
    } else if isPaid {
      emit(subscription: id, "updated")
      now += 3_600
      settle(invoice)
    } else {
      subscriptions[id]?.status = "past_due"
      invoices[invoice]?.attempts = 1
      emit(invoice: invoice, "payment_failed")
      emit(subscription: id, "updated")
    }
  }

  private mutating func recover(_ subscription: ModelSubscription) {
    guard invoices[subscription.latestInvoice]?.status == "open", subscription.status != "incomplete" else { return }
    settle(subscription.latestInvoice)
    guard subscription.status == "past_due" || subscription.status == "unpaid" else { return }
    subscriptions[subscription.id]?.status = "active"
    emit(subscription: subscription.id, "updated")
  }

  private mutating func end(_ id: String) {
    subscriptions[id]?.status = "canceled"
    subscriptions[id]?.endedAt = now
    if subscriptions[id]?.canceledAt == nil { subscriptions[id]?.canceledAt = now }
    emit(subscription: id, "deleted")
  }

  private mutating func changeItems(_ change: Change, _ subscription: ModelSubscription) {
    let id = subscription.id
    switch change {
    case .setQuantity(let index, let quantity, let invoiced):
      guard index < subscription.items.count else { return }
      subscriptions[id]?.items[index].quantity = quantity
      afterChange(of: subscription, item: index, invoiced: invoiced)
    case .setPrice(let index, let price, let invoiced):
      guard index < subscription.items.count else { return }
      subscriptions[id]?.items[index].price = price
      afterChange(of: subscription, item: index, invoiced: invoiced)
    case .addItem(let wish, let invoiced):
      let item = ModelItem(id: newID("si"), price: wish.price, quantity: wish.quantity)
      subscriptions[id]?.items.append(item)
      afterChange(of: subscription, item: subscription.items.count, invoiced: invoiced)
    case .removeItem(let index):
      guard subscription.items.count > 1, index < subscription.items.count else { return }
      subscriptions[id]?.items.remove(at: index)
      emit(subscription: id, "updated")
    default: break
    }
  }

  /// The difference is billed at once, or with the next invoice.
  private mutating func afterChange(of subscription: ModelSubscription, item index: Int, invoiced: Bool) {
    let id = subscription.id
    guard invoiced, subscription.status == "active", let item = subscriptions[id]?.items[index],
      now < subscription.periodEnd
    else {
      emit(subscription: id, "updated")
      return
    }
    let invoice = newID("in")
    var lines: [ModelLine] = []
    if index < subscription.items.count {
      let former = subscription.items[index]
      lines.append(
        ModelLine(
          id: newID("il"), price: former.price, quantity: former.quantity, amount: -300, item: item.id,
          isProration: true, start: now, end: subscription.periodEnd))
    }
    lines.append(
      ModelLine(
        id: newID("il"), price: item.price, quantity: item.quantity, amount: 700, item: item.id, isProration: true,
        start: now, end: subscription.periodEnd))
    invoices[invoice] = ModelInvoice(
      id: invoice, status: "open", reason: "subscription_update", subscription: id, lines: lines, created: now)
    subscriptions[id]?.latestInvoice = invoice
    settle(invoice)
    emit(subscription: id, "updated")
  }
}
