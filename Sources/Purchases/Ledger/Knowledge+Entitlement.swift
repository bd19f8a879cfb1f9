package import Foundation
import Identity
import JSON
package import StripeAPI

extension Knowledge {
  /// What a line of a subscription entitles to: the units found in its paid time, and what speaks against access.
  package func entitlement(
    of finding: PaidTime.Finding, in subscription: Stripe.Subscription, _ ledger: Ledger, terms: Terms,
    pause: Stripe.Subscription.Pause, now: Date
  ) -> Entitlement {
    var builder = Entitlement.Builder(now: now)
    considerDisputes(ledger, terms: terms, &builder)
    considerLapse(finding.lapse, of: subscription, finding, terms: terms, &builder)
    if !builder.hasRevoked {
      switch subscription.status {
      case .incomplete, .unknown:
        return Entitlement(access: .awaitingPayment("The first payment of the subscription is open."))
      case .incompleteExpired:
        return Entitlement(
          access: .ended(revoke: false, "The first payment of the subscription was never made."), causes: [.unpaid],
          endedBy: .unpaid)
      default: break
      }
      if finding.lapse == .neverPaid { return Self.unpaidEntitlement(of: subscription) }
    }
    considerStatus(of: subscription, finding, terms: terms, pause: pause, &builder)
    if let change = finding.nextChange { builder.changes(at: change) }
    let paidThrough = finding.claims.map(\.paidTo).max() ?? finding.lastEnd ?? finding.soldThrough
    return builder.entitlement(
      paidThrough: paidThrough, note: note(on: subscription, finding, paidThrough: paidThrough))
  }

  private static func unpaidEntitlement(of subscription: Stripe.Subscription) -> Entitlement {
    switch subscription.status {
    case .canceled:
      Entitlement(
        access: .ended(revoke: false, "The subscription was canceled before anything was paid."), causes: [.canceled],
        endedBy: .canceled)
    case .trialing:
      Entitlement(access: .awaitingPayment("The subscription is in trial, and the mapping does not license trials."))
    case .paused:
      Entitlement(access: .awaitingPayment("The subscription is paused, and nothing was paid before."))
    default:
      Entitlement(access: .awaitingPayment("The subscription has not been paid yet."), causes: [.pastDue])
    }
  }

  /// A dispute or fraud warning concerns the buyer. While it is open it withholds access, whichever payment it is about, even
  /// a setup fee's in a trial. A lost dispute ends access, unless something was paid after it was opened.
  private func considerDisputes(_ ledger: Ledger, terms: Terms, _ builder: inout Entitlement.Builder) {
    let everything = reversals(on: charges)
    let newest = ledger.entries.filter { $0.amount > 0 }.compactMap(\.paidAt).max() ?? .distantPast
    let lostSince = disputes.contains { everything.lostDisputes.contains($0.id) && $0.created >= newest }
    if lostSince { builder.end(revoke: true, .disputeLost, "The dispute was lost.") }
    if !everything.openDisputes.isEmpty, terms.onDispute == .suspend { builder.withhold(.disputed) }
    if !everything.openWarnings.isEmpty, terms.onFraudWarning == .suspend { builder.withhold(.fraudWarning) }
  }

  /// Judges why the subscribed units are not granted. If any unit is granted, it stays granted: the cause concerns the
  /// others.
  private func considerLapse(
    _ lapse: PaidTime.Lapse?, of subscription: Stripe.Subscription, _ finding: PaidTime.Finding, terms: Terms,
    _ builder: inout Entitlement.Builder
  ) {
    guard finding.claims.isEmpty else { return }
    switch lapse {
    case .returned(let whole):
      if terms.onFullRefund == .revoke, whole || subscription.status.isTerminal {
        builder.end(revoke: true, .refunded, "The payment was refunded in full.")
      } else {
        builder.withhold(.refunded)
      }
    case .returnPending: builder.withhold(.refundPending)
    case .lost: if !builder.hasRevoked { builder.end(revoke: true, .disputeLost, "The dispute was lost.") }
    case .late, .neverPaid, nil: break
    }
  }

  private func considerStatus(
    of subscription: Stripe.Subscription, _ finding: PaidTime.Finding, terms: Terms,
    pause: Stripe.Subscription.Pause, _ builder: inout Entitlement.Builder
  ) {
    if subscription.isCollectionPaused, terms.onPause == .suspend, !subscription.status.isTerminal {
      builder.withhold(.collectionPaused)
    }
    switch subscription.status {
    case .paused where pause == .asked && terms.onPause == .suspend: builder.withhold(.paused)
    case .canceled:
      switch terms.onCancel {
      case .revoke: builder.end(revoke: true, .canceled, "The subscription was canceled.")
      case .suspend: builder.end(revoke: false, .canceled, "The subscription was canceled.")
      case .expire where finding.claims.isEmpty:
        builder.end(revoke: false, .canceled, "The subscription has ended, and so has what was paid for.")
      case .expire: break
      }
    default: break
    }
    if finding.claims.isEmpty, finding.lapse == .late, let cause = subscription.lateCause(pause) {
      builder.withhold(cause)
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
  package func entitlement(of entry: Ledger.Entry, money: Reversals, terms: Terms, now: Date) -> Entitlement {
    let paidAt: Date
    switch entry.coverage {
    case .underWay, .owed: return Entitlement(access: .awaitingPayment("The invoice is not paid yet."))
    case .givenUp:
      return Entitlement(access: .awaitingPayment("The invoice was marked uncollectible; it can still be paid."))
    case .void where entry.amount > 0 && isCreditedBeforePayment(entry), .waived:
      return Entitlement(
        access: .ended(revoke: true, "Credit notes took the invoice back before anything was paid."),
        causes: [.voided], endedBy: .voided)
    case .void:
      return Entitlement(access: .ended(revoke: true, "The invoice was voided."), causes: [.voided], endedBy: .voided)
    case .paid(let date): paidAt = date
    }
    var builder = Entitlement.Builder(now: now)
    if !money.lostDisputes.isEmpty { builder.end(revoke: true, .disputeLost, "The dispute was lost.") }
    if money.isFullyRefunded || entry.returned == .all {
      switch terms.onFullRefund {
      case .revoke: builder.end(revoke: true, .refunded, "The payment was refunded in full.")
      case .suspend: builder.withhold(.refunded)
      case .keep: break
      }
    }
    if entry.returned == .pending || money.isRefundPending, terms.onFullRefund != .keep {
      builder.withhold(.refundPending)
    }
    if !money.openDisputes.isEmpty, terms.onDispute == .suspend { builder.withhold(.disputed) }
    if !money.openWarnings.isEmpty, terms.onFraudWarning == .suspend { builder.withhold(.fraudWarning) }
    let end = terms.termDays.map { paidAt.addingTimeInterval(TimeInterval($0) * 86_400) }
    if let end {
      // A license that is withheld stays withheld when its term ends.
      if end > now {
        builder.changes(at: end)
      } else if builder.causes.isEmpty {
        builder.end(revoke: false, .termOver, "The term of the license is over.")
      } else {
        builder.withhold(.termOver)
      }
    }
    return builder.entitlement(paidThrough: end)
  }

  private func isCreditedBeforePayment(_ entry: Ledger.Entry) -> Bool {
    entry.invoice.flatMap { invoice($0) }?.isCreditedInFull ?? false
  }
}
