package import Foundation
import Identity
import JSON
package import StripeAPI

extension Knowledge {
  /// What a line of a subscription entitles to: the units found in its paid time, and what speaks against access.
  package func standing(
    of finding: PaidTime.Finding, in subscription: Stripe.Subscription, _ ledger: Ledger, terms: Terms,
    pause: Stripe.Subscription.Pause, now: Date
  ) -> Standing {
    var judgment = Standing.Judgment(now: now)
    judgeDisputes(ledger, terms: terms, &judgment)
    judge(finding.lapse, of: subscription, finding, terms: terms, &judgment)
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
      if finding.lapse == .neverPaid { return Self.unpaidStanding(of: subscription) }
    }
    judgeStatus(of: subscription, finding, terms: terms, pause: pause, &judgment)
    if let change = finding.nextChange { judgment.changes(at: change) }
    let paidThrough = finding.claims.map(\.paidTo).max() ?? finding.lastEnd ?? finding.soldThrough
    return judgment.standing(
      paidThrough: paidThrough, note: note(on: subscription, finding, paidThrough: paidThrough))
  }

  private static func unpaidStanding(of subscription: Stripe.Subscription) -> Standing {
    switch subscription.status {
    case .canceled:
      Standing(
        access: .ended(revoke: false, "The subscription was canceled before anything was paid."), causes: [.canceled],
        endedBy: .canceled)
    case .trialing:
      Standing(access: .awaitingPayment("The subscription is in trial, and the mapping does not license trials."))
    case .paused:
      Standing(access: .awaitingPayment("The subscription is paused, and nothing was paid before."))
    default:
      Standing(access: .awaitingPayment("The subscription has not been paid yet."), causes: [.pastDue])
    }
  }

  /// A dispute or fraud warning concerns the buyer. While it is open it withholds access, whichever payment it is about, even
  /// a setup fee's in a trial. A lost dispute ends access, unless something was paid after it was opened.
  private func judgeDisputes(_ ledger: Ledger, terms: Terms, _ judgment: inout Standing.Judgment) {
    let everything = moneyBack(on: charges)
    let newest = ledger.entries.filter { $0.amount > 0 }.compactMap(\.paidAt).max() ?? .distantPast
    let lostSince = disputes.contains { everything.lostDisputes.contains($0.id) && $0.created >= newest }
    if lostSince { judgment.end(revoke: true, .disputeLost, "The dispute was lost.") }
    if !everything.openDisputes.isEmpty, terms.onDispute == .suspend { judgment.withhold(.disputed) }
    if !everything.openWarnings.isEmpty, terms.onFraudWarning == .suspend { judgment.withhold(.fraudWarning) }
  }

  /// Judges why the subscribed units are not granted. If any unit is granted, it stays granted: the cause concerns the
  /// others.
  private func judge(
    _ lapse: PaidTime.Lapse?, of subscription: Stripe.Subscription, _ finding: PaidTime.Finding, terms: Terms,
    _ judgment: inout Standing.Judgment
  ) {
    guard finding.claims.isEmpty else { return }
    switch lapse {
    case .returned(let whole):
      if terms.onFullRefund == .revoke, whole || subscription.status.isTerminal {
        judgment.end(revoke: true, .refunded, "The payment was refunded in full.")
      } else {
        judgment.withhold(.refunded)
      }
    case .returnPending: judgment.withhold(.refundPending)
    case .lost: if !judgment.hasRevoked { judgment.end(revoke: true, .disputeLost, "The dispute was lost.") }
    case .late, .neverPaid, nil: break
    }
  }

  private func judgeStatus(
    of subscription: Stripe.Subscription, _ finding: PaidTime.Finding, terms: Terms,
    pause: Stripe.Subscription.Pause, _ judgment: inout Standing.Judgment
  ) {
    if subscription.isCollectionPaused, terms.onPause == .suspend, !subscription.status.isTerminal {
      judgment.withhold(.collectionPaused)
    }
    switch subscription.status {
    case .paused where pause == .asked && terms.onPause == .suspend: judgment.withhold(.paused)
    case .canceled:
      switch terms.onCancel {
      case .revoke: judgment.end(revoke: true, .canceled, "The subscription was canceled.")
      case .suspend: judgment.end(revoke: false, .canceled, "The subscription was canceled.")
      case .expire where finding.claims.isEmpty:
        judgment.end(revoke: false, .canceled, "The subscription has ended, and so has what was paid for.")
      case .expire: break
      }
    default: break
    }
    if finding.claims.isEmpty, finding.lapse == .late, let cause = subscription.lateCause(pause) {
      judgment.withhold(cause)
    }
  }

  /// What is going to happen to access that is granted now.
  private func note(
    on subscription: Stripe.Subscription, _ finding: PaidTime.Finding, paidThrough: Date?
  ) -> String? {
    func day(_ date: Date) -> String { String(RFC3339.string(from: date).prefix(10)) }
    guard let paidThrough else { return nil }
    switch subscription.status {
    case .canceled:
      return "The subscription was canceled; what is paid for lasts until \(day(paidThrough))."
    case .pastDue, .active, .trialing, .unpaid, .paused:
      if subscription.status == .pastDue || subscription.status == .unpaid {
        let ends = finding.claims.filter { $0.basis == .awaited || $0.basis == .outlasting }.map(\.until).max()
        if let ends {
          let next = subscription.latestInvoice.flatMap { invoice($0) }?.nextPaymentAttempt
          let attempt = next.map { "Stripe tries again on \(day($0))." } ?? "Stripe does not try again by itself."
          return "A payment is overdue; access ends on \(day(ends)) unless it is paid. \(attempt)"
        }
        if finding.lapse == .late, finding.granted > 0 {
          return "A payment is overdue; what was paid before goes on until \(day(paidThrough))."
        }
        return nil
      }
      guard subscription.cancelAtPeriodEnd || subscription.cancelAt != nil else { return nil }
      return "The subscription ends on \(day(subscription.cancelAt ?? paidThrough)) and does not renew."
    default: return nil
    }
  }
}

