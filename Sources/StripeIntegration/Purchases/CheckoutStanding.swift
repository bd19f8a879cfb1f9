import Foundation
import Identity
import StripeAPI

extension Knowledge {
  /// What a one-time sale through Checkout or a Payment Link entitles to (Stripe docs, "Fulfill orders").
  func standing(of session: Stripe.CheckoutSession, terms: Terms, now: Date) -> Standing {
    guard session.isPaid else { return Standing(access: .awaitingPayment("Checkout is not complete.")) }
    let charges = charges.filter { $0.paymentIntent != nil && $0.paymentIntent == session.paymentIntent }
    let paidAt = charges.filter(\.isPaid).map(\.created).min() ?? session.created
    return oneTimeStanding(paidAt: paidAt, money: moneyBack(on: charges), terms: terms, now: now)
  }

  /// What a payment entitles to that names itself what it sells.
  func standing(of payment: Stripe.PaymentIntent, terms: Terms, now: Date) -> Standing {
    let charges = charges.filter { $0.paymentIntent == payment.id }
    let paidAt = charges.filter(\.isPaid).map(\.created).min() ?? payment.created
    return oneTimeStanding(paidAt: paidAt, money: moneyBack(on: charges), terms: terms, now: now)
  }

  /// What an invoice without subscription entitles to, once it is paid.
  func standing(of invoice: Stripe.Invoice, terms: Terms, now: Date) -> Standing {
    switch invoice.status {
    case .draft, .open: return Standing(access: .awaitingPayment("The invoice is not paid yet."))
    case .uncollectible:
      return Standing(access: .awaitingPayment("The invoice was marked uncollectible; it can still be paid."))
    case .void:
      return Standing(access: .ended(revoke: true, "The invoice was voided."), causes: [.voided], endedBy: .voided)
    case .paid where invoice.isCreditedInFull:
      return Standing(
        access: .ended(revoke: true, "Credit notes took the invoice back before anything was paid."),
        causes: [.voided], endedBy: .voided)
    case .paid:
      return oneTimeStanding(paidAt: invoice.created, money: moneyBack(of: invoice), terms: terms, now: now)
    }
  }

  private func oneTimeStanding(paidAt: Date, money: MoneyBack, terms: Terms, now: Date) -> Standing {
    var judgment = Standing.Judgment(now: now)
    if !money.lostDisputes.isEmpty { judgment.end(revoke: true, .disputeLost, "The dispute was lost.") }
    if money.isFullyRefunded {
      switch terms.onFullRefund {
      case .revoke: judgment.end(revoke: true, .refunded, "The payment was refunded in full.")
      case .suspend: judgment.withhold(.refunded)
      case .keep: break
      }
    }
    if money.isRefundPending, terms.onFullRefund != .keep { judgment.withhold(.refundPending) }
    if !money.openDisputes.isEmpty, terms.onDispute == .suspend { judgment.withhold(.disputed) }
    if !money.openWarnings.isEmpty, terms.onFraudWarning == .suspend { judgment.withhold(.fraudWarning) }
    let end = terms.termDays.map { paidAt.addingTimeInterval(TimeInterval($0) * 86_400) }
    if let end {
      // What is withheld stays so when its term is over as well.
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
}
