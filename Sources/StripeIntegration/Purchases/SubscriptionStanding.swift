import Identity
import Foundation
import StripeAPI

extension Knowledge {
  /// The invoices of the subscription that sold a period of one item, prorations aside.
  func invoices(for item: Stripe.Subscription.Item, of subscription: Stripe.Subscription) -> [(
    invoice: Stripe.Invoice, line: Stripe.Invoice.Line
  )] {
    invoices
      .filter { $0.subscription == subscription.id }
      .flatMap { invoice in invoice.lines.map { (invoice: invoice, line: $0) } }
      .filter { _, line in
        guard !line.isProration, line.periodEnd != nil else { return false }
        return line.subscriptionItem == item.id || (line.subscriptionItem == nil && line.price == item.price)
      }
      .sorted { ($0.line.periodEnd ?? .distantPast, $0.invoice.id) < ($1.line.periodEnd ?? .distantPast, $1.invoice.id) }
  }

  /// What one item of a subscription entitles to.
  ///
  /// Access follows what is paid: the end of the last paid period, and the vendor's grace beyond it. The grace counts
  /// from when the open invoice was due, not from when the news of it arrived.
  func standing(
    of item: Stripe.Subscription.Item, in subscription: Stripe.Subscription, terms: Terms, now: Date
  ) -> Standing {
    let periods = invoices(for: item, of: subscription)
    let paidPeriods = periods.filter { entry in
      guard entry.invoice.status == .paid else { return false }
      // The free invoice of a trial that is not licensed sells nothing.
      if !terms.trial, let trialEnd = subscription.trialEnd, let end = entry.line.periodEnd, end <= trialEnd { return false }
      return true
    }
    let latest = subscription.latestInvoice.flatMap { invoice($0) }
    var paidThrough = paidPeriods.compactMap(\.line.periodEnd).max()
    func extend(_ date: Date?) { if let date { paidThrough = max(paidThrough ?? date, date) } }

    switch subscription.status {
    case .trialing where terms.trial:
      extend(subscription.trialEnd ?? item.currentPeriodEnd)
    case .active where subscription.latestInvoice == nil || latest?.status == .paid:
      extend(item.currentPeriodEnd)
    default: break
    }

    // Money that moved back on the payment of the newest paid period. A later paid period starts with a clean slate.
    let newest = paidPeriods.last
    let money = newest.map { moneyBack(on: charges(paying: $0.invoice)) } ?? MoneyBack()
    let isFirstPeriod = paidPeriods.count <= 1

    if !money.lostDisputes.isEmpty {
      return Standing(access: .ended(revoke: true, "The dispute was lost."), paidThrough: paidThrough)
    }
    var causes: Set<Cause> = []
    if money.isFullyRefunded {
      switch terms.onFullRefund {
      case .revoke where isFirstPeriod || subscription.status.isTerminal:
        return Standing(access: .ended(revoke: true, "The payment was refunded in full."), paidThrough: paidThrough)
      case .revoke, .suspend: causes.insert(.refunded)
      case .keep: break
      }
    }
    if money.isRefundPending, terms.onFullRefund != .keep { causes.insert(.refundPending) }
    if !money.openDisputes.isEmpty, terms.onDispute == .suspend { causes.insert(.disputed) }

    return standing(
      subscription: subscription, latest: latest, paidThrough: paidThrough, causes: causes, terms: terms, now: now)
  }

  private func standing(
    subscription: Stripe.Subscription, latest: Stripe.Invoice?, paidThrough: Date?, causes: Set<Cause>, terms: Terms,
    now: Date
  ) -> Standing {
    var causes = causes
    var nextChange: Date?

    /// Access until a moment, then the cause.
    func withhold(_ cause: Cause, from moment: Date) {
      if moment <= now { causes.insert(cause) } else { nextChange = min(nextChange ?? moment, moment) }
    }
    func result() -> Standing {
      guard let paidThrough else {
        return Standing(access: .awaitingPayment("The subscription has not been paid yet."), nextChange: nextChange)
      }
      return Standing(
        access: causes.isEmpty ? .granted : .withheld(causes), paidThrough: paidThrough, nextChange: nextChange)
    }

    switch subscription.status {
    case .incomplete, .unknown:
      return Standing(access: .awaitingPayment("The first payment of the subscription is open."))
    case .incompleteExpired:
      return Standing(access: .ended(revoke: false, "The first payment of the subscription was never made."))
    case .trialing:
      if !terms.trial { return Standing(access: .awaitingPayment("The subscription is in trial, and the mapping does not license trials.")) }
    case .active:
      if subscription.isCollectionPaused, terms.onPause == .suspend { causes.insert(.collectionPaused) }
      // Between the turn of a period and its payment the subscription is active on an unpaid invoice.
      if let latest, latest.status == .open || latest.status == .uncollectible, let paidThrough {
        withhold(.pastDue, from: max(paidThrough, latest.dueDate ?? paidThrough).addingTimeInterval(terms.grace))
      }
    case .pastDue:
      if subscription.isCollectionPaused, terms.onPause == .suspend { causes.insert(.collectionPaused) }
      let due = latest.flatMap { $0.status == .paid ? nil : $0.dueDate ?? $0.created } ?? paidThrough ?? now
      withhold(.pastDue, from: due.addingTimeInterval(terms.grace))
    case .unpaid:
      causes.insert(.unpaid)
    case .paused:
      if terms.onPause == .suspend { causes.insert(.paused) }
    case .canceled:
      switch terms.onCancel {
      case .revoke:
        return Standing(access: .ended(revoke: true, "The subscription was canceled."), paidThrough: paidThrough)
      case .suspend:
        return Standing(access: .ended(revoke: false, "The subscription was canceled."), paidThrough: paidThrough)
      case .expire:
        guard let paidThrough, paidThrough > now else {
          return Standing(
            access: .ended(revoke: false, "The subscription has ended, and so has what was paid for."), paidThrough: paidThrough)
        }
        nextChange = paidThrough
      }
    }
    return result()
  }
}