extension Stripe.Subscription {
  /// The cause that fits a unit that is no longer paid; nil if the end of the subscription has a cause of its own.
  func lateCause(_ pause: Pause) -> Cause? {
    switch status {
    case .trialing: .unlicensedTrial
    case .unpaid: .unpaid
    case .paused: pause == .paymentFailed ? .unpaid : .paused
    case .canceled, .incompleteExpired: nil
    case .active, .pastDue, .incomplete, .unknown: .pastDue
    }
  }
}

extension Knowledge {
  /// What a one-time purchase entitles to (Stripe docs, "Fulfill orders").
  ///
  /// - Parameter money: what went back of the payments that bought it.
  package func standing(of entry: Ledger.Entry, money: MoneyBack, terms: Terms, now: Date) -> Standing {
    let paidAt: Date
    switch entry.coverage {
    case .underWay, .owed: return Standing(access: .awaitingPayment("The invoice is not paid yet."))
    case .givenUp:
      return Standing(access: .awaitingPayment("The invoice was marked uncollectible; it can still be paid."))
    case .void where entry.amount > 0 && isCreditedBeforePayment(entry), .waived:
      return Standing(
        access: .ended(revoke: true, "Credit notes took the invoice back before anything was paid."),
        causes: [.voided], endedBy: .voided)
    case .void:
      return Standing(access: .ended(revoke: true, "The invoice was voided."), causes: [.voided], endedBy: .voided)
    case .paid(let date): paidAt = date
    }
    var judgment = Standing.Judgment(now: now)
    if !money.lostDisputes.isEmpty { judgment.end(revoke: true, .disputeLost, "The dispute was lost.") }
    if money.isFullyRefunded || entry.returned == .all {
      switch terms.onFullRefund {
      case .revoke: judgment.end(revoke: true, .refunded, "The payment was refunded in full.")
      case .suspend: judgment.withhold(.refunded)
      case .keep: break
      }
    }
    if entry.returned == .pending || money.isRefundPending, terms.onFullRefund != .keep {
      judgment.withhold(.refundPending)
    }
    if !money.openDisputes.isEmpty, terms.onDispute == .suspend { judgment.withhold(.disputed) }
    if !money.openWarnings.isEmpty, terms.onFraudWarning == .suspend { judgment.withhold(.fraudWarning) }
    let end = terms.termDays.map { paidAt.addingTimeInterval(TimeInterval($0) * 86_400) }
    if let end {
      // A license that is withheld stays withheld when its term ends.
      if end > now {
        judgment.changes(at: end)
      } else if judgment.causes.isEmpty {
        judgment.end(revoke: false, .termOver, "The term of the license is over.")
      } else {
        judgment.withhold(.termOver)
      }
    }
    return judgment.standing(paidThrough: end)
  }

  private func isCreditedBeforePayment(_ entry: Ledger.Entry) -> Bool {
    entry.invoice.flatMap { invoice($0) }?.isCreditedInFull ?? false
  }
}
