public import Foundation
public import JSON

extension Stripe {
  /// A subscription, read the same from both shapes (API reference, "Subscriptions"; the period moved from the
  /// subscription to its items in 2025-03-31).
  public struct Subscription: Hashable, Sendable, Codable {
    public enum Status: String, Hashable, Sendable, Codable {
      case incomplete, incompleteExpired, trialing, active, pastDue, unpaid, paused, canceled
      /// A status newer than this program: treated as waiting, never as paid.
      case unknown

      init(stripe: String?) {
        switch stripe {
        case "incomplete": self = .incomplete
        case "incomplete_expired": self = .incompleteExpired
        case "trialing": self = .trialing
        case "active": self = .active
        case "past_due": self = .pastDue
        case "unpaid": self = .unpaid
        case "paused": self = .paused
        case "canceled": self = .canceled
        default: self = .unknown
        }
      }

      /// Statuses that a subscription never leaves (Stripe docs, "Subscription statuses").
      public var isTerminal: Bool { self == .canceled || self == .incompleteExpired }
    }

    public struct Item: Hashable, Sendable, Codable {
      public let id: SubscriptionItemID
      public let price: PriceID
      public let product: ProductID
      /// Absent counts as one.
      public let quantity: Int
      /// Metered prices sell usage, not licenses.
      public let isMetered: Bool
      public let currentPeriodStart: Date?
      public let currentPeriodEnd: Date?
      /// What one unit costs per interval, in the smallest unit of the currency; nil where the price is not that simple.
      public let unitAmount: Int64?
      /// `day`, `week`, `month` or `year`.
      public let interval: String?
      public let intervalCount: Int64?
      public let created: Date?
      /// A trial offer on this item of a running subscription (Stripe API 2026-09-30, `current_trial`).
      public let trialStart: Date?
      public let trialEnd: Date?
    }

    /// Why a subscription has the status `paused` (Stripe API 2026-09-30, `status_details.paused`).
    public enum PauseCause: String, Hashable, Sendable, Codable {
      case pauseRequested = "pause_requested"
      case trialEndWithoutPaymentMethod = "trial_end_without_payment_method"
      case firstPaymentFailure = "first_payment_failure"
      case finalPaymentFailure = "final_payment_failure"
      case system
      /// A cause newer than this program.
      case unknown
    }

    public let id: SubscriptionID
    public let status: Status
    public let customer: CustomerID?
    public private(set) var items: [Item]
    /// True if these are not all items and the rest must be fetched: the embedded list was cut, an item has a plan that names
    /// no product (before 2018-02-05), or there is no list, only a `plan` of the subscription itself.
    public private(set) var hasMoreItems: Bool
    public let cancelAtPeriodEnd: Bool
    public let cancelAt: Date?
    /// When the cancellation was requested; it may lie before the end.
    public let canceledAt: Date?
    /// When the subscription really ended.
    public let endedAt: Date?
    public let trialStart: Date?
    public let trialEnd: Date?
    /// For a paused subscription, if the shape says it.
    public let pauseCause: PauseCause?
    /// The test clock of a test purchase; nil for real time.
    public let testClock: String?
    public let currency: String?
    /// True while `pause_collection` is set; this does not change `status`.
    public let isCollectionPaused: Bool
    public let latestInvoice: InvoiceID?
    public let metadata: [String: String]
    public let created: Date

    public init(_ value: JSONValue) throws(StripeObjectError) {
      let reader = try ObjectReader(value, kind: "subscription")
      id = try reader.requiredID("id")
      status = Status(stripe: reader.string("status"))
      customer = reader.id("customer")
      let list = reader.list("items")
      items = try Self.items(
        list.elements, periodStart: reader.date("current_period_start"), periodEnd: reader.date("current_period_end"))
      hasMoreItems = list.hasMore || items.count < list.elements.count || reader["items"] == nil
      cancelAtPeriodEnd = reader.bool("cancel_at_period_end")
      cancelAt = reader.date("cancel_at")
      canceledAt = reader.date("canceled_at")
      endedAt = reader.date("ended_at")
      trialStart = reader.date("trial_start")
      trialEnd = reader.date("trial_end")
      pauseCause =
        status == .paused
        ? reader["status_details"]?["paused"]?["subscription"]?["type"]?.string
          .map { PauseCause(rawValue: $0) ?? .unknown } : nil
      testClock = reader.text("test_clock")
      currency = reader.string("currency")
      isCollectionPaused = reader["pause_collection"] != nil
      latestInvoice = reader.id("latest_invoice")
      metadata = reader.metadata
      created = reader.date("created") ?? Date(timeIntervalSince1970: 0)
    }

    /// The subscription with all its items, as `/v1/subscription_items` lists them.
    public func withAllItems(_ values: [JSONValue]) throws(StripeObjectError) -> Subscription {
      let period = items.first
      var whole = self
      whole.items = try Self.items(
        values, periodStart: period?.currentPeriodStart, periodEnd: period?.currentPeriodEnd)
      whole.hasMoreItems = false
      return whole
    }

    private static func items(
      _ values: [JSONValue], periodStart: Date?, periodEnd: Date?
    ) throws(StripeObjectError) -> [Item] {
      var items: [Item] = []
      for value in values {
        let reader = try ObjectReader(value, kind: "subscription_item")
        let priceValue = reader["price"] ?? reader["plan"]
        guard let price: PriceID = ObjectReader.id(priceValue) else { throw reader.missing("price") }
        guard let product: ProductID = ObjectReader.id(priceValue?["product"]) else {
          if reader["price"] == nil { continue }
          throw reader.missing("price")
        }
        items.append(
          Item(
            id: try reader.requiredID("id"), price: price, product: product,
            quantity: reader.quantity("quantity") ?? 1,
            // A plan, which older shapes have instead of a price, contains it directly.
            isMetered: (priceValue?["recurring"]?["usage_type"] ?? priceValue?["usage_type"])?.string == "metered",
            currentPeriodStart: reader.date("current_period_start") ?? periodStart,
            currentPeriodEnd: reader.date("current_period_end") ?? periodEnd,
            unitAmount: (priceValue?["unit_amount"] ?? priceValue?["amount"])?.integer,
            interval: (priceValue?["recurring"]?["interval"] ?? priceValue?["interval"])?.string,
            intervalCount: (priceValue?["recurring"]?["interval_count"] ?? priceValue?["interval_count"])?.integer,
            created: reader.date("created"),
            trialStart: ObjectReader.date(reader["current_trial"]?["start_date"] ?? reader["current_trial"]?["start"]),
            trialEnd: ObjectReader.date(reader["current_trial"]?["end_date"] ?? reader["current_trial"]?["end"])))
      }
      return items
    }
  }
}
