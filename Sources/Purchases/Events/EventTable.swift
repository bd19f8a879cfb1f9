import Foundation
import Identity
import JSON
package import StripeAPI

/// What one event does: the published table of `docs/events.md` as a pure function.
package enum EventEffect: Hashable {
  /// A new version of an object. `attention` says which purchases are looked at.
  case learn(Snapshot, Attention)
  /// The app was installed or uninstalled.
  case application(Application)
  /// Kept in the inbox and otherwise without effect; the reason is shown with the event.
  case ignore(String)

  package enum Attention: Hashable {
    /// The purchase is made if it is not known, and looked at.
    case always
    /// Looked at if it is known. The object alone does not say what was sold, and another event will come that does.
    case ifKnown
    /// Remembered for later decisions; nothing is looked at.
    case none
    /// Remembered, and the buyer's newest purchase is looked at.
    case buyer
  }

  package enum Application: Hashable {
    case authorized, deauthorized
    /// What Stripe tells of an installation, perhaps of another app's in the same account.
    case install(AppInstall.Change, AppInstall)

    /// Whether it says that the app was uninstalled.
    package var endsInstallation: Bool {
      switch self {
      case .deauthorized, .install(.deleted, _): true
      case .authorized, .install: false
      }
    }
  }
}

package enum EventTable {
  /// Works out the effect of an event.
  /// - Parameter settings: what the vendor has chosen for the whole account.
  /// - Throws: `StripeObjectError` when the event's object lacks what a decision needs.
  package static func effect(
    of event: StripeEvent, settings: TenantSettings = .init()
  ) throws(StripeObjectError) -> EventEffect {
    if isOwnWrite(event) { return .ignore("Only the ids written by this service have changed.") }
    do { return try effectByType(event, settings) } catch {
      // Nothing can be learned of what has no id, and no other attempt will find one. Disputes of old versions have none
      // and are read by their charge.
      guard event.objectID == nil else { throw error }
      return .ignore("The event is about no object that has an id.")
    }
  }

  private static func effectByType(
    _ event: StripeEvent, _ settings: TenantSettings
  ) throws(StripeObjectError) -> EventEffect {
    switch event.type.currentName {
    case "account.application.authorized": return .application(.authorized)
    case "account.application.deauthorized": return .application(.deauthorized)

    case "apps.install.created": return .application(.install(.created, try AppInstall(event.object)))
    case "apps.install.updated": return .application(.install(.updated, try AppInstall(event.object)))
    case "apps.install.deleted": return .application(.install(.deleted, try AppInstall(event.object)))

    case "checkout.session.completed", "checkout.session.async_payment_succeeded", "checkout.session.expired":
      let session = try Stripe.CheckoutSession(event.object)
      guard session.mode == .payment || session.mode == .subscription else {
        return .ignore("A Checkout Session that sells nothing.")
      }
      return .learn(.checkoutSession(session), .always)
    case "checkout.session.async_payment_failed":
      // The session in it looks as it did while the money was on its way.
      let session = try Stripe.CheckoutSession(event.object)
      return .learn(
        .paymentFailed(
          FailedPayment(session: session.id, payment: session.paymentIntent, subscription: session.subscription)),
        .always)

    case "customer.subscription.created", "customer.subscription.updated", "customer.subscription.deleted",
      "customer.subscription.paused", "customer.subscription.resumed",
      "customer.subscription.pending_update_applied":
      return .learn(.subscription(try Stripe.Subscription(event.object)), .always)
    case "customer.subscription.trial_will_end", "customer.subscription.pending_update_expired":
      return .learn(.subscription(try Stripe.Subscription(event.object)), .ifKnown)
    case "subscription_schedule.created", "subscription_schedule.updated", "subscription_schedule.released",
      "subscription_schedule.canceled", "subscription_schedule.completed", "subscription_schedule.aborted",
      "subscription_schedule.expiring":
      return .ignore("What is scheduled has no effect before its phase begins; the subscription says so then.")

    case "invoice.paid", "invoice.payment_failed", "invoice.voided", "invoice.marked_uncollectible":
      return .learn(.invoice(try Stripe.Invoice(event.object)), .always)
    // Announced while nothing is decided by it; of a known subscription it tells what is due.
    case "invoice.finalized", "invoice.updated", "invoice.payment_action_required":
      return .learn(.invoice(try Stripe.Invoice(event.object)), .ifKnown)
    case "invoice.payment_succeeded": return .ignore("invoice.paid says the same.")
    case "invoice.created", "invoice.upcoming": return .ignore("Nothing is due yet; the invoice says so when it is.")
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
    case "radar.early_fraud_warning.created", "radar.early_fraud_warning.updated":
      return .learn(.fraudWarning(try Stripe.FraudWarning(event.object)), .always)
    case "credit_note.created", "credit_note.updated", "credit_note.voided":
      return .learn(.creditNote(try Stripe.CreditNote(event.object)), .always)

    // Every sale has such an event. Where the vendor sells by payments alone, and this one says what it sells, it is the
    // sale; elsewhere a sale that waits for its money is looked at.
    case "payment_intent.succeeded":
      let payment = try Stripe.PaymentIntent(event.object)
      return .learn(.paymentIntent(payment), settings.barePayments && payment.sale != nil ? .always : .ifKnown)
    case "payment_intent.canceled", "payment_intent.payment_failed":
      return .learn(.paymentIntent(try Stripe.PaymentIntent(event.object)), .none)

    case "customer.created", "customer.updated":
      return .learn(.customer(try Stripe.Customer(event.object)), settings.updateCustomers ? .buyer : .none)
    case "customer.deleted":
      return .learn(.customer(try Stripe.Customer(event.object, isDeleted: true)), .none)

    // What was issued is not touched; a mapping of what is archived or gone says so.
    case "product.created", "product.updated":
      return .learn(.product(try Stripe.Product(event.object)), .none)
    case "product.deleted":
      return .learn(.product(try Stripe.Product(event.object, isDeleted: true)), .none)
    case "price.created", "price.updated":
      return .learn(.price(try Stripe.Price(event.object)), .none)
    case "price.deleted":
      return .learn(.price(try Stripe.Price(event.object, isDeleted: true)), .none)
    case "payment_link.created", "payment_link.updated":
      return .ignore("A sale through a Payment Link is known by its Checkout Session; mappings are of products.")
    case "entitlements.active_entitlement_summary.updated":
      return .ignore("Licenses follow what was sold, by its price. Entitlements tell the same in another way.")
    case "account.updated": return .ignore("Nothing of the account is kept but its id.")
    case "ping": return .ignore("A ping is about nothing: Stripe asks whether the address answers.")
    default: return .ignore("This event type has no effect on licenses.")
    }
  }

  /// The metadata that this service writes.
  private static let written: Set = ["licensekit_customer_id", "licensekit_order_id", "licensekit_license_id"]

  /// Writing ids back to Stripe comes back as an event. It is known by what changed: metadata keys of this service and
  /// nothing else.
  private static func isOwnWrite(_ event: StripeEvent) -> Bool {
    guard let previous = event.previousAttributes, previous.keys.allSatisfy({ $0 == "metadata" || $0 == "updated" }),
      let metadata = previous["metadata"]
    else { return false }
    let changed = metadata.object?.keys ?? []
    let own = (event.object["metadata"]?.object?.keys ?? []).filter(written.contains)
    return changed.allSatisfy(written.contains) && !(own.isEmpty && changed.isEmpty)
  }
}
