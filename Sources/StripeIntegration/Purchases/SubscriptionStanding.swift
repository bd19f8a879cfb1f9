import Foundation
import Identity
import JSON
import StripeAPI

extension Knowledge {
  /// A line of an invoice that sold a period.
  struct SoldPeriod {
    let invoice: Stripe.Invoice
    let line: Stripe.Invoice.Line
  }

  private func lines(of subscription: Stripe.Subscription) -> [SoldPeriod] {
    var lines: [SoldPeriod] = []
    for invoice in invoices where invoice.subscription == subscription.id {
      lines += invoice.lines.map { SoldPeriod(invoice: invoice, line: $0) }
    }
    return lines
  }

  /// Every period that invoices of the subscription sold, prorations aside; the newest last.
  private func periods(of subscription: Stripe.Subscription) -> [SoldPeriod] {
    let prices = Set(subscription.items.map(\.price))
    let periods = lines(of: subscription).filter { sold in
      guard !sold.line.isProration, sold.line.periodEnd != nil else { return false }
      return sold.line.subscriptionItem != nil || sold.line.price.map(prices.contains) == true
    }
    return periods.sorted { $0.order < $1.order }
  }

  /// The periods that invoices sold of one item.
  func invoices(for item: Stripe.Subscription.Item, of subscription: Stripe.Subscription) -> [SoldPeriod] {
    periods(of: subscription).filter { period in
      period.line.subscriptionItem == item.id
        || (period.line.subscriptionItem == nil && period.line.price == item.price)
    }
  }

  /// What an item was before it got its price of now, as paid invoices tell it, newest first.
  func formerPrices(
    of item: Stripe.Subscription.Item, in subscription: Stripe.Subscription
  ) -> [Decider.SoldLine.Former] {
    invoices(for: item, of: subscription).reversed()
      .filter { $0.invoice.status == .paid && $0.line.price != item.price }
      .map { .init(price: $0.line.price, product: $0.line.product) }
  }

  /// One-time prices that were sold with a subscription: they are on its invoices and on none of its items (Stripe docs,
  /// "Checkout: one-time prices in subscription mode"). Invoices for changes sell nothing.
  func oneTimeLines(of subscription: Stripe.Subscription) -> [SoldPeriod] {
    let prices = Set(subscription.items.map(\.price))
    return lines(of: subscription).filter { sold in
      guard sold.invoice.status == .paid, sold.invoice.billingReason != "subscription_update" else { return false }
      guard sold.line.subscriptionItem == nil, !sold.line.isProration, sold.line.amount >= 0 else { return false }
      return sold.line.price.map { !prices.contains($0) } ?? false
    }
  }

  /// What one item of a subscription entitles to.
  ///
  /// Access follows what is paid: the end of the last paid period, and the vendor's grace beyond it. The grace counts
  /// from when the open invoice was due, not from when the news of it arrived.
  func standing(
    of item: Stripe.Subscription.Item, in subscription: Stripe.Subscription, terms: Terms, now: Date
  ) -> Standing {
    let bills = bills(of: subscription, terms: terms)
    let sold = paidPeriods(of: item, in: subscription)
    let paidThrough = paidThrough(of: item, in: subscription, sold: sold, bills: bills, terms: terms)

    var judgment = Standing.Judgment(now: now)
    judgeMoney(of: subscription, sold: sold, terms: terms, &judgment)
    if !judgment.hasRevoked {
      switch subscription.status {
      case .incomplete, .unknown:
        return Standing(access: .awaitingPayment("The first payment of the subscription is open."))
      case .incompleteExpired:
        return Standing(
          access: .ended(revoke: false, "The first payment of the subscription was never made."), causes: [.unpaid],
          endedBy: .unpaid)
      default: break
      }
    }
    guard let paidThrough else { return Self.unpaidStanding(of: subscription) }
    judgeStatus(of: subscription, bills: bills, paidThrough: paidThrough, terms: terms, &judgment)
    var standing = judgment.standing(
      paidThrough: paidThrough,
      note: Self.note(on: subscription, bills: bills, paidThrough: paidThrough, nextChange: judgment.nextChange))
    if subscription.status == .pastDue {
      // An expiry follows: not by the hour that Stripe takes to make an invoice.
      let due = Self.dueDate(bills, paidThrough: paidThrough)
      if due > paidThrough.addingTimeInterval(86_400) { standing.dueAt = due }
    }
    return standing
  }

