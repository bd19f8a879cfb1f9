import Identity
import LicenseKitAPI

@testable import Purchases

/// What one place among a subscription's items gives of one LicenseKit product at the time: claims of paid time, of which
/// credits take, and what goes on without being paid yet.
struct PaidTime {
  /// A price and quantity for the time, and how sure it is.
  private struct Claim {
    var price: String
    var quantity: Int
    var end: Seconds
    var certainty: Certainty
    var isPaid: Bool
    var invoice: Int
    var line: String
  }

  private let whole: SubscriptionOracle
  private let lineage: String
  private let product: String
  /// Units that are there under each of several sensible readings.
  private var floor = 0

  init(_ whole: SubscriptionOracle, _ lineage: String, _ product: String) {
    self.whole = whole
    self.lineage = lineage
    self.product = product
  }

  private var time: Seconds { whole.time }
  private var subscription: ModelSubscription { whole.subscription }
  private var item: ModelItem? { subscription.items.first { whole.lineage($0.id) == lineage } }

  /// The terms of a price for the product, if it gives it.
  private func terms(_ price: String) -> Terms? {
    whole.oracle.offer.terms(of: price).first { $0.product.rawValue == product }
  }

  /// The terms by which money and grace of a line are judged, whatever it gives.
  private func policy(_ price: String) -> Terms? { terms(price) ?? whole.oracle.offer.terms(of: price).first }

  /// How many units must be usable, and how many may be.
  func units() -> (must: Int, most: Int) {
    var copy = self
    return copy.counted()
  }

  private mutating func counted() -> (must: Int, most: Int) {
    var claims = claims()
    preferTheNewest(&claims)
    addTrial(to: &claims)
    addChange(to: &claims)
    endWhatIsSoldNoMore(&claims)
    var must = 0
    var most = floor
    for claim in claims where claim.certainty != .no {
      guard let terms = terms(claim.price) else { continue }
      let units = Oracle.units(claim.quantity, terms)
      let gate = whole.gate(terms)
      if gate == .no { continue }
      most = max(most, units)
      if min(gate, claim.certainty) == .yes { must = max(must, units) }
    }
    let gates = whole.prices(of: lineage).compactMap { terms($0) }.map { whole.gate($0) }
    if gates.allSatisfy({ $0 == .yes }) { must = max(must, floor) }
    // Without a mapping of the present price the terms of the one before go on.
    if hasUnmappedPrice { return (0, max(most, mostOfAll(claims))) }
    return (must, most)
  }

  private var hasUnmappedPrice: Bool { whole.prices(of: lineage).contains { policy($0) == nil } }

  private func mostOfAll(_ claims: [Claim]) -> Int {
    let terms = whole.prices(of: lineage).compactMap { self.terms($0) }.filter { whole.gate($0) != .no }
    let quantities = claims.filter { $0.certainty != .no }.map(\.quantity) + [item?.quantity ?? 0]
    return terms.flatMap { terms in quantities.map { Oracle.units($0, terms) } }.max() ?? 0
  }

  // MARK: What was billed

  private mutating func claims() -> [Claim] {
    var claims: [Claim] = []
    for invoice in whole.invoices {
      let lines = invoice.lines.filter { $0.item.map { whole.lineage($0) } == lineage && !$0.isTrial }
      var credited: Int?
      // In their order: a change may take back what another of the same invoice gave.
      for line in lines where line.start <= time && line.quantity > 0 {
        if line.isCredit {
          if let units = take(line, of: invoice, from: &claims) { credited = max(credited ?? 0, units) }
          continue
        }
        guard let policy = policy(line.price) else {
          claims.append(
            Claim(
              price: line.price, quantity: line.quantity, end: line.end, certainty: .perhaps, isPaid: false,
              invoice: invoice.number, line: line.id))
          continue
        }
        let isPaid = invoice.status == "paid"
        var certainty = whole.force(invoice, until: line.end, policy).charges
        if time >= line.end { certainty = min(certainty, isPaid ? outlasting(line.end, policy) : .perhaps) }
        if restsOnReturned(invoice) { certainty = min(certainty, .perhaps) }
        // What is not paid for and was lowered since need not be there.
        if !isPaid, let item, item.quantity < line.quantity { certainty = min(certainty, .perhaps) }
        claims.append(
          Claim(
            price: line.price, quantity: line.quantity, end: line.end, certainty: certainty, isPaid: isPaid,
            invoice: invoice.number, line: line.id))
        if certainty == .perhaps, !isPaid, let credited {
          floor = max(floor, min(credited, units(line.price, line.quantity)))
        }
      }
    }
    return claims.filter { $0.certainty != .no }
  }

  /// Where the time of another price was paid as well, and nothing given back, one license may be enough for one item.
  private func preferTheNewest(_ claims: inout [Claim]) {
    let newest = claims.filter { $0.isPaid && $0.certainty == .yes && $0.price == item?.price && time < $0.end }
      .max { $0.invoice < $1.invoice }
    guard let newest else { return }
    weaken(&claims) { $0.invoice < newest.invoice && $0.price != newest.price }
  }

