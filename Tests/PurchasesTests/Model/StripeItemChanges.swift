/// Changes of what a subscription is to, and what Stripe bills for them.
extension StripeModel {
  mutating func changeItems(_ change: Change, _ subscription: ModelSubscription) {
    var wanted = subscription
    func place(_ index: Int) -> Int? { index < subscription.items.count ? index : nil }
    switch change {
    case .setQuantity(let index, let quantity, let billing):
      guard let index = place(index) else { return }
      wanted.items[index].quantity = quantity
      self.change(subscription, to: wanted, billing)
    case .setPrice(let index, let price, let billing):
      guard let index = place(index) else { return }
      wanted.items[index].price = price
      self.change(subscription, to: wanted, billing)
    case .setPriceWithAddOn(let index, let price, let billing):
      guard let index = place(index) else { return }
      wanted.items[index].price = price
      self.change(subscription, to: wanted, billing, with: Catalog.addOn)
    case .replaceItem(let index, let price, let billing):
      guard let index = place(index) else { return }
      let item = ModelItem(id: newID("si"), price: price, quantity: wanted.items[index].quantity, created: now)
      wanted.predecessors[item.id] = wanted.items[index].id
      wanted.items[index] = item
      self.change(subscription, to: wanted, billing)
    case .addItem(let wish, let billing):
      wanted.items.append(ModelItem(id: newID("si"), price: wish.price, quantity: wish.quantity, created: now))
      self.change(subscription, to: wanted, billing)
    case .removeItem(let index, let billing):
      guard let index = place(index), subscription.items.count > 1 else { return }
      wanted.items.remove(at: index)
      self.change(subscription, to: wanted, billing)
    case .addTrialOffer(let wish):
      // Old shapes do not tell of offers.
      guard shape == .new else { return }
      guard subscription.status == "active" else { return }
      wanted.items.append(
        ModelItem(
          id: newID("si"), price: wish.price, quantity: max(1, wish.quantity), created: now,
          trialOffer: .init(start: now, end: now + 14 * day)))
      self.change(subscription, to: wanted, .none)
    case .addPendingAddOn:
      guard subscription.status == "active", subscription.pending.isEmpty else { return }
      let line = oneTime(Catalog.addOn)
      subscriptions[subscription.id]?.pending.append(line)
    case .moveBillingDate(let credit): moveBillingDate(of: subscription, credit: credit)
    default: break
    }
  }

  private mutating func oneTime(_ price: String) -> ModelLine {
    ModelLine(
      id: newID("il"), price: price, quantity: 1, amount: Catalog.amount(price), item: nil, start: now, end: now)
  }

  private mutating func change(
    _ former: ModelSubscription, to wanted: ModelSubscription, _ billing: Billing, with extra: String? = nil
  ) {
    let prices = wanted.items.map(\.price)
    let intervals = Set(prices.map { Catalog.interval($0) })
    guard wanted.items != former.items, Set(prices).count == prices.count, intervals.count == 1 else { return }
    let turns = wanted.interval != former.interval
    let isCurrent = former.status == "active" && former.pause == nil && now < former.periodEnd
    // A change of the rhythm bills at once; elsewhere Stripe would end the trial or ask more questions.
    if turns, !isCurrent { return }
    var billing = turns || isCurrent && isPaidNow(former) ? billing : .none
    if billing == .none, !turns {
      subscriptions[former.id]?.items = wanted.items
      subscriptions[former.id]?.predecessors = wanted.predecessors
      emit(subscription: former.id, "updated")
      return
    }
    var lines = billing == .none || !isPaidNow(former) ? [] : credits(former, keeping: turns ? [] : wanted.items)
    subscriptions[former.id]?.items = wanted.items
    subscriptions[former.id]?.predecessors = wanted.predecessors
    if turns {
      subscriptions[former.id]?.periodStart = now
      subscriptions[former.id]?.periodEnd = now + wanted.interval
      if billing == .deferred || billing == .none { billing = .atOnce }
      if let extra { lines.append(oneTime(extra)) }
      subscriptions[former.id]?.pending += lines
      collect(bill(former.id, reason: "subscription_update"), of: former, billing)
      return
    }
    for item in wanted.items where item.quantity > 0 && !former.items.contains(item) {
      lines.append(rest(item, from: now, of: former))
    }
    if let extra { lines.append(oneTime(extra)) }
    if billing == .deferred {
      subscriptions[former.id]?.pending += lines
      emit(subscription: former.id, "updated")
    } else {
      let all = former.pending + lines
      subscriptions[former.id]?.pending = []
      guard !all.isEmpty else {
        emit(subscription: former.id, "updated")
        return
      }
      let invoice = addInvoice(
        "subscription_update", status: "open", lines: all, of: former.id, collectionMethod: former.collectionMethod)
      collect(invoice, of: former, billing)
    }
  }

