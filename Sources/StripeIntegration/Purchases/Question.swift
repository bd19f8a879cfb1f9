public import Identity
public import StripeAPI

/// Something a decision needs that no event carries: Stripe is asked, and the answer becomes a fact.
public enum Question: Hashable, Sendable {
  case checkoutSession(Stripe.CheckoutSessionID)
  case lineItems(of: Stripe.CheckoutSessionID)
  case subscription(Stripe.SubscriptionID)
  case invoice(Stripe.InvoiceID)
  case paymentIntent(Stripe.PaymentIntentID)
  case charge(Stripe.ChargeID)
  case refund(Stripe.RefundID)
  case dispute(Stripe.DisputeID)
  case customer(Stripe.CustomerID)
  case sessions(of: Stripe.PaymentIntentID)
  case invoicePayments(of: Stripe.PaymentIntentID)

  /// The fact that the answer will be a version of.
  public var key: FactKey {
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
    case .sessions(let id): .sessions(of: id)
    case .invoicePayments(let id): .invoicePayments(of: id)
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
    case .dispute(let object): .dispute(object.id)
    case .customer(let object): .customer(object.id)
    case .lineItems(let id, _): .lineItems(of: id)
    case .sessions(let id, _): .sessions(of: id)
    case .invoicePayments(let id, _): .invoicePayments(of: id)
    case .invoicePayment, .missing: nil
    }
  }

  /// In plain words, for the timeline.
  public var sentence: String {
    switch self {
    case .lineItems(let id): "the line items of \(id)"
    case .sessions(let id): "the Checkout Sessions of payment \(id)"
    case .invoicePayments(let id): "the invoices paid by \(id)"
    default: key.rawValue
    }
  }
}
