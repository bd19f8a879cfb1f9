import Foundation
import Identity
import LicenseKitAPI
import StripeAPI

extension Decider {
  func decideSubscription(_ id: Stripe.SubscriptionID, _ knowledge: Knowledge) -> Decision {
    guard let subscription = knowledge.subscription(id) else {
      return knowledge.isMissing(FactKey(id))
        ? Decision(status: .ended, reason: "Stripe does not know subscription \(id).")
        : Decision(status: .pending, questions: [.subscription(id)])
    }
    var questions = knowledge.moneyQuestions + knowledge.unlinkedPaymentQuestions
    if subscription.hasMoreItems { questions.append(.subscription(id)) }
    // Invoices tell what is paid; the newest one decides between "paid" and "due".
    if let latest = subscription.latestInvoice, subscription.status != .incompleteExpired,
      knowledge.invoice(latest) == nil, !knowledge.isMissing(FactKey(latest))
    {
      questions.append(.invoice(latest))
    }
    questions += knowledge.invoices.filter { $0.hasMoreLines && ($0.isShared || !$0.lines(of: id).isEmpty) }
      .map { .invoice($0.id) }
    questions += knowledge.staleInvoiceQuestions(now: now)
    guard questions.isEmpty else { return Decision(status: .pending, questions: Knowledge.unique(questions)) }

    let ledger = Ledger(of: subscription, in: knowledge)
    if let decision = decisionOnAnomalies(ledger, knowledge) { return decision }
    if knowledge.isOlder(subscription, than: ledger) {
      return Decision(status: .pending, questions: [.subscription(id)])
    }
    let lines = SubscriptionLines(subscription, ledger, knowledge, self)
    if let question = lines.missingHistory { return Decision(status: .pending, questions: [question]) }

    let session = knowledge.sessions.first { $0.subscription == id }
    let invoice = knowledge.invoices.first { $0.subscription == id && $0.customerEmail != nil }
    let customerID = subscription.customer ?? session?.customer
    let customer = customer(
      stripe: customerID, guest: id.rawValue, email: session?.email ?? invoice?.customerEmail,
      name: session?.name ?? invoice?.customerName, known: customerID.flatMap { knowledge[FactKey($0)] })
    var decision = decision(lines.outcomes, unmapped: lines.unmapped, excess: lines.excess, customer: customer)
    if !lines.notes.isEmpty {
      decision.reason = ([decision.reason].compactMap { $0 } + lines.notes).joined(separator: " ")
    }
    return decision
  }

  /// How long Stripe's answer about something that cannot be interpreted stands before Stripe is asked again.
  private static let anomalyStands: TimeInterval = 3_600

  /// What cannot be interpreted never takes anything away. Stripe is asked, and if its answer is the same, the purchase keeps
  /// what it has until a person has looked or Stripe says something else.
  func decisionOnAnomalies(_ ledger: Ledger, _ knowledge: Knowledge) -> Decision? {
    guard !ledger.anomalies.isEmpty else { return nil }
    let stale = ledger.anomalies.map(\.invoice).filter { invoice in
      let key = FactKey(invoice)
      guard knowledge.hasFetched(key), let asOf = knowledge.asOf(key) else { return !knowledge.isMissing(key) }
      return now.timeIntervalSince(asOf) >= Self.anomalyStands
    }
    guard stale.isEmpty else {
      return Decision(status: .pending, questions: Knowledge.unique(stale.map { .invoice($0) }))
    }
    let sentences = Knowledge.unique(ledger.anomalies.map(\.sentence)).joined(separator: " ")
    return Decision(
      status: .failed,
      reason: "\(sentences) Licenses stay as they are. Correct it at Stripe, or replay when it is right.",
      nextLook: now.addingTimeInterval(86_400))
  }
}

/// The lines of a subscription under the mappings: each lineage under each LicenseKit product that it gives, and the one-time
/// lines beside it.
private struct SubscriptionLines {
  private(set) var outcomes: [Decider.LineOutcome] = []
  private(set) var unmapped: [String] = []
  private(set) var excess: Decider.Excess?
  private(set) var notes: [String] = []
  /// What must be known before uncovered access may be withheld.
  private(set) var missingHistory: Question?

