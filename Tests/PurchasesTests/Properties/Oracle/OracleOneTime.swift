import Identity
import LicenseKitAPI

@testable import Purchases

/// Sales of one time: by Checkout, by invoice, and beside a subscription.
extension Oracle {
  func judge(_ session: ModelSession, into verdict: inout Verdict) {
    guard session.status == "complete", session.paymentStatus == "paid" else { return }
    judge(session.lines, payment: session.payment, invoice: session.invoice, into: &verdict)
  }

  func judge(_ invoice: ModelInvoice, into verdict: inout Verdict) {
    guard invoice.status == "paid" else { return }
    judge(invoice.lines, payment: invoice.payment, invoice: invoice.id, into: &verdict)
  }

  private func judge(_ lines: [ModelLine], payment: String?, invoice: String?, into verdict: inout Verdict) {
    let paidAt = payment.flatMap { stripe.payments[$0]?.paidAt } ?? invoice.flatMap { stripe.invoices[$0]?.paidAt } ?? 0
    for line in lines {
      for terms in offer.terms(of: line.price) {
        let units = Self.units(line.quantity, terms)
        let certainty = sold(terms, payment: payment, invoice: invoice, paidAt: paidAt)
        verdict.add(
          terms.product.rawValue, must: certainty == .yes ? units : 0, most: certainty == .no ? 0 : units)
      }
    }
  }

  /// Whether something that was paid once is usable.
  func sold(_ terms: Terms, payment: String?, invoice: String?, paidAt: Seconds) -> Certainty {
    switch dispute(payment) {
    case .lost: return .no
    case .open: if terms.onDispute == .suspend { return .no }
    case .none: break
    }
    if isReturned(payment, of: invoice), terms.onFullRefund != .keep { return .no }
    guard let days = terms.termDays else { return .yes }
    // The term runs from the payment. Of money that took its time Stripe shows when it was on its way, too.
    let began = payment.flatMap { stripe.payments[$0]?.created } ?? paidAt
    let term = Seconds(days) * day
    return time < began + term ? .yes : time < paidAt + term ? .perhaps : .no
  }
}
