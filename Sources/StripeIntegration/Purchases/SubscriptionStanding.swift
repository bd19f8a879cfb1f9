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
    let latest = subscription.latestInvoice.flatMap { invoice($0) }
    let sold = paidPeriods(of: item, in: subscription)
    let paidThrough = paidThrough(of: item, in: subscription, sold: sold, latest: latest, terms: terms)

    var causes: Set<Cause> = []
    if let end = judgeMoney(of: subscription, sold: sold, terms: terms, causes: &causes) {
      return Standing(access: end, paidThrough: paidThrough)
    }
    return standing(
      subscription: subscription, latest: latest, paidThrough: paidThrough, causes: causes, terms: terms, now: now)
  }

  /// The paid periods that an item's access rests on. An item that was added in the middle of a period has none of its
  /// own until the next: what was paid for the subscription carries it.
  private func paidPeriods(of item: Stripe.Subscription.Item, in subscription: Stripe.Subscription) -> [SoldPeriod] {
    let paid = periods(of: subscription).filter { $0.invoice.status == .paid && !$0.isFreeTrial(of: subscription) }
    let own = paid.filter {
      $0.line.subscriptionItem == item.id || ($0.line.subscriptionItem == nil && $0.line.price == item.price)
    }
    return own.isEmpty ? paid : own
  }

  private func paidThrough(
    of item: Stripe.Subscription.Item, in subscription: Stripe.Subscription, sold: [SoldPeriod],
    latest: Stripe.Invoice?, terms: Terms
  ) -> Date? {
    // The newest period, not the latest end: who changes from years to months has been credited the rest of the year.
    var paidThrough = sold.last?.line.periodEnd
    func extend(_ date: Date?) { if let date { paidThrough = max(paidThrough ?? date, date) } }

    // A trial is not paid for, so it does not outlive the subscription.
    if terms.trial, !subscription.status.isTerminal {
      extend(subscription.trialEnd)
      if subscription.status == .trialing { extend(item.currentPeriodEnd) }
    }
    guard subscription.status == .active else { return paidThrough }
    let isTrialInvoice =
      latest.map { invoice in
        !invoice.lines.isEmpty
          && invoice.lines.allSatisfy { SoldPeriod(invoice: invoice, line: $0).isFreeTrial(of: subscription) }
      } ?? false
    if subscription.latestInvoice == nil || (latest?.status == .paid && !isTrialInvoice) {
      extend(item.currentPeriodEnd)
    }
    guard paidThrough != nil else { return nil }
    // A vendor who voids the invoice of a running subscription, or pauses collection and wants access to go on, gives
    // the period away.
    if latest?.status == .void || (subscription.isCollectionPaused && terms.onPause == .keep) {
      extend(item.currentPeriodEnd)
    }
    // An invoice that was sent is not late before it is due.
    if latest?.status == .open { extend(latest?.dueDate) }
    return paidThrough
  }

  /// Money that moved back. A refund concerns its own period: a later paid one starts with a clean slate. A dispute
  /// concerns the buyer: an open one withholds whichever payment it is about, a lost one ends unless something was paid
  /// since.
  /// - Returns: how the sale ended by it, if it did.
  private func judgeMoney(
    of subscription: Stripe.Subscription, sold: [SoldPeriod], terms: Terms, causes: inout Set<Cause>
  ) -> Standing.Access? {
    guard let newest = sold.last?.invoice else { return nil }
    let money = moneyBack(on: charges(paying: newest))
    let everything = moneyBack(on: charges)
    let lostSince = disputes.contains { everything.lostDisputes.contains($0.id) && $0.created >= newest.created }
    if !money.lostDisputes.isEmpty || lostSince {
      return .ended(revoke: true, "The dispute was lost.")
    }
    if money.isFullyRefunded {
      let isFirst = Set(sold.filter { $0.invoice.total > 0 }.map(\.invoice.id)).count <= 1
      switch terms.onFullRefund {
      case .revoke where isFirst || subscription.status.isTerminal:
        return .ended(revoke: true, "The payment was refunded in full.")
      case .revoke, .suspend: causes.insert(.refunded)
      case .keep: break
      }
    }
    if money.isRefundPending, terms.onFullRefund != .keep { causes.insert(.refundPending) }
    if !everything.openDisputes.isEmpty, terms.onDispute == .suspend { causes.insert(.disputed) }
    return nil
  }

  private func standing(
    subscription: Stripe.Subscription, latest: Stripe.Invoice?, paidThrough: Date?, causes: Set<Cause>, terms: Terms,
    now: Date
  ) -> Standing {
    switch subscription.status {
    case .incomplete, .unknown:
      return Standing(access: .awaitingPayment("The first payment of the subscription is open."))
    case .incompleteExpired:
      return Standing(access: .ended(revoke: false, "The first payment of the subscription was never made."))
    default: break
    }
    guard let paidThrough else {
      return Standing(
        access: subscription.status == .canceled
          ? .ended(revoke: false, "The subscription was canceled before anything was paid.")
          : .awaitingPayment(
            subscription.status == .trialing
              ? "The subscription is in trial, and the mapping does not license trials."
              : "The subscription has not been paid yet."))
    }
    var causes = causes
    var nextChange: Date?

    /// Access until a moment, then the cause.
    func withhold(_ cause: Cause, from moment: Date) {
      if moment <= now { causes.insert(cause) } else { nextChange = min(nextChange ?? moment, moment) }
    }

    if subscription.isCollectionPaused, terms.onPause == .suspend, !subscription.status.isTerminal {
      causes.insert(.collectionPaused)
    }
    switch subscription.status {
    case .trialing:
      if !terms.trial { withhold(.pastDue, from: paidThrough.addingTimeInterval(terms.grace)) }
    case .active:
      // Between the turn of a period and its payment the subscription is active on an unpaid invoice.
      if let latest, latest.status == .open || latest.status == .uncollectible {
        withhold(.pastDue, from: max(paidThrough, latest.dueDate ?? paidThrough).addingTimeInterval(terms.grace))
      }
    case .pastDue:
      let due = latest.flatMap { $0.status == .paid ? nil : $0.dueDate ?? $0.created } ?? paidThrough
      withhold(.pastDue, from: max(due, paidThrough).addingTimeInterval(terms.grace))
    case .unpaid: causes.insert(.unpaid)
    case .paused: if terms.onPause == .suspend { causes.insert(.paused) }
    case .canceled:
      switch terms.onCancel {
      case .revoke:
        return Standing(access: .ended(revoke: true, "The subscription was canceled."), paidThrough: paidThrough)
      case .suspend:
        return Standing(access: .ended(revoke: false, "The subscription was canceled."), paidThrough: paidThrough)
      case .expire:
        guard paidThrough > now else {
          return Standing(
            access: .ended(revoke: false, "The subscription has ended, and so has what was paid for."),
            paidThrough: paidThrough)
        }
        nextChange = paidThrough
      }
    case .incomplete, .incompleteExpired, .unknown: break
    }
    return Standing(
      access: causes.isEmpty ? .granted : .withheld(causes), paidThrough: paidThrough, nextChange: nextChange,
      note: Self.note(on: subscription, paidThrough: paidThrough, nextChange: nextChange))
  }

  /// What is going to happen to access that is granted now.
  private static func note(
    on subscription: Stripe.Subscription, paidThrough: Date, nextChange: Date?
  ) -> String? {
    func day(_ date: Date) -> String { String(RFC3339.string(from: date).prefix(10)) }
    switch subscription.status {
    case .canceled:
      return "The subscription was canceled; what is paid for lasts until \(day(paidThrough))."
    case .pastDue, .active, .trialing:
      if subscription.status == .pastDue, let nextChange {
        return "A payment is overdue; access ends on \(day(nextChange)) unless it is paid."
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