  private let subscription: Stripe.Subscription
  private let ledger: Ledger
  private let knowledge: Knowledge
  private let decider: Decider

  init(_ subscription: Stripe.Subscription, _ ledger: Ledger, _ knowledge: Knowledge, _ decider: Decider) {
    self.subscription = subscription
    self.ledger = ledger
    self.knowledge = knowledge
    self.decider = decider
    let recorded = decider.pinned.reduce(into: [String: Lineages.Pinned]()) { lines, pair in
      if pair.value.isOpen { return }
      lines[pair.key.line, default: .init()].prices.formUnion([pair.value.price].compactMap { $0 })
      lines[pair.key.line, default: .init()].products.insert(pair.key.product)
    }
    let (lineages, once) = Lineages(
      subscription: subscription, ledger: ledger,
      offers: { price, product in
        Set(decider.mapped(price, product).map { .init(product: $0.terms.product, policy: $0.terms.policy) })
      }, recorded: recorded
    ).sorted()
    // No event came for the invoice whose charge is credited.
    if ledger.hasCreditWithoutCharge { askForInvoices() }
    for (index, lineage) in lineages.enumerated() {
      var others = lineages
      others.remove(at: index)
      add(lineage, beside: others)
    }
    add(once, beside: lineages)
  }

  // MARK: Lineages

  private mutating func add(_ lineage: Lineage, beside others: [Lineage]) {
    let current = lineage.item.map { item in
      decider.terms(
        of: SoldLine(
          key: lineage.names.last ?? "", price: item.price, product: item.product, quantity: item.quantity,
          formerKeys: lineage.names.dropLast(), former: lineage.pricesPaid.filter { $0.price != item.price }))
    }
    if let item = lineage.item, current?.areCurrent == false {
      unmapped += [item.price.rawValue, item.product.rawValue]
    }
    var products: Set<ProductID> = []
    for pinnedTerms in current?.pinnedTerms ?? [] {
      products.insert(pinnedTerms.terms.product)
      add(lineage, pinnedTerms, isCurrent: true, fallback: current?.areCurrent == false, beside: others)
    }
    // Time that was paid for a former price and not credited goes on until it ends.
    for former in lineage.pricesPaid where former.price != lineage.item?.price {
      for pinnedTerms in decider.pinnedTerms(lineage.names, former.price, former.product)
      where products.insert(pinnedTerms.terms.product).inserted {
        add(lineage, pinnedTerms, isCurrent: false, fallback: false, beside: others)
      }
    }
  }

  private mutating func add(
    _ lineage: Lineage, _ pinnedTerms: Decider.PinnedTerms, isCurrent: Bool, fallback: Bool, beside others: [Lineage]
  ) {
    let (terms, decider) = (pinnedTerms.terms, decider)
    let gives = { (price: Stripe.PriceID?, product: Stripe.ProductID?) -> Bool in
      if isCurrent, price == lineage.item?.price { return true }
      let then = decider.pinnedTerms(lineage.names, price, product)
      return then.isEmpty ? isCurrent : then.contains { $0.terms.product == terms.product }
    }
    let time = PaidTime(
      lineage: lineage, others: others, subscription: subscription, terms: terms, isCurrent: isCurrent, gives: gives,
      now: decider.now)
    let finding = time.find()
    if !isCurrent, finding.claims.isEmpty { return }
    askForHistory(finding)
    var pinnedTerms = pinnedTerms
    if isCurrent, let price = finding.price, price.price != lineage.item?.price,
      let former = decider.pinnedTerms(lineage.names, price.price, price.product)
        .first(where: { $0.terms.product == terms.product })
    {
      pinnedTerms = former
    }
    let pause = subscription.pause(hasPaid: !lineage.pricesPaid.isEmpty)
    let entitlement = knowledge.entitlement(
      of: finding, in: subscription, ledger, terms: pinnedTerms.terms, pause: pause, now: decider.now)
    let quantity = max(finding.granted, finding.wanted)
    excess = excess ?? decider.excess(quantity, key(of: lineage, terms.product), pinnedTerms)
    outcomes.append(
      .init(line: line(lineage, pinnedTerms, quantity, finding, entitlement, gives, pause), entitlement: entitlement))
  }

