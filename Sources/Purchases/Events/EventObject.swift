import JSON
import StripeAPI

/// What an event carries.
package struct EventObject: Sendable {
  /// As `docs/events.md` calls it.
  package let name: String
  let read: @Sendable (JSONValue) throws(StripeObjectError) -> Snapshot
  /// Why an object of this kind is ignored all the same; nil for one that counts.
  var refusal: @Sendable (Snapshot) -> String? = { _ in nil }

  init(_ name: String, read: @escaping @Sendable (JSONValue) throws(StripeObjectError) -> Snapshot) {
    (self.name, self.read) = (name, read)
  }

  private init<Object>(
    _ name: String, _ read: @escaping @Sendable (JSONValue) throws(StripeObjectError) -> Object,
    _ snapshot: @escaping @Sendable (Object) -> Snapshot
  ) {
    self.init(name) { value throws(StripeObjectError) in snapshot(try read(value)) }
  }
}

extension EventObject {
  static let session: EventObject = {
    var object = EventObject("session", Stripe.CheckoutSession.init, Snapshot.checkoutSession)
    object.refusal = { snapshot in
      guard case .checkoutSession(let session) = snapshot, session.mode != .payment, session.mode != .subscription
      else { return nil }
      return "A Checkout Session that sells nothing."
    }
    return object
  }()
  /// The session in it looks as it did while the money was on its way.
  static let failedSession = EventObject("session") { value throws(StripeObjectError) in
    let session = try Stripe.CheckoutSession(value)
    return .paymentFailed(
      FailedPayment(session: session.id, payment: session.paymentIntent, subscription: session.subscription))
  }
  static let subscription = EventObject("subscription", Stripe.Subscription.init, Snapshot.subscription)
  static let invoice = EventObject("invoice", Stripe.Invoice.init, Snapshot.invoice)
  static let invoicePayment = EventObject("invoice payment", Stripe.InvoicePayment.init, Snapshot.invoicePayment)
  static let charge = EventObject("charge", Stripe.Charge.init, Snapshot.charge)
  static let refund = EventObject("refund", Stripe.Refund.init, Snapshot.refund)
  static let dispute = EventObject("dispute", Stripe.Dispute.init, Snapshot.dispute)
  static let warning = EventObject("warning", Stripe.FraudWarning.init, Snapshot.fraudWarning)
  static let creditNote = EventObject("credit note", Stripe.CreditNote.init, Snapshot.creditNote)
  static let payment = EventObject("payment intent", Stripe.PaymentIntent.init, Snapshot.paymentIntent)

  // That an object was deleted is told by the event alone: in it the object looks like any other.
  static let (customer, deletedCustomer) = (customer(isDeleted: false), customer(isDeleted: true))
  static let (product, deletedProduct) = (product(isDeleted: false), product(isDeleted: true))
  static let (price, deletedPrice) = (price(isDeleted: false), price(isDeleted: true))

  private static func customer(isDeleted: Bool) -> EventObject {
    EventObject("customer") { value throws(StripeObjectError) in
      .customer(try Stripe.Customer(value, isDeleted: isDeleted))
    }
  }

  private static func product(isDeleted: Bool) -> EventObject {
    EventObject("product") { value throws(StripeObjectError) in
      .product(try Stripe.Product(value, isDeleted: isDeleted))
    }
  }

  private static func price(isDeleted: Bool) -> EventObject {
    EventObject("price") { value throws(StripeObjectError) in
      .price(try Stripe.Price(value, isDeleted: isDeleted))
    }
  }
}
