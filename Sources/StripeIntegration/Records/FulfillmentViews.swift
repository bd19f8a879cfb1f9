import Foundation
import Identity
import JSON
import LicenseKitAPI
import Purchases
import StripeAPI

/// A purchase as the admin routes show it.
struct FulfillmentView: Encodable, Sendable {
  let id: PurchaseID
  let accountID: Stripe.AccountID
  let livemode: Bool
  let status: String
  let purchase: Purchase
  let customer: Customer
  let lines: [Line]
  @OrNull var reason: String?
  let createdAt: Date
  let updatedAt: Date
  /// When it is looked at next; null if nothing is known to change by itself.
  @OrNull var nextLookAt: Date?
  /// Failures in a row.
  let attempts: Int
  /// Only if a single purchase is shown.
  var timeline: [TimelineEntry]?

  struct Purchase: Encodable, Sendable {
    /// `subscription`, `checkout`, `invoice`, `payment`, or `unknown` until it is worked out.
    let kind: String
    let stripeID: String
    let aliases: [String]
  }

  struct Customer: Encodable, Sendable {
    @OrNull var stripeID: String?
    @OrNull var licensekitID: String?
  }

  struct Line: Encodable, Sendable {
    let stripeLineID: String
    @OrNull var stripePriceID: String?
    @OrNull var stripeProductID: String?
    /// 0 for a line that is no longer sold.
    let quantity: Int
    @OrNull var mappingID: String?
    @OrNull var licensekitProductID: ProductID?
    @OrNull var licensekitOrderID: String?
    @OrNull var licensekitSubscriptionID: String?
    let licenses: [License]
  }

  struct License: Encodable, Sendable {
    let id: LicenseID
    let ordinal: Int
    /// As this service last set it: `active`, `suspended`, `revoked`, or `expired` by time.
    let status: LicenseStatus
    @OrNull var keyHint: String?
    @OrNull var expiresAt: Date?
    /// What a person changed about it at LicenseKit; this service leaves it so.
    let changedByHand: [ManualOverride]
    /// Everything that withholds or has ended its access, as words (`past_due`, `disputed`, …).
    let causes: [String]
  }

  struct TimelineEntry: Encodable, Sendable {
    let at: Date
    /// `event`, `decision`, `step` or `note`.
    let kind: String
    let title: String
    @OrNull var state: String?
    @OrNull var detail: String?
    @OrNull var finishedAt: Date?
  }
}