  private func units(_ price: String, _ quantity: Int) -> Int {
    terms(price).map { Oracle.units(quantity, $0) } ?? 0
  }

  /// A credit ends what it gives back, as far as it is in force.
  /// - Returns: the units that were certain and are so no more.
  private func take(_ credit: ModelLine, of invoice: ModelInvoice, from claims: inout [Claim]) -> Int? {
    guard let policy = policy(credit.price) else { return nil }
    let force = whole.force(invoice, until: credit.end, policy).credits
    if force == .no { return nil }
    var certain: Int?
    let named = claims.indices.filter { index in
      credit.credited.map { claims[index].line == $0.line }
        ?? (claims[index].price == credit.price && claims[index].quantity == credit.quantity)
    }
    // A credit at what an item had become, for which nothing was billed: it is for the time that was.
    let isExact = named.contains { claims[$0].price == credit.price && claims[$0].quantity == credit.quantity }
    for index in named.isEmpty ? Array(claims.indices) : named {
      if force == .yes, isExact {
        claims[index].certainty = .no
      } else {
        if claims[index].certainty == .yes {
          certain = max(certain ?? 0, units(claims[index].price, claims[index].quantity))
        }
        claims[index].certainty = min(claims[index].certainty, .perhaps)
      }
    }
    return certain
  }

  /// A license outlasts what was paid while nothing is wrong, since the next invoice takes its time.
  private func outlasting(_ end: Seconds, _ policy: Terms) -> Certainty {
    let isKept = status == "paused" && subscription.pausedBecause == "pause_requested" && policy.onPause == .keep
    guard whole.isRunning || isKept, item != nil else { return .no }
    return time < whole.leniently(end, policy) ? .perhaps : .no
  }

  /// A change that was paid with the credit of a period whose own money has gone back.
  private func restsOnReturned(_ invoice: ModelInvoice) -> Bool {
    invoice.lines.contains { credit in
      guard let former = credit.credited.flatMap({ whole.oracle.stripe.invoices[$0.invoice] }) else { return false }
      return whole.oracle.isReturned(former.payment, of: former.id)
        || whole.oracle.dispute(former.payment) == .lost || restsOnReturned(former)
    }
  }

  // MARK: What is not billed

  private func addTrial(to claims: inout [Claim]) {
    guard let item, let policy = policy(item.price) else { return }
    // Old shapes do not tell of offers: an item that came later looks like any other.
    if item.trialOffer != nil, whole.oracle.stripe.shape == .old, whole.isRunning {
      claims.append(
        Claim(
          price: item.price, quantity: item.quantity, end: .max, certainty: .perhaps, isPaid: false, invoice: 0,
          line: ""
        ))
    }
    guard policy.trial else { return }
    func add(_ end: Seconds, _ certainty: Certainty) {
      guard time < whole.leniently(end, policy) else { return }
      claims.append(
        Claim(
          price: item.price, quantity: item.quantity, end: end, certainty: time < end ? certainty : .perhaps,
          isPaid: false, invoice: 0, line: ""))
    }
    if let end = subscription.trialEnd {
      // A fee that was paid for the start and came back leaves a trial that nothing speaks against.
      let feeIsBack = whole.invoices.contains {
        whole.oracle.isReturned($0.payment, of: $0.id) || whole.oracle.dispute($0.payment) == .lost
      }
      switch status {
      case "trialing": add(end, feeIsBack ? .perhaps : .yes)
      case "active", "past_due", "canceled", "paused": add(end, .perhaps)
      default: break
      }
    }
    if let offer = item.trialOffer, whole.isRunning {
      let paid = whole.invoices.contains { $0.status == "paid" && whole.oracle.isKept($0, policy) == .yes }
      add(offer.end, status == "active" && paid ? .yes : .perhaps)
      // From its end it is billed with the next invoice.
      add(max(offer.end, subscription.periodEnd), .perhaps)
    }
  }

  private var status: String { subscription.status }

  /// What the item has become by now, if nothing was billed for it yet.
  private mutating func addChange(to claims: inout [Claim]) {
    guard let item, whole.isRunning, item.trialOffer == nil, policy(item.price) != nil, status != "trialing" else {
      return
    }
    let live = claims.filter { $0.certainty != .no && time < $0.end }
    let billed = live.filter(\.isPaid).max { $0.invoice < $1.invoice } ?? live.max { $0.invoice < $1.invoice }
    let hasIt = claims.contains { $0.price == item.price && $0.quantity >= item.quantity && $0.certainty == .yes }
    // A credit that waits for the next invoice takes from what was paid.
    if hasIt, !hasPendingCredit || billed?.quantity == item.quantity { return }
    if item.quantity == 0 {
      if hasPendingCredit { weaken(&claims) }
      return
    }
    // Asked for, and not paid or given back: what it is now gives nothing by itself.
    if wasBilledInVain(item) { return }
    let change = Claim(
      price: item.price, quantity: item.quantity, end: 0, certainty: .perhaps, isPaid: false, invoice: .max, line: "")
    if let billed { compare(change, with: billed, &claims) } else { addNew(change, to: &claims) }
  }

