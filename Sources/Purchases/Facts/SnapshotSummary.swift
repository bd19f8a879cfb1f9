package import Foundation
import Identity
package import StripeAPI

extension Snapshot {
  /// The object with its id, in plain words: "invoice in_1".
  package var noun: String {
    switch self {
    case .checkoutSession(let o): "Checkout Session \(o.id)"
    case .subscription(let o): "subscription \(o.id)"
    case .invoice(let o): "invoice \(o.id)"
    case .invoicePayment(let o): "invoice payment \(o.id)"
    case .paymentIntent(let o): "payment \(o.id)"
    case .charge(let o): "charge \(o.id)"
    case .refund(let o): "refund \(o.id)"
    case .dispute(let o): "dispute \(o.id)"
    case .customer(let o): "customer \(o.id)"
    case .fraudWarning(let o): "fraud warning \(o.id)"
    case .creditNote(let o): "credit note \(o.id)"
    case .product(let o): "product \(o.id)"
    case .price(let o): "price \(o.id)"
    case .paymentFailed(let failed): "the delayed payment of Checkout Session \(failed.session)"
    case .lineItems(let session, _): "the line items of \(session)"
    case .sessions(let payment, _): "the Checkout Sessions of payment \(payment)"
    case .invoicePayments(let payment, _): "the invoices paid by \(payment)"
    case .invoices(let subscription, _): "the invoices of \(subscription)"
    case .invoiceShare(let subscription, let invoice): "what invoice \(invoice.id) bills subscription \(subscription)"
    case .creditNotes(let invoice, _): "the credit notes of \(invoice)"
    case .missing(let key): key.rawValue
    default: key.rawValue
    }
  }

  /// What is known of the object, in plain words and without a buyer's name, address or any amount of money. Nil if the noun
  /// says it all.
  package var state: String? {
    switch self {
    case .checkoutSession(let session): session.summary
    case .subscription(let subscription): subscription.summary
    case .invoice(let invoice): invoice.summary
    case .invoicePayment(let payment):
      "it \(payment.isPaid ? "has paid" : "has not paid yet") invoice \(payment.invoice)"
        + (payment.paymentIntent.map { " with \($0)" } ?? "")
    case .paymentIntent(let payment):
      "it is \(payment.status)" + (payment.invoice.map { ", for invoice \($0)" } ?? "")
        + (payment.latestCharge.map { ", charge \($0)" } ?? "")
    case .charge(let charge):
      (charge.isFullyRefunded
        ? "it was refunded in full"
        : charge.amountRefunded > 0 ? "it was refunded in part" : charge.isPaid ? "it is paid" : "it is not paid")
        + (charge.isDisputed ? ", and disputed" : "") + (charge.paymentIntent.map { ", for payment \($0)" } ?? "")
    case .refund(let refund): "it is \(refund.status)" + Self.payment(refund.paymentIntent, refund.charge)
    case .dispute(let dispute): "it is \(dispute.status)" + Self.payment(dispute.paymentIntent, dispute.charge)
    case .customer(let customer): customer.isDeleted ? "it is deleted" : nil
    case .fraudWarning(let warning):
      warning.isActionable ? "it can be acted upon" : "nothing is to be done about it any more"
    case .creditNote(let note): note.isVoid ? "it is void" : "it is issued"
    case .product(let product): product.isDeleted ? "it is deleted" : nil
    case .price(let price):
      price.isDeleted ? "it is deleted" : price.product.map { "it is a price of \($0)" }
    case .paymentFailed: "nothing was paid"
    case .lineItems(_, let lines):
      lines.isEmpty
        ? "there are none" : lines.map { "\($0.id) (\($0.price) of \($0.product) × \($0.quantity))" }.listed
    case .sessions(_, let ids): ids.isEmpty ? "there are none" : ids.map(\.rawValue).listed
    case .invoicePayments(_, let payments):
      payments.isEmpty ? "there are none" : payments.map(\.invoice.rawValue).listed
    case .invoices(_, let invoices):
      invoices.isEmpty ? "there are none" : invoices.map { "\($0.id) (\($0.status.rawValue))" }.listed
    case .creditNotes(_, let notes): notes.isEmpty ? "there are none" : notes.map(\.id.rawValue).listed
    case .missing: "Stripe has no such object"
    default: nil
    }
  }

  private static func payment(_ payment: Stripe.PaymentIntentID?, _ charge: Stripe.ChargeID?) -> String {
    (payment?.rawValue ?? charge?.rawValue).map { ", of \($0)" } ?? ""
  }
}

extension [String] {
  /// Comma-separated; a long list is cut to its first elements and the number of the others.
  package var listed: String {
    count <= 20 ? joined(separator: ", ") : prefix(20).joined(separator: ", ") + " and \(count - 20) more"
  }
}

extension Date {
  /// The day and the minute, in UTC.
  package var inWords: String {
    let text = formatted(.iso8601)
    return text.count >= 16 ? "\(text.prefix(10)) \(text.dropFirst(11).prefix(5)) UTC" : text
  }
}

extension Stripe.CheckoutSession {
  fileprivate var summary: String {
    let money =
      switch paymentStatus {
      case .paid: "paid"
      case .unpaid: "not paid yet"
      case .noPaymentRequired: "nothing had to be paid"
      }
    let linked = [subscription?.rawValue, paymentIntent?.rawValue, invoice?.rawValue].compactMap { $0 }
    return "it is \(status.rawValue), \(money)" + (linked.isEmpty ? "" : "; it leads to \(linked.listed)")
  }
}

extension Stripe.Subscription {
  fileprivate var summary: String {
    var parts = ["it is \(status.words)"]
    if isCollectionPaused { parts.append("its collection is paused") }
    if cancelAtPeriodEnd { parts.append("it is to end with the period") }
    if let trialEnd, status == .trialing { parts.append("its trial ends \(trialEnd.inWords)") }
    let items = items.map { item in
      "\(item.id) (\(item.price) × \(item.quantity)"
        + (item.currentPeriodEnd.map { ", period to \($0.inWords)" } ?? "") + ")"
    }
    return parts.joined(separator: ", ") + (items.isEmpty ? "" : "; items \(items.listed)")
  }
}

extension Stripe.Subscription.Status {
  /// As Stripe's Dashboard says it.
  package var words: String {
    switch self {
    case .pastDue: "past due"
    case .incompleteExpired: "expired before it was paid"
    default: rawValue
    }
  }
}

extension Stripe.Invoice {
  fileprivate var summary: String {
    var parts = ["it is \(status.rawValue)"]
    if let subscription { parts.append("for subscription \(subscription)") }
    if status != .paid, attemptCount > 0 {
      parts.append("tried \(attemptCount) \(attemptCount == 1 ? "time" : "times")")
    }
    if let dueDate, status == .open { parts.append("due \(dueDate.inWords)") }
    let periods = lines.filter { !$0.isProration }.compactMap(\.periodEnd)
    if let end = periods.max(), subscription != nil { parts.append("period to \(end.inWords)") }
    if !paymentIntents.isEmpty { parts.append("payment \(paymentIntents.map(\.rawValue).listed)") }
    return parts.joined(separator: ", ")
  }
}
