public import Foundation
public import JSON

extension Stripe {
  /// A subscription, read the same from both shapes (API reference, "Subscriptions"; the period moved from the
  /// subscription to its items in 2025-03-31).
  public struct Subscription: Hashable, Sendable, Codable {
    public enum Status: String, Hashable, Sendable, Codable {
      case incomplete, incompleteExpired, trialing, active, pastDue, unpaid, paused, canceled
      /// A status newer than this program: treated as "wait", never as paid.
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
    }

    public let id: SubscriptionID
    public let status: Status
    public let customer: CustomerID?
    public let items: [Item]
    /// True when the items told are not all of them, and the rest must be fetched: the embedded list was cut, an item has a
    /// plan that names no product (before 2018-02-05), or there is no list, only a `plan` of the subscription itself.
    public let hasMoreItems: Bool
    public let cancelAtPeriodEnd: Bool
    public let cancelAt: Date?
    /// When the cancellation was asked for; it may lie before the end.
    public let canceledAt: Date?
    /// When the subscription really ended.
    public let endedAt: Date?
    public let trialEnd: Date?
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
      trialEnd = reader.date("trial_end")
      isCollectionPaused = reader["pause_collection"] != nil
      latestInvoice = reader.id("latest_invoice")
      metadata = reader.metadata
      created = reader.date("created") ?? Date(timeIntervalSince1970: 0)
    }

    private init(_ other: Subscription, items: [Item], hasMoreItems: Bool) {
      id = other.id
      status = other.status
      customer = other.customer
      self.items = items
      self.hasMoreItems = hasMoreItems
      cancelAtPeriodEnd = other.cancelAtPeriodEnd
      cancelAt = other.cancelAt
      canceledAt = other.canceledAt
      endedAt = other.endedAt
      trialEnd = other.trialEnd
      isCollectionPaused = other.isCollectionPaused
      latestInvoice = other.latestInvoice
      metadata = other.metadata
      created = other.created
    }

    /// The subscription with all its items, as `/v1/subscription_items` lists them.
    public func withAllItems(_ values: [JSONValue]) throws(StripeObjectError) -> Subscription {
      let period = items.first
      return Subscription(
        self,
        items: try Self.items(
          values, periodStart: period?.currentPeriodStart, periodEnd: period?.currentPeriodEnd), hasMoreItems: false)
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
            quantity: Int(clamping: reader.integer("quantity") ?? 1),
            // A plan, which old shapes have in place of a price, says it itself.
            isMetered: (priceValue?["recurring"]?["usage_type"] ?? priceValue?["usage_type"])?.string == "metered",
            currentPeriodStart: reader.date("current_period_start") ?? periodStart,
            currentPeriodEnd: reader.date("current_period_end") ?? periodEnd))
      }
      return items
    }
  }
}