  /// The invoice of a change is collected as the change says.
  private mutating func collect(_ invoice: String, of subscription: ModelSubscription, _ billing: Billing) {
    let id = subscription.id
    let isSent = subscription.collectionMethod == "send_invoice"
    if isSent { invoices[invoice]?.dueDate = now + 30 * day }
    switch billing {
    case .atOnceFails where isSent, .atOnceUnderWay where isSent:
      emit(subscription: id, "updated")
      emit(invoice: invoice, "finalized")
    case .atOnceFails:
      if refuse(invoice) { subscriptions[id]?.status = "past_due" }
      emit(subscription: id, "updated")
    case .atOnceUnderWay:
      emit(subscription: id, "updated")
      debit(invoice)
    case .atOnce, .deferred, .none:
      settle(invoice)
      emit(subscription: id, "updated")
    }
  }

  // MARK: Lines of a change

  /// Whether what a subscription's items give now was paid.
  func isPaidNow(_ subscription: ModelSubscription) -> Bool {
    let lines = invoices.values.filter { $0.subscription == subscription.id && $0.status == "paid" }
      .flatMap { $0.share(of: subscription.id).lines }
    return lines.contains { !$0.isCredit && !$0.isTrial && $0.item != nil && $0.start <= now && now < $0.end }
      && !invoices.values.contains { invoice in
        invoice.subscription == subscription.id && ["open", "draft"].contains(invoice.status)
          && invoice.lines.contains { $0.item != nil && $0.end > now }
      }
  }

  /// The newest line that billed an item, or the one it took the place of, for the time that runs.
  private func billed(_ item: ModelItem, of subscription: ModelSubscription) -> (line: ModelLine, invoice: String?)? {
    let lineage = subscription.lineage(of: item.id)
    func fits(_ line: ModelLine) -> Bool {
      !line.isCredit && line.start <= now && now < line.end && line.amount > 0
        && line.item.map { subscription.lineage(of: $0) } == lineage
    }
    if let waiting = subscription.pending.last(where: fits) { return (waiting, nil) }
    let paid = invoices.values.filter { $0.subscription == subscription.id && $0.status == "paid" }
      .sorted { $0.number > $1.number }
    for invoice in paid { if let line = invoice.lines.last(where: fits) { return (line, invoice.id) } }
    return nil
  }

  /// The unused time of every item that does not stay as it is: at the former price and quantity, to the end of what was
  /// billed. In flexible mode what was billed counts, else what the item is by now.
  mutating func credits(_ subscription: ModelSubscription, keeping items: [ModelItem] = []) -> [ModelLine] {
    subscription.items.filter { !items.contains($0) && $0.quantity > 0 }.compactMap { item in
      guard let (line, invoice) = billed(item, of: subscription) else { return nil }
      let price = billsFlexibly ? line.price : item.price
      let quantity = billsFlexibly ? line.quantity : item.quantity
      let full = Int64(quantity) * Catalog.amount(price)
      return ModelLine(
        id: newID("il"), price: price, quantity: quantity,
        amount: -max(1, full * (line.end - now) / subscription.interval), item: item.id, isProration: true, start: now,
        end: line.end, credited: invoice.map { .init(invoice: $0, line: line.id) })
    }
  }

  /// The rest of the period at a new price or quantity.
  mutating func rest(_ item: ModelItem, from start: Seconds, of subscription: ModelSubscription) -> ModelLine {
    let full = Int64(item.quantity) * Catalog.amount(item.price)
    return ModelLine(
      id: newID("il"), price: item.price, quantity: item.quantity,
      amount: max(1, full * (subscription.periodEnd - start) / subscription.interval), item: item.id,
      isProration: true, start: start, end: subscription.periodEnd)
  }

  /// The billing date becomes today, and a whole period is billed from here.
  private mutating func moveBillingDate(of subscription: ModelSubscription, credit: Bool) {
    guard subscription.status == "active", subscription.pause == nil, now < subscription.periodEnd,
      now > subscription.periodStart, isPaidNow(subscription)
    else { return }
    if credit {
      let lines = credits(subscription)
      subscriptions[subscription.id]?.pending += lines
    }
    subscriptions[subscription.id]?.periodStart = now
    subscriptions[subscription.id]?.periodEnd = now + subscription.interval
    settle(bill(subscription.id, reason: "subscription_update"))
    emit(subscription: subscription.id, "updated")
  }

  mutating func cancelWithCredit(_ subscription: ModelSubscription) {
    guard subscription.status == "active", now < subscription.periodEnd, isPaidNow(subscription) else { return }
    let lines = subscription.pending + credits(subscription)
    guard !lines.isEmpty else { return }
    subscriptions[subscription.id]?.pending = []
    let invoice = addInvoice(
      "subscription_update", status: "open", lines: lines, of: subscription.id,
      collectionMethod: subscription.collectionMethod)
    end(subscription.id)
    settle(invoice)
  }
}
