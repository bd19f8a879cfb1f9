package import Foundation
import Identity
package import LicenseKitAPI
package import StripeAPI

/// Names one license that a purchase sells by line, LicenseKit product and ordinal. It is unique within the purchase, so that
/// a unit can never have two licenses.
package struct UnitKey: Hashable, Sendable, Codable, Comparable, CustomStringConvertible {
  /// `li_…`, `si_…` or `il_…`
  package let line: String
  package let product: ProductID
  /// Counts from 1 to the quantity.
  package let ordinal: Int

  package init(line: String, product: ProductID, ordinal: Int) {
    self.line = line
    self.product = product
    self.ordinal = ordinal
  }

  package var description: String { "\(line)/\(product)#\(ordinal)" }
  package static func < (a: UnitKey, b: UnitKey) -> Bool {
    (a.line, a.product, a.ordinal) < (b.line, b.product, b.ordinal)
  }
}

/// The state that a license should be in.
package enum DesiredAccess: Hashable, Sendable {
  case active
  case suspended(Set<Cause>)
  /// The sale is over: suspended for good unless it has expired by itself.
  case ended
  case revoked
}

package struct DesiredUnit: Hashable, Sendable {
  package let key: UnitKey
  package let access: DesiredAccess
  package let startsAt: Date?
  /// The license lasts at least this long; an expiry is only ever moved forward. Nil if the license has none.
  package let expiresAt: Date?
  package let features: [Terms.FeatureGrant]
  /// The order and subscription record that the license is made for, by their external ids.
  package let order: String?
  package let subscription: String?
}

/// The customer record of the buyer.
package struct DesiredCustomer: Hashable, Sendable {
  /// Unique at LicenseKit: it contains the account, since a LicenseKit server may serve several.
  package let code: String
  package let name: String
  package let email: String?
  /// Nil for guests, and after the customer was deleted at Stripe.
  package let stripeCustomer: Stripe.CustomerID?
  /// Whether a change of name or address is copied to the existing record.
  package var isFollowed = false

  /// Names a buyer who is no Stripe customer by what was bought.
  package static func guest(_ id: String) -> String { "guest-\(id)" }

  /// - Parameter subject: the id of a Stripe customer, or of a guest.
  package static func code(of subject: String, _ tenant: Tenant) -> String {
    "stripe-\(tenant.account)-\(subject)\(tenant.livemode ? "" : "-test")"
  }

  /// What a buyer is called who gave neither name nor address.
  package static func name(of subject: String) -> String { "Stripe \(subject)" }

  /// What is copied to the record.
  package struct Contact: Hashable, Sendable, Codable {
    package let name: String
    package let email: String?

    package init(name: String, email: String?) {
      self.name = name
      self.email = email
    }
  }

  package var contact: Contact { Contact(name: name, email: email) }
}

/// A subscription record: one for each item under one LicenseKit product.
package struct DesiredSubscription: Hashable, Sendable, Codable {
  package let externalID: String
  package let product: ProductID
  package let status: SubscriptionStatus
  package let periodStart: Date
  package let periodEnd: Date
  package let cancelAtPeriodEnd: Bool
  package let canceledAt: Date?
}

/// An order record: one for each paid line under one LicenseKit product.
package struct DesiredOrder: Hashable, Sendable, Codable {
  package let externalID: String
  package let product: ProductID
  /// Refunded; otherwise it is fulfilled as soon as its licenses exist.
  package let isRefunded: Bool
  /// Called off without any money going back: a voided invoice.
  package var isVoided = false
  package let subscription: String?
  package let periodStart: Date?
  package let periodEnd: Date?
  /// What was sold, in Stripe's words; LicenseKit gets it with the order.
  package var price: Stripe.PriceID?
  package var stripeProduct: Stripe.ProductID?
}

package struct DesiredLine: Hashable, Sendable {
  /// What happens to units that are already issued in a line that nothing was paid for.
  package enum Unpaid: Hashable, Sendable {
    /// They stay as they are: the first payment is open, or a trial runs that gives nothing by itself.
    case leavesIssued
    /// They are suspended: the trial they were issued in is over.
    case suspendsIssued
  }

  package let key: LineKey
  package let pinnedTerms: Decider.PinnedTerms
  package let price: Stripe.PriceID?
  package let stripeProduct: Stripe.ProductID?
  package let quantity: Int
  package let subscription: DesiredSubscription?
  package let orders: [DesiredOrder]
  package let units: [DesiredUnit]
  /// Set while nothing was paid for the line; then nothing is issued.
  package let unpaid: Unpaid?
  /// Everything that withholds or has ended access, including causes that alone would no longer change anything.
  package var causes: Set<Cause> = []
  /// The end of the paid time. Nil if it never ends, and if nothing is paid.
  package var paidThrough: Date?
}

/// The states in which the admin API shows a purchase.
package enum PurchaseStatus: String, Hashable, Sendable, Codable, CaseIterable {
  case pending
  case waitingPayment = "waiting_payment"
  case waitingMapping = "waiting_mapping"
  case fulfilled
  case suspended
  case ended
  case failed
}

/// The answer to the one question: given all facts, the mapping and the time, what should exist at LicenseKit?
package struct Decision: Hashable, Sendable {
  package var root: Root?
  package var status: PurchaseStatus
  /// Why the status is what it is, in plain words; nil if there is nothing to explain.
  package var reason: String?
  /// What Stripe must be asked before more can be decided.
  package var questions: [Question] = []
  package var customer: DesiredCustomer?
  package var lines: [DesiredLine] = []
  /// The payment whose page in the Dashboard shows the sale.
  package var payment: Stripe.PaymentIntentID?
  /// The subscriptions that share this payment, if it paid for several. What is known of it concerns their purchases.
  package var sharers: [Stripe.SubscriptionID] = []
  /// Stripe products and prices of lines that no mapping applies to.
  package var unmapped: [String] = []
  /// The lines are all that was sold: a unit recorded for any other line is no longer sold.
  package var isComplete = false
  /// When the answer may next change without any event.
  package var nextLook: Date?
  /// The moment that the decision is for: now, or the time of the purchase's test clock.
  package var asOf: Date?

  package init(
    root: Root? = nil, status: PurchaseStatus, reason: String? = nil, questions: [Question] = [],
    customer: DesiredCustomer? = nil, lines: [DesiredLine] = [], payment: Stripe.PaymentIntentID? = nil,
    sharers: [Stripe.SubscriptionID] = [], unmapped: [String] = [], isComplete: Bool = false, nextLook: Date? = nil,
    asOf: Date? = nil
  ) {
    self.root = root
    self.status = status
    self.reason = reason
    self.questions = questions
    self.customer = customer
    self.lines = lines
    self.payment = payment
    self.sharers = sharers
    self.unmapped = unmapped
    self.isComplete = isComplete
    self.nextLook = nextLook
    self.asOf = asOf
  }
}