  private static func unpaidStanding(of subscription: Stripe.Subscription) -> Standing {
    switch subscription.status {
    case .canceled:
      Standing(
        access: .ended(revoke: false, "The subscription was canceled before anything was paid."), causes: [.canceled],
        endedBy: .canceled)
    case .trialing:
      Standing(access: .awaitingPayment("The subscription is in trial, and the mapping does not license trials."))
    default: Standing(access: .awaitingPayment("The subscription has not been paid yet."))
    }
  }

  // MARK: What is paid and what is due

  /// The invoices that decide between "paid" and "due".
  private struct Bills {
    var latest: Stripe.Invoice?
    /// The oldest that is not paid since something was paid last: what is due, was due then. A subscription that is left
    /// past due gets a new invoice with every period, and none of them begins the grace anew.
    var owed: Stripe.Invoice?
    /// Periods were given away since something was paid last.
    var hasGivenAway = false
    /// The end of the last of them.
    var givenAwayUntil: Date?
  }

  private func bills(of subscription: Stripe.Subscription, terms: Terms) -> Bills {
    var bills = Bills()
    bills.latest = subscription.latestInvoice.flatMap { invoice($0) }
    let own = invoices.filter { $0.subscription == subscription.id }.sorted {
      ($0.created, $0.id) < ($1.created, $1.id)
    }
    let lastPaid = own.last { $0.status == .paid && !$0.isCreditedInFull }?.created ?? .distantPast
    let since = own.filter { $0.created >= lastPaid }
    // What was given up without ever being asked for belongs to a pause that the vendor lets pass.
    func isLetPass(_ invoice: Stripe.Invoice) -> Bool {
      invoice.status == .uncollectible && invoice.attemptCount == 0 && terms.onPause == .keep
    }
    bills.owed = since.first { ($0.status == .open || $0.status == .uncollectible) && !isLetPass($0) }
    let given = since.filter { $0.status == .void || $0.isCreditedInFull || isLetPass($0) }
    bills.hasGivenAway = !given.isEmpty
    bills.givenAwayUntil = given.flatMap(\.lines).filter { !$0.isProration }.compactMap(\.periodEnd).max()
    return bills
  }

  /// The paid periods that an item's access rests on. An item that was added in the middle of a period has none of its
  /// own until the next: what was paid for the subscription carries it.
  private func paidPeriods(of item: Stripe.Subscription.Item, in subscription: Stripe.Subscription) -> [SoldPeriod] {
    let paid = periods(of: subscription).filter {
      $0.invoice.status == .paid && !$0.invoice.isCreditedInFull && !$0.isFreeTrial(of: subscription)
    }
    let own = paid.filter {
      $0.line.subscriptionItem == item.id || ($0.line.subscriptionItem == nil && $0.line.price == item.price)
    }
    return own.isEmpty ? paid : own
  }