  /// A change of what is billed: more is there at once, less leaves the bigger one to its end.
  private mutating func compare(_ change: Claim, with billed: Claim, _ claims: inout [Claim]) {
    var change = change
    let isMore = Catalog.amount(change.price) >= Catalog.amount(billed.price) && change.quantity >= billed.quantity
    let isLess = Catalog.amount(change.price) <= Catalog.amount(billed.price) && change.quantity <= billed.quantity
    let isClear = status == "active" && billed.certainty == .yes
    if isClear {
      floor = max(floor, min(units(change.price, change.quantity), units(billed.price, billed.quantity)))
    }
    if isMore {
      // What is not paid itself is a weak ground for more.
      if isClear, billed.isPaid { change.certainty = .yes }
      // Paid, and replaced by more: one of both is enough.
      weaken(&claims) { $0.price != change.price }
    } else if !isLess || hasPendingCredit {
      // Fewer of something bigger; or less, and the credit for it is on its way.
      weaken(&claims)
    }
    claims.append(change)
  }

  private func weaken(_ claims: inout [Claim], where isMeant: (Claim) -> Bool = { _ in true }) {
    for index in claims.indices where isMeant(claims[index]) {
      claims[index].certainty = min(claims[index].certainty, .perhaps)
    }
  }

  /// An item that came later rests on what was billed for the others.
  private func addNew(_ change: Claim, to claims: inout [Claim]) {
    var change = change
    change.certainty = .no
    for invoice in whole.invoices {
      for line in invoice.lines where line.start <= time && !line.isTrial && !line.isCredit {
        guard let item = line.item, let policy = whole.anyTerms(line.price) else { continue }
        let lenient = max(
          whole.leniently(line.end, policy), whole.leniently(line.end, terms(change.price) ?? policy))
        guard whole.force(invoice, until: line.end, policy).charges != .no, time < lenient else { continue }
        // Its ground may have been credited or replaced, or may itself not be paid; then it is open.
        let isSound =
          whole.lineage(item) != lineage && invoice.status == "paid" && time < line.end && !whole.isCredited(line)
          && whole.force(invoice, until: line.end, policy).charges == .yes && status == "active"
        change.certainty = max(change.certainty, isSound && isOnlyNew && !whole.hasLostItems ? .yes : .perhaps)
      }
    }
    claims.append(change)
  }

  private var isOnlyNew: Bool {
    !whole.invoices.flatMap(\.lines).contains { $0.item.map { whole.lineage($0) } == lineage }
  }

  private var hasPendingCredit: Bool {
    subscription.pending.contains { $0.isCredit && $0.item.map { whole.lineage($0) } == lineage }
  }

  /// Whether the item's price was asked for at this time and is not in force: refused, or returned.
  private func wasBilledInVain(_ item: ModelItem) -> Bool {
    whole.invoices.contains { invoice in
      invoice.lines.contains { line in
        guard line.item.map({ whole.lineage($0) }) == lineage, !line.isCredit, !line.isTrial, line.price == item.price,
          line.quantity >= item.quantity, line.start <= time, time < line.end, let policy = policy(line.price)
        else { return false }
        return whole.force(invoice, until: line.end, policy).charges == .no
      }
    }
  }

  /// What no item gives any more goes on to its end when it was paid and not given back, if that is how a cancellation
  /// ends. Another item may have come in its place in a second call.
  private func endWhatIsSoldNoMore(_ claims: inout [Claim]) {
    for index in claims.indices {
      guard let terms = terms(claims[index].price) else { continue }
      let isSold = item.map { self.terms($0.price) != nil } ?? false
      if isSold { continue }
      let isOver = item == nil && (whole.hasLaterItems(than: lineage) || hasPendingCredit)
      if terms.onCancel != .expire || isOver || !claims[index].isPaid || time >= claims[index].end {
        claims[index].certainty = min(claims[index].certainty, .perhaps)
      }
    }
  }
}

extension SubscriptionOracle {
  /// The terms of a price, whichever it gives.
  func anyTerms(_ price: String) -> Terms? { oracle.offer.terms(of: price).first }

  /// Whether a change has given a line's time back.
  func isCredited(_ line: ModelLine) -> Bool {
    invoices.contains { invoice in
      invoice.lines.contains { $0.isCredit && $0.credited?.line == line.id }
    }
  }

  /// Whether something was removed that had been billed.
  var hasLostItems: Bool {
    let present = Set(subscription.items.map { lineage($0.id) })
    return invoices.flatMap(\.lines).contains { $0.item.map { !present.contains(lineage($0)) } ?? false }
  }

  /// Whether an item came that the first invoice did not have.
  func hasLaterItems(than lineage: String) -> Bool {
    let first = Set(invoices.first?.lines.compactMap(\.item).map { self.lineage($0) } ?? [])
    return subscription.items.contains { self.lineage($0.id) != lineage && !first.contains(self.lineage($0.id)) }
  }
}
