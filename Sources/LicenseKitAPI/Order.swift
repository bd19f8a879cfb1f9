public import Foundation
public import JSON

/// The state of an order in the outside system.
public enum OrderStatus: String, Codable, Hashable, Sendable, CaseIterable {
  /// Not paid yet.
  case pending
  /// Paid.
  case paid
  /// Paid and delivered.
  case fulfilled
  /// Called off.
  case canceled
  /// Paid back.
  case refunded
}

/// A record of an order that an outside system took.
public struct Order: Codable, Hashable, Sendable {
  /// The record's id.
  public var id: OrderID
  /// The product this belongs to.
  public var productID: ProductID
  /// The customer record, if one is linked.
  public var customerID: CustomerID?
  /// The subscription record, if one is linked.
  public var subscriptionID: SubscriptionID?
  /// The outside system that owns the original, for example a billing system's name.
  public var externalSystem: String
  /// The id of the original in that system; unique per product and system.
  public var externalID: String
  /// The present state.
  public var status: OrderStatus
  /// Start of the period paid for; comes with `periodEnd` or not at all.
  public var periodStart: Date?
  /// End of the period paid for; comes with `periodStart` or not at all.
  public var periodEnd: Date?
  /// Free-form facts of the caller; the server stores and returns them unread.
  public var metadata: JSONObject
  /// When the record was made.
  public var createdAt: Date
  /// When the record last changed.
  public var updatedAt: Date

  /// Every field as the contract has it; what is nil is left out on the wire.
  public init(
    id: OrderID,
    productID: ProductID,
    customerID: CustomerID? = nil,
    subscriptionID: SubscriptionID? = nil,
    externalSystem: String,
    externalID: String,
    status: OrderStatus,
    periodStart: Date? = nil,
    periodEnd: Date? = nil,
    metadata: JSONObject,
    createdAt: Date,
    updatedAt: Date
  ) {
    self.id = id
    self.productID = productID
    self.customerID = customerID
    self.subscriptionID = subscriptionID
    self.externalSystem = externalSystem
    self.externalID = externalID
    self.status = status
    self.periodStart = periodStart
    self.periodEnd = periodEnd
    self.metadata = metadata
    self.createdAt = createdAt
    self.updatedAt = updatedAt
  }
}

/// The body of `createOrder`.
public struct OrderCreateRequest: Codable, Hashable, Sendable {
  /// The customer record, if one is linked.
  public var customerID: CustomerID?
  /// The subscription record, if one is linked.
  public var subscriptionID: SubscriptionID?
  /// The outside system that owns the original, for example a billing system's name.
  public var externalSystem: String
  /// The id of the original in that system; unique per product and system.
  public var externalID: String
  /// The present state.
  public var status: OrderStatus
  /// Start of the period paid for; comes with `periodEnd` or not at all.
  public var periodStart: Date?
  /// End of the period paid for; comes with `periodStart` or not at all.
  public var periodEnd: Date?
  /// Free-form facts of the caller; the server stores and returns them unread.
  public var metadata: JSONObject?

  /// Every field as the contract has it; what is nil is left out on the wire.
  public init(
    customerID: CustomerID? = nil,
    subscriptionID: SubscriptionID? = nil,
    externalSystem: String,
    externalID: String,
    status: OrderStatus,
    periodStart: Date? = nil,
    periodEnd: Date? = nil,
    metadata: JSONObject? = nil
  ) {
    self.customerID = customerID
    self.subscriptionID = subscriptionID
    self.externalSystem = externalSystem
    self.externalID = externalID
    self.status = status
    self.periodStart = periodStart
    self.periodEnd = periodEnd
    self.metadata = metadata
  }
}

/// The body of `updateOrder`. What is nil stays as it is; metadata is replaced as a whole.
public struct OrderUpdateRequest: Codable, Hashable, Sendable {
  /// The customer record; an empty id unlinks.
  public var customerID: CustomerID?
  /// The subscription record; an empty id unlinks.
  public var subscriptionID: SubscriptionID?
  /// The outside system that owns the original, for example a billing system's name.
  public var externalSystem: String?
  /// The id of the original in that system; unique per product and system.
  public var externalID: String?
  /// The present state.
  public var status: OrderStatus?
  /// Start of the period paid for; comes with `periodEnd` or not at all.
  public var periodStart: Date?
  /// End of the period paid for; comes with `periodStart` or not at all.
  public var periodEnd: Date?
  /// Free-form facts of the caller; the server stores and returns them unread.
  public var metadata: JSONObject?

  /// Every field as the contract has it; what is nil is left out on the wire.
  public init(
    customerID: CustomerID? = nil,
    subscriptionID: SubscriptionID? = nil,
    externalSystem: String? = nil,
    externalID: String? = nil,
    status: OrderStatus? = nil,
    periodStart: Date? = nil,
    periodEnd: Date? = nil,
    metadata: JSONObject? = nil
  ) {
    self.customerID = customerID
    self.subscriptionID = subscriptionID
    self.externalSystem = externalSystem
    self.externalID = externalID
    self.status = status
    self.periodStart = periodStart
    self.periodEnd = periodEnd
    self.metadata = metadata
  }
}