  /// Asks Stripe before access goes on without news of the current period, and before access is refused because money is
  /// missing. The subscription may be older than the installation, so that its first invoices are unknown.
  private mutating func askForHistory(_ finding: PaidTime.Finding) {
    if finding.isSilent, !knowledge.hasFetched(FactKey(subscription.id)) {
      missingHistory = .subscription(subscription.id)
      return
    }
    guard
      finding.granted < finding.wanted || finding.claims.contains(where: { $0.basis != .paid && $0.basis != .trial })
    else { return }
    guard ![.incomplete, .incompleteExpired].contains(subscription.status), subscription.latestInvoice != nil else {
      return
    }
    let known = ledger.entries.compactMap { $0.span?.start }.min() ?? .distantFuture
    // An invoice without an event, a draft or a paid one, may cover the period.
    let isRefused = finding.granted < finding.wanted && finding.lapse == .late && !subscription.status.isTerminal
    guard isRefused || known > subscription.created.addingTimeInterval(86_400) || finding.hasGap else { return }
    askForInvoices()
  }

  private mutating func askForInvoices() {
    let list = FactKey.invoices(of: subscription.id)
    if knowledge.isMissing(list) { return }
    if let asked = knowledge.asOf(list), asked >= knowledge.asOf(FactKey(subscription.id)) ?? .distantPast { return }
    missingHistory = .invoices(of: subscription.id)
  }

  private func key(of lineage: Lineage, _ product: ProductID) -> LineKey {
    LineKey(line: lineage.name(for: product, recorded: decider.pinned.keys), product: product)
  }

  private func line(
    _ lineage: Lineage, _ pinnedTerms: Decider.PinnedTerms, _ quantity: Int, _ finding: PaidTime.Finding,
    _ entitlement: Entitlement, _ gives: (Stripe.PriceID?, Stripe.ProductID?) -> Bool,
    _ pause: Stripe.Subscription.Pause
  ) -> DesiredLine {
    let product = pinnedTerms.terms.product
    let key = key(of: lineage, product)
    let record = "\(subscription.id):\(key.line)"
    let sold = lineage.entries.filter { $0.direction == .charge && $0.paidAt != nil && $0.span != nil }
      .sorted { ($0.span?.start ?? $0.billed, $0.billed, $0.id) < ($1.span?.start ?? $1.billed, $1.billed, $1.id) }
    let own = sold.filter { gives($0.price, $0.product) }
    let wasSold =
      !entitlement.awaitsPayment && (finding.soldThrough ?? finding.lastEnd ?? finding.claims.first?.until) != nil
    let orders = own.compactMap { entry in
      entry.invoice.map { invoice in
        DesiredOrder(
          externalID: "\(invoice):\(entry.id)", product: product,
          isRefunded: entry.returned == .all || entry.returned == .lost,
          subscription: record, periodStart: entry.span?.start, periodEnd: entry.span?.end,
          price: entry.price, stripeProduct: entry.product)
      }
    }
    let start =
      (own.isEmpty ? sold : own).compactMap { $0.span?.start }.min() ?? lineage.item?.currentPeriodStart
      ?? subscription.created
    let units =
      wasSold
      ? decider.units(
        key, pinnedTerms, quantity: quantity, entitlement, finding: finding,
        late: subscription.lateCause(pause) ?? .canceled,
        .init(startsAt: start, order: orders.last?.externalID, subscription: record)) : []
    let item = lineage.item
    return DesiredLine(
      key: key, pinnedTerms: pinnedTerms, price: finding.price?.price ?? item?.price,
      stripeProduct: finding.price?.product ?? item?.product,
      quantity: quantity,
      subscription: wasSold
        ? desiredRecord(record, product: product, item: item, paidThrough: entitlement.paidThrough, startsAt: start)
        : nil,
      orders: wasSold ? orders : [], units: units, unpaid: entitlement.awaitsPayment ? subscription.unpaid : nil,
      causes: entitlement.causes, paidThrough: entitlement.paidThrough)
  }

