/// Ways in which one happening can be simpler.
func simpler(_ what: Happening.What) -> [Happening.What] {
  switch what {
  case .begins(let beginning): simpler(beginning).map { .begins($0) }
  case .changes(let change): simpler(change).map { .changes($0) }
  }
}

private func simpler(_ beginning: Beginning) -> [Beginning] {
  switch beginning {
  case .checkout(let start, let wishes):
    fewer(wishes).map { .checkout(start, $0) }
      + starts(start, [{ $0.makesInvoice = false }, { $0.money = .card }, { $0.guest = false }])
      .map { .checkout($0, wishes) }
  case .invoice(let wishes): fewer(wishes).map { .invoice($0) }
  case .subscription(let start, let wishes):
    fewer(wishes).map { .subscription(start, $0) }
      + starts(
        start,
        [{ $0.trial = false }, { $0.byCheckout = false }, { $0.first = .paid }, { $0.extra = nil }, { $0.beside = [] }]
      )
      .map { .subscription($0, wishes) }
  }
}

private func starts<Start: Hashable>(_ start: Start, _ changes: [(inout Start) -> Void]) -> [Start] {
  changes.compactMap { change in
    var other = start
    change(&other)
    return other == start ? nil : other
  }
}

private func fewer(_ wishes: [Wish]) -> [[Wish]] {
  var result =
    wishes.count > 1
    ? wishes.indices.map { index in wishes.enumerated().filter { $0.offset != index }.map(\.element) } : []
  result.append(wishes.map { Wish(price: $0.price, quantity: 1) })
  result.append(wishes.map { Wish(price: "price_a1", quantity: $0.quantity) })
  return result.filter { $0 != wishes }
}

private func simpler(_ change: Change) -> [Change] {
  var simpler: [Change] = []
  switch change {
  case .setQuantity(let item, let quantity, let billing):
    simpler = [.setQuantity(item: 0, quantity, billing: billing), .setQuantity(item: item, 2, billing: billing)]
    if billing != .none { simpler.append(.setQuantity(item: item, quantity, billing: .atOnce)) }
  case .setPrice(let item, let price, let billing):
    simpler = [.setPrice(item: 0, price, billing: billing), .setPrice(item: item, "price_b1", billing: billing)]
    if billing != .none { simpler.append(.setPrice(item: item, price, billing: .atOnce)) }
  case .setPriceWithAddOn(let item, let price, let billing):
    simpler = [.setPrice(item: item, price, billing: billing)]
  case .replaceItem(let item, let price, let billing):
    simpler = [.setPrice(item: item, price, billing: billing), .replaceItem(0, with: price, billing: billing)]
    if billing != .none { simpler.append(.replaceItem(item, with: price, billing: .atOnce)) }
  case .addItem(let wish, let billing):
    simpler = [.addItem(Wish(price: wish.price, quantity: 1), billing: billing)]
    if billing != .none { simpler.append(.addItem(wish, billing: .atOnce)) }
  case .addTrialOffer(let wish): simpler = [.addTrialOffer(Wish(price: wish.price, quantity: 1))]
  case .removeItem(let item, _): simpler = [.removeItem(item, billing: .none)]
  case .turnToNextPhase(let item, let price, let isPaid):
    simpler = [isPaid ? .renew : .failRenewal, .turnToNextPhase(item: 0, price, isPaid: isPaid)]
    if !isPaid { simpler.append(.turnToNextPhase(item: item, price, isPaid: true)) }
  case .refund(let payment, _, _): simpler = [.refund(payment: payment, part: false, pending: false)]
  case .capture: simpler = [.capture(part: false)]
  case .creditOutside: simpler = [.creditOutside(part: false)]
  case .pauseCollectionKeepingDrafts, .pauseCollectionUncollectible: simpler = [.pauseCollection]
  default: break
  }
  return simpler.filter { $0 != change }
}