  private func paidThrough(
    of item: Stripe.Subscription.Item, in subscription: Stripe.Subscription, sold: [SoldPeriod], bills: Bills,
    terms: Terms
  ) -> Date? {
    let latest = bills.latest
    // The newest period, not the latest end: who changes from years to months has been credited the rest of the year.
    var paidThrough = sold.last?.line.periodEnd
    func extend(_ date: Date?) { if let date { paidThrough = max(paidThrough ?? date, date) } }

    // A trial is not paid for, so it does not outlive the subscription.
    if terms.trial, !subscription.status.isTerminal {
      extend(subscription.trialEnd)
      if subscription.status == .trialing { extend(item.currentPeriodEnd) }
    }
    // A period that was given away counts, and does so when later ones are due.
    if paidThrough != nil, !subscription.status.isTerminal { extend(bills.givenAwayUntil) }
    guard subscription.status == .active else { return paidThrough }
    let isTrialInvoice =
      latest.map { invoice in
        !invoice.lines.isEmpty
          && invoice.lines.allSatisfy { SoldPeriod(invoice: invoice, line: $0).isFreeTrial(of: subscription) }
      } ?? false
    let isPaid = latest?.status == .paid && latest?.isCreditedInFull == false
    if subscription.latestInvoice == nil || (isPaid && !isTrialInvoice) {
      extend(item.currentPeriodEnd)
    }
    guard paidThrough != nil else { return nil }
    // A vendor who voids the invoice of a running subscription, or credits all of it, or pauses collection and wants
    // access to go on, gives the period away.
    if latest?.status == .void || latest?.isCreditedInFull == true
      || (subscription.isCollectionPaused && terms.onPause == .keep)
    {
      extend(item.currentPeriodEnd)
    }
    // An invoice that was sent is not late before it is due.
    if latest?.status == .open { extend(bills.owed?.dueDate) }
    return paidThrough
  }

  /// Money that moved back. A refund concerns its own period: a later paid one starts with a clean slate. A dispute and
  /// a warning concern the buyer: an open one withholds whichever payment it is about, a lost dispute ends unless
  /// something was paid since.
  private func judgeMoney(
    of subscription: Stripe.Subscription, sold: [SoldPeriod], terms: Terms, _ judgment: inout Standing.Judgment
  ) {
    guard let newest = sold.last else { return }
    let money = moneyBack(of: newest.invoice)
    let everything = moneyBack(on: charges)
    let lostSince = disputes.contains {
      everything.lostDisputes.contains($0.id) && $0.created >= newest.invoice.created
    }
    if !money.lostDisputes.isEmpty || lostSince { judgment.end(revoke: true, .disputeLost, "The dispute was lost.") }
    if money.isFullyRefunded {
      switch terms.onFullRefund {
      case .revoke where isFirst(newest, of: subscription, among: sold) || subscription.status.isTerminal:
        judgment.end(revoke: true, .refunded, "The payment was refunded in full.")
      case .revoke, .suspend: judgment.withhold(.refunded)
      case .keep: break
      }
    }
    if money.isRefundPending, terms.onFullRefund != .keep { judgment.withhold(.refundPending) }
    if !everything.openDisputes.isEmpty, terms.onDispute == .suspend { judgment.withhold(.disputed) }
    if !everything.openWarnings.isEmpty, terms.onFraudWarning == .suspend { judgment.withhold(.fraudWarning) }
  }

  /// Whether a paid period is the one that the subscription began with. One that begins much later is not, even when no
  /// earlier one is known: the subscription may be older than the installation.
  private func isFirst(
    _ newest: SoldPeriod, of subscription: Stripe.Subscription, among sold: [SoldPeriod]
  ) -> Bool {
    guard Set(sold.filter { $0.invoice.total > 0 }.map(\.invoice.id)).count <= 1 else { return false }
    let beginning = max(subscription.created, subscription.trialEnd ?? subscription.created)
    return newest.line.periodStart.map { $0 <= beginning.addingTimeInterval(86_400) } ?? true
  }