  private func desiredRecord(
    _ externalID: String, product: ProductID, item: Stripe.Subscription.Item?, paidThrough: Date?, startsAt: Date
  ) -> DesiredSubscription {
    // A removed item has no more periods: its record ends with its paid time.
    let status: SubscriptionStatus = item == nil ? .canceled : subscription.recordStatus
    let start = item == nil ? startsAt : item?.currentPeriodStart ?? subscription.created
    let end =
      (item == nil ? paidThrough : item?.currentPeriodEnd) ?? subscription.trialEnd ?? subscription.endedAt ?? start
    return DesiredSubscription(
      externalID: externalID, product: product, status: status, periodStart: start,
      periodEnd: max(end, start.addingTimeInterval(1)),
      cancelAtPeriodEnd: subscription.status.isTerminal
        ? false : subscription.cancelAtPeriodEnd || subscription.cancelAt != nil,
      canceledAt: status == .canceled ? subscription.endedAt ?? subscription.canceledAt ?? end : nil)
  }

  // MARK: What is bought once

  /// One-time prices that were sold with a subscription: they are on its invoices but on none of its items (Stripe docs,
  /// "Checkout: one-time prices in subscription mode").
  private mutating func add(_ once: [Ledger.Entry], beside lineages: [Lineage]) {
    for entry in once where entry.direction == .charge && !entry.isChange && entry.price != nil {
      guard entry.paidAt != nil, let invoice = entry.invoice.flatMap({ knowledge.invoice($0) }) else { continue }
      let line = SoldLine(
        key: entry.id, price: entry.price, product: entry.product, quantity: entry.quantity)
      if isFee(line, on: entry, beside: lineages) {
        notes.append(
          "\(entry.price?.rawValue ?? "") is bought once and is of a product that the subscription sells: a fee, which "
            + "gives no license of its own. A mapping of that price decides otherwise.")
        continue
      }
      let terms = decider.terms(of: line)
      if !terms.areCurrent { unmapped += [line.price?.rawValue, line.product?.rawValue].compactMap { $0 } }
      let money = knowledge.reversals(of: invoice)
      for pinnedTerms in terms.pinnedTerms {
        let entitlement = knowledge.entitlement(of: entry, money: money, terms: pinnedTerms.terms, now: decider.now)
        excess =
          excess
          ?? decider.excess(line.quantity, LineKey(line: line.key, product: pinnedTerms.terms.product), pinnedTerms)
        outcomes.append(
          decider.oneTimeLine(line, pinnedTerms, source: subscription.id.rawValue, entitlement: entitlement))
      }
    }
    notes = Knowledge.unique(notes)
  }

  /// A setup fee is a one-time price of a product that the subscription already sells when the fee is charged.
  private func isFee(_ line: SoldLine, on entry: Ledger.Entry, beside lineages: [Lineage]) -> Bool {
    let isSubscribedTo = lineages.contains { lineage in
      lineage.entries.contains { $0.product == line.product && $0.billed <= entry.billed }
        || (lineage.item?.product == line.product
          && lineage.item?.created ?? subscription.created <= entry.billed.addingTimeInterval(3_600))
    }
    guard line.product != nil, isSubscribedTo || isTried(line.product, by: entry.billed) else { return false }
    return !decider.mappings.contains { $0.reference == line.price.map(Mapping.Reference.price) }
  }

  /// Whether an item of the product was on an invoice by then, even if the line only began a trial: such a line sells nothing,
  /// and the item may have been replaced since.
  private func isTried(_ product: Stripe.ProductID?, by moment: Date) -> Bool {
    knowledge.invoices.contains { invoice in
      invoice.created <= moment
        && invoice.lines(of: subscription.id).contains { $0.subscriptionItem != nil && $0.product == product }
    }
  }
}

extension Stripe.Subscription {
  /// What happens to issued units of a line while nothing was paid for it.
  fileprivate var unpaid: DesiredLine.Unpaid {
    switch status {
    case .incomplete, .trialing, .unknown: .leavesIssued
    case .incompleteExpired, .active, .pastDue, .unpaid, .paused, .canceled: .suspendsIssued
    }
  }

  fileprivate var recordStatus: SubscriptionStatus {
    switch status {
    case .trialing: .trialing
    case .active, .incomplete, .unknown: .active
    case .pastDue, .unpaid: .pastDue
    case .paused: .paused
    case .canceled, .incompleteExpired: .canceled
    }
  }
}
