public import Foundation
public import Identity
public import LicenseKitAPI
public import StripeAPI

/// Names one license that a purchase sells: (line, LicenseKit product, ordinal) within the purchase. Unique, so that a
/// unit can never have two.
public struct UnitKey: Hashable, Sendable, Codable, Comparable, CustomStringConvertible {
  /// `li_…`, `si_…` or `il_…`
  public let line: String
  public let product: ProductID
  /// Counts from 1 to the quantity.
  public let ordinal: Int

  public init(line: String, product: ProductID, ordinal: Int) {
    self.line = line
    self.product = product
    self.ordinal = ordinal
  }

  public var description: String { "\(line)/\(product)#\(ordinal)" }
  public static func < (a: UnitKey, b: UnitKey) -> Bool {
    (a.line, a.product, a.ordinal) < (b.line, b.product, b.ordinal)
  }
}

/// A line of a purchase under one LicenseKit product.
public struct LineKey: Hashable, Sendable, Codable {
  public let line: String
  public let product: ProductID

  public init(line: String, product: ProductID) {
    self.line = line
    self.product = product
  }
}

/// What a license is to be.
public enum DesiredAccess: Hashable, Sendable {
  case active
  case suspended(Set<Cause>)
  /// The sale is over: suspended for good unless it has expired by itself.
  case ended
  case revoked
}

public struct DesiredUnit: Hashable, Sendable {
  public let key: UnitKey
  public let access: DesiredAccess
  public let startsAt: Date?
  /// At least this long; an expiry is only ever moved forward. Nil where the license has none.
  public let expiresAt: Date?
  public let features: [Terms.FeatureGrant]
  /// The order and subscription record the license is made for, by their external ids.
  public let order: String?
  public let subscription: String?
}

/// The customer record of the buyer.
public struct DesiredCustomer: Hashable, Sendable {
  /// Unique at LicenseKit: holds the account, since a server may serve several.
  public let code: String
  public let name: String
  public let email: String?
  /// Nil for guests, and once the customer was deleted at Stripe.
  public let stripeCustomer: Stripe.CustomerID?
  /// Whether a change of name or address is taken over to the record that exists.
  public var isFollowed = false

  /// Names a buyer who is no customer of Stripe's, by what was bought.
  static func guest(_ id: String) -> String { "guest-\(id)" }

  /// - Parameter subject: the id of a Stripe customer, or of a guest.
  static func code(of subject: String, _ tenant: Tenant) -> String {
    "stripe-\(tenant.account)-\(subject)\(tenant.livemode ? "" : "-test")"
  }

  /// How somebody is called who has told neither name nor address.
  static func name(of subject: String) -> String { "Stripe \(subject)" }

  /// What is taken over.
  public struct Contact: Hashable, Sendable, Codable {
    public let name: String
    public let email: String?
  }

  var contact: Contact { Contact(name: name, email: email) }
}

/// A subscription record: one for each item under one LicenseKit product.
public struct DesiredSubscription: Hashable, Sendable, Codable {
  public let externalID: String
  public let product: ProductID
  public let status: SubscriptionStatus
  public let periodStart: Date
  public let periodEnd: Date
  public let cancelAtPeriodEnd: Bool
  public let canceledAt: Date?
}

/// An order record: one for each paid line under one LicenseKit product.
public struct DesiredOrder: Hashable, Sendable, Codable {
  public let externalID: String
  public let product: ProductID
  /// Refunded, or else fulfilled as soon as its licenses exist.
  public let isRefunded: Bool
  /// Called off without money that moved back: a voided invoice.
  public var isVoided = false
  public let subscription: String?
  public let periodStart: Date?
  public let periodEnd: Date?
  /// What was sold, in Stripe's words; told at LicenseKit with the order.
  public var price: Stripe.PriceID?
  public var stripeProduct: Stripe.ProductID?
}

public struct DesiredLine: Hashable, Sendable {
  /// What becomes of units that are issued already, in a line that nothing was paid for.
  public enum Unpaid: Hashable, Sendable {
    /// They stay as they are: the first payment is open, or a trial runs that gives nothing by itself.
    case leavesIssued
    /// They are suspended: the trial they were issued in is over.
    case suspendsIssued
  }

  public let key: LineKey
  public let agreement: Decider.Agreement
  public let price: Stripe.PriceID?
  public let stripeProduct: Stripe.ProductID?
  public let quantity: Int
  public let subscription: DesiredSubscription?
  public let orders: [DesiredOrder]
  public let units: [DesiredUnit]
  /// Set while nothing was paid for it: then nothing is issued.
  public let unpaid: Unpaid?
  /// Everything that withholds or has ended access, also what alone would change nothing any more.
  public var causes: Set<Cause> = []
  /// The end of what is paid for; nil for ever, and where nothing is.
  public var paidThrough: Date?
}

/// The states in which the admin API shows a purchase.
public enum PurchaseStatus: String, Hashable, Sendable, Codable, CaseIterable {
  case pending
  case waitingPayment = "waiting_payment"
  case waitingMapping = "waiting_mapping"
  case fulfilled
  case suspended
  case ended
  case failed
}

/// The answer to the one question: given all facts, the mapping and the time, what should exist at LicenseKit?
public struct Decision: Hashable, Sendable {
  public var root: Root?
  public var status: PurchaseStatus
  /// Why it is so, in plain words; nil when there is nothing to explain.
  public var reason: String?
  /// What Stripe must be asked before more can be decided.
  public var questions: [Question] = []
  public var customer: DesiredCustomer?
  public var lines: [DesiredLine] = []
  /// The payment whose page in the Dashboard shows the sale.
  public var payment: Stripe.PaymentIntentID?
  /// Stripe products and prices of lines that no mapping applies to.
  public var unmapped: [String] = []
  /// The lines are all that was sold: a unit recorded for a line that is not among them was sold no more.
  public var isComplete = false
  /// When the answer may next be another one without any event.
  public var nextLook: Date?
  /// The moment it holds for: now, or what the test clock of the purchase says.
  public var asOf: Date?
}
