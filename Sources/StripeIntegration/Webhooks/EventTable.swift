import Foundation
import Identity
import JSON
import StripeAPI

/// What one event does: the published table of `docs/events.md` as a pure function.
enum EventEffect: Hashable {
  /// A new version of an object. `attention` says which purchases are looked at.
  case learn(Snapshot, Attention)
  /// The app was installed or uninstalled.
  case application(Application)
  /// Kept in the inbox and otherwise without effect; the reason is shown with the event.
  case ignore(String)

  enum Attention: Hashable {
    /// The purchase is made if it is not known, and looked at.
    case always
    /// Looked at if it is known. The object alone does not say what was sold, and another event will come that does.
    case ifKnown
    /// Remembered for later decisions; nothing is looked at.
    case none
  }

  enum Application: Hashable { case authorized, deauthorized }
}

enum EventTable {
  /// Works out the effect of an event.
  /// - Throws: `StripeObjectError` when the event's object lacks what a decision needs.
  static func effect(of event: StripeEvent) throws(StripeObjectError) -> EventEffect {
    if isOwnWrite(event) { return .ignore("Only the ids written by this service have changed.") }
    switch event.type.rawValue {
    case "account.application.authorized": return .application(.authorized)
    case "account.application.deauthorized": return .application(.deauthorized)

    case "checkout.session.completed", "checkout.session.async_payment_succeeded",
      "checkout.session.async_payment_failed", "checkout.session.expired":
      let session = try Stripe.CheckoutSession(event.object)
      guard session.mode == .payment || session.mode == .subscription else {
        return .ignore("A Checkout Session that sells nothing.")
      }
      return .learn(.checkoutSession(session), .always)

    case "customer.subscription.created", "customer.subscription.updated", "customer.subscription.deleted",
      "customer.subscription.paused", "customer.subscription.resumed",
      "customer.subscription.pending_update_applied":
      return .learn(.subscription(try Stripe.Subscription(event.object)), .always)

    case "invoice.paid", "invoice.payment_failed", "invoice.voided", "invoice.marked_uncollectible":
      return .learn(.invoice(try Stripe.Invoice(event.object)), .always)
    // Announced while nothing is decided by it; of a known subscription it tells what is due.
    case "invoice.finalized", "invoice.updated":
      return .learn(.invoice(try Stripe.Invoice(event.object)), .ifKnown)
    case "invoice.payment_succeeded": return .ignore("invoice.paid says the same.")
    case "invoice_payment.paid":
      return .learn(.invoicePayment(try Stripe.InvoicePayment(event.object)), .always)

    case "charge.refunded": return .learn(.charge(try Stripe.Charge(event.object)), .always)
    case "charge.succeeded", "charge.updated", "charge.captured":
      return .learn(.charge(try Stripe.Charge(event.object)), .ifKnown)
    case "refund.created", "refund.updated", "refund.failed", "charge.refund.updated":
      return .learn(.refund(try Stripe.Refund(event.object)), .always)
    case "charge.dispute.created", "charge.dispute.updated", "charge.dispute.closed",
      "charge.dispute.funds_withdrawn", "charge.dispute.funds_reinstated":
      return .learn(.dispute(try Stripe.Dispute(event.object)), .always)

    case "payment_intent.succeeded", "payment_intent.canceled", "payment_intent.payment_failed":
      return .learn(.paymentIntent(try Stripe.PaymentIntent(event.object)), .none)

    case "customer.created", "customer.updated", "customer.deleted":
      return .learn(.customer(try Stripe.Customer(event.object)), .none)

    case "product.created", "product.updated", "product.deleted", "price.created", "price.updated", "price.deleted":
      return .ignore("The catalog is read from Stripe when it is shown.")
    default: return .ignore("This event type has no effect on licenses.")
    }
  }

  /// Writing ids back to Stripe comes back as an event. It is known by what changed: metadata keys of this service and
  /// nothing else.
  private static func isOwnWrite(_ event: StripeEvent) -> Bool {
    guard let previous = event.previousAttributes, previous.keys.allSatisfy({ $0 == "metadata" || $0 == "updated" }),
      let metadata = previous["metadata"]
    else { return false }
    let changed = metadata.object?.keys ?? []
    let own = (event.object["metadata"]?.object?.keys ?? []).filter { $0.hasPrefix("licensekit_") }
    return changed.allSatisfy { $0.hasPrefix("licensekit_") } && !(own.isEmpty && changed.isEmpty)
  }
}
