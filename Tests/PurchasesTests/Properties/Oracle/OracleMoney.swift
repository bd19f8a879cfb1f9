@testable import Purchases

/// Where the money of an invoice or a payment is.
extension Oracle {
  enum Dispute { case none, open, lost }

  /// All that was taken has gone back to the buyer, by refunds or outside Stripe. A refund under way counts; money that
  /// went into the customer's balance does not.
  func isReturned(_ payment: String?, of invoice: String?) -> Bool {
    let outside = invoice.map { stripe.returnedOutside($0) } ?? 0
    guard let payment = payment.flatMap({ stripe.payments[$0] }) else {
      let due = invoice.flatMap { stripe.invoices[$0]?.amountDue } ?? 0
      return due > 0 && outside >= due
    }
    return payment.isPaid && payment.refunded + outside >= payment.taken
  }

  func dispute(_ payment: String?) -> Dispute {
    let statuses = stripe.disputes.values.filter { $0.payment == payment }.map(\.status)
    if statuses.contains("lost") { return .lost }
    return statuses.contains("needs_response") ? .open : .none
  }

  /// Whether a paid invoice still counts as paid for a line under these terms.
  func isKept(_ invoice: ModelInvoice, _ terms: Terms) -> Certainty {
    if dispute(invoice.payment) == .lost { return .no }
    guard isReturned(invoice.payment, of: invoice.id), terms.onFullRefund != .keep else { return .yes }
    // What the customer's balance paid of it has not come back.
    return invoice.fromBalance > 0 ? .perhaps : .no
  }
}
