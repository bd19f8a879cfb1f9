package import Foundation
import Identity
package import StripeAPI

/// Something a decision needs that no event carries: Stripe is asked, and the answer becomes a fact.
package enum Question: Hashable, Sendable {
  case checkoutSession(Stripe.CheckoutSessionID)
  case lineItems(of: Stripe.CheckoutSessionID)
  case subscription(Stripe.SubscriptionID)
  case invoice(Stripe.InvoiceID)
  case paymentIntent(Stripe.PaymentIntentID)
  case charge(Stripe.ChargeID)
  case refund(Stripe.RefundID)
  case dispute(Stripe.DisputeID)
  case customer(Stripe.CustomerID)
  case price(Stripe.PriceID)
  case refunds(of: Stripe.ChargeID)
  case sessions(of: Stripe.PaymentIntentID)
  case invoicePayments(of: Stripe.PaymentIntentID)
  /// All of them, including those from before this service was installed.
  case invoices(of: Stripe.SubscriptionID)
  case creditNotes(of: Stripe.InvoiceID)
  /// Stripe has no filter by invoice, so the sessions around that time are asked for by their buyer.
  case sessionsBehind(SessionSearch, Buyer, around: Date)

  /// How a buyer is found.
  package enum Buyer: Hashable, Sendable {
    case customer(Stripe.CustomerID)
    case email(String)
  }

  /// The fact that the answer will be a version of.
  package var key: FactKey {
    switch self {
    case .checkoutSession(let id): FactKey(id)
    case .lineItems(let id): .lineItems(of: id)
    case .subscription(let id): FactKey(id)
    case .invoice(let id): FactKey(id)
    case .paymentIntent(let id): FactKey(id)
    case .charge(let id): FactKey(id)
    case .refund(let id): FactKey(id)
    case .dispute(let id): FactKey(id)
    case .customer(let id): FactKey(id)
    case .price(let id): FactKey(id)
    case .refunds(let charge): .refunds(of: charge)
    case .sessionsBehind(let search, _, _): .sessions(behind: search)
    case .sessions(let id): .sessions(of: id)
    case .invoicePayments(let id): .invoicePayments(of: id)
    case .invoices(let id): .invoices(of: id)
    case .creditNotes(let id): .creditNotes(of: id)
    }
  }

  /// The question that fetches the object a snapshot is a version of, if Stripe can be asked for it.
  static func refetching(_ snapshot: Snapshot) -> Question? {
    switch snapshot {
    case .checkoutSession(let object): .checkoutSession(object.id)
    case .subscription(let object): .subscription(object.id)
    case .invoice(let object): .invoice(object.id)
    case .paymentIntent(let object): .paymentIntent(object.id)
    case .charge(let object): .charge(object.id)
    case .refund(let object): .refund(object.id)
    case .dispute(let object): object.isWithoutID ? nil : .dispute(object.id)
    case .customer(let object): .customer(object.id)
    case .lineItems(let id, _): .lineItems(of: id)
    case .sessions(let id, _): .sessions(of: id)
    case .invoicePayments(let id, _): .invoicePayments(of: id)
    case .price(let object): .price(object.id)
    case .refunds(let charge, _): .refunds(of: charge)
    case .invoices(let subscription, _): .invoices(of: subscription)
    case .invoiceShare(_, let invoice): .invoice(invoice.id)
    case .creditNotes(let invoice, _): .creditNotes(of: invoice)
    // Two versions of these differ only in what moves one way, so that they are never contested; or Stripe has no such call,
    // as for a dispute that came without an id.
    case .fraudWarning, .creditNote, .product, .paymentFailed, .sessionsBehind, .invoicePayment, .missing: nil
    }
  }

  /// In plain words, for the timeline.
  package var sentence: String {
    switch self {
    case .lineItems(let id): "the line items of \(id)"
    case .refunds(let id): "the refunds of \(id)"
    case .sessions(let id): "the Checkout Sessions of payment \(id)"
    case .invoicePayments(let id): "the invoices paid by \(id)"
    case .invoices(let id): "the invoices of \(id)"
    case .creditNotes(let id): "the credit notes of \(id)"
    case .sessionsBehind(let search, _, _): "the Checkout Session behind \(search.invoice)"
    default: key.rawValue
    }
  }
}
