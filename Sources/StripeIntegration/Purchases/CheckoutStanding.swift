import Foundation
import Identity
import StripeAPI

extension Knowledge {
  /// What a one-time sale through Checkout or a Payment Link entitles to (Stripe docs, "Fulfill orders").
  func standing(of session: Stripe.CheckoutSession, terms: Terms, now: Date) -> Standing {
    guard session.isPaid else {
      switch session.status {
      case .expired:
        return Standing(access: .ended(revoke: false, "The Checkout Session expired before it was paid."))
      case .complete:
        return Standing(access: .awaitingPayment("Checkout is complete; the payment method confirms the money later."))
      case .open: return Standing(access: .awaitingPayment("Checkout is not complete."))
      }
    }
    let charges = charges.filter { $0.paymentIntent != nil && $0.paymentIntent == session.paymentIntent }
    let paidAt = charges.filter(\.isPaid).map(\.created).min() ?? session.created
    return oneTimeStanding(paidAt: paidAt, money: moneyBack(on: charges), terms: terms, now: now)
  }

  /// What an invoice without subscription entitles to, once it is paid.
  func standing(of invoice: Stripe.Invoice, terms: Terms, now: Date) -> Standing {
    switch invoice.status {
    case .draft, .open: return Standing(access: .awaitingPayment("The invoice is not paid yet."))
    case .uncollectible: return Standing(access: .awaitingPayment("The invoice was marked uncollectible."))
    case .void: return Standing(access: .ended(revoke: true, "The invoice was voided."))
    case .paid:
      return oneTimeStanding(
        paidAt: invoice.created, money: moneyBack(on: charges(paying: invoice)), terms: terms, now: now)
    }
  }

  private func oneTimeStanding(paidAt: Date, money: MoneyBack, terms: Terms, now: Date) -> Standing {
    let end = terms.termDays.map { paidAt.addingTimeInterval(TimeInterval($0) * 86_400) }
    if !money.lostDisputes.isEmpty {
      return Standing(access: .ended(revoke: true, "The dispute was lost."), paidThrough: end)
    }
    var causes: Set<Cause> = []
    if money.isFullyRefunded {
      switch terms.onFullRefund {
      case .revoke: return Standing(access: .ended(revoke: true, "The payment was refunded in full."), paidThrough: end)
      case .suspend: causes.insert(.refunded)
      case .keep: break
      }
    }
    if money.isRefundPending, terms.onFullRefund != .keep { causes.insert(.refundPending) }
    if !money.openDisputes.isEmpty, terms.onDispute == .suspend { causes.insert(.disputed) }
    if !causes.isEmpty { return Standing(access: .withheld(causes), paidThrough: end) }
    if let end {
      return end <= now
        ? Standing(access: .ended(revoke: false, "The term of the license is over."), paidThrough: end)
        : Standing(access: .granted, paidThrough: end, nextChange: end)
    }
    return Standing(access: .granted)
  }
}