  private func judgeStatus(
    of subscription: Stripe.Subscription, bills: Bills, paidThrough: Date, terms: Terms,
    _ judgment: inout Standing.Judgment
  ) {
    if subscription.isCollectionPaused, terms.onPause == .suspend, !subscription.status.isTerminal {
      judgment.withhold(.collectionPaused)
    }
    switch subscription.status {
    case .trialing:
      if !terms.trial { judgment.withhold(.unlicensedTrial, from: paidThrough.addingTimeInterval(terms.grace)) }
    case .active:
      // Between the turn of a period and its payment the subscription is active on an invoice that is not paid yet,
      // which takes Stripe about an hour at every renewal.
      if let latest = bills.latest, [.draft, .open, .uncollectible].contains(latest.status) {
        let due = bills.owed?.dueDate ?? paidThrough
        judgment.withhold(.pastDue, from: max(paidThrough, due).addingTimeInterval(terms.outlasting))
      }
    case .pastDue:
      let due = Self.dueDate(bills, paidThrough: paidThrough)
      judgment.withhold(.pastDue, from: max(due, paidThrough).addingTimeInterval(terms.grace))
    case .unpaid: judgment.withhold(.unpaid)
    case .paused: if terms.onPause == .suspend { judgment.withhold(.paused) }
    case .canceled:
      switch terms.onCancel {
      case .revoke: judgment.end(revoke: true, .canceled, "The subscription was canceled.")
      case .suspend: judgment.end(revoke: false, .canceled, "The subscription was canceled.")
      case .expire where paidThrough <= judgment.now:
        judgment.end(revoke: false, .canceled, "The subscription has ended, and so has what was paid for.")
      case .expire: judgment.changes(at: paidThrough)
      }
    case .incomplete, .incompleteExpired, .unknown: break
    }
  }

  /// When what is owed was due. Where a whole period lies between what is paid and the oldest unpaid invoice that is
  /// known, an older one is missing: then it was due when what is paid ended.
  private static func dueDate(_ bills: Bills, paidThrough: Date) -> Date {
    guard let owed = bills.owed else { return paidThrough }
    let begins = owed.lines.filter { !$0.isProration }.compactMap(\.periodStart).min()
    if !bills.hasGivenAway, let begins, begins > paidThrough.addingTimeInterval(86_400) { return paidThrough }
    return owed.dueDate ?? owed.created
  }

  /// What is going to happen to access that is granted now.
  private static func note(
    on subscription: Stripe.Subscription, bills: Bills, paidThrough: Date, nextChange: Date?
  ) -> String? {
    func day(_ date: Date) -> String { String(RFC3339.string(from: date).prefix(10)) }
    switch subscription.status {
    case .canceled:
      return "The subscription was canceled; what is paid for lasts until \(day(paidThrough))."
    case .pastDue, .active, .trialing:
      if subscription.status == .pastDue, let nextChange {
        let attempt =
          bills.latest?.nextPaymentAttempt.map { "Stripe tries again on \(day($0))." }
          ?? "Stripe does not try again by itself."
        return "A payment is overdue; access ends on \(day(nextChange)) unless it is paid. \(attempt)"
      }
      guard subscription.cancelAtPeriodEnd || subscription.cancelAt != nil else { return nil }
      return "The subscription ends on \(day(subscription.cancelAt ?? paidThrough)) and does not renew."
    default: return nil
    }
  }
}

extension Knowledge.SoldPeriod {
  /// By when the period began, then by when it was billed.
  fileprivate var order: Order {
    Order(
      start: line.periodStart ?? line.periodEnd ?? .distantPast, billed: invoice.created,
      end: line.periodEnd ?? .distantPast, id: line.id.rawValue)
  }

  fileprivate struct Order: Comparable {
    let start: Date
    let billed: Date
    let end: Date
    let id: String

    static func < (a: Order, b: Order) -> Bool { (a.start, a.billed, a.end, a.id) < (b.start, b.billed, b.end, b.id) }
  }

  /// The invoice for nothing with which a trial begins: it sells nothing.
  fileprivate func isFreeTrial(of subscription: Stripe.Subscription) -> Bool {
    guard line.amount == 0, let trialEnd = subscription.trialEnd, let end = line.periodEnd else { return false }
    return end <= trialEnd
  }
}
