public import Foundation
public import JSON

/// The state of a subscription in the outside system.
public enum SubscriptionStatus: String, Codable, Hashable, Sendable, CaseIterable {
  /// In its trial.
  case trialing
  /// Paid.
  case active
  /// Behind with a payment.
  case pastDue = "past_due"
  /// Paused.
  case paused
  /// Over.
  case canceled
}

/// A record of a subscription that an outside system bills.
public struct Subscription: Codable, Hashable, Sendable {
  /// The record's id.
  public var id: SubscriptionID
  /// The product this belongs to.
  public var productID: ProductID
  /// The customer record, if one is linked.
  public var customerID: CustomerID?
  /// The outside system that owns the original, for example a billing system's name.
  public var externalSystem: String
  /// The id of the original in that system; unique per product and system.
  public var externalID: String
  /// The present state.
  public var status: SubscriptionStatus
  /// Start of the paid period.
  public var currentPeriodStart: Date
  /// End of the paid period.
  public var currentPeriodEnd: Date
  /// Whether the subscription ends with the present period.
  public var cancelAtPeriodEnd: Bool
  /// When it was canceled; only together with the status `canceled`.
  public var canceledAt: Date?
  /// Free-form facts of the caller; the server stores and returns them unread.
  public var metadata: JSONObject
  /// When the record was made.
  public var createdAt: Date
  /// When the record last changed.
  public var updatedAt: Date

  /// Every field as the contract has it; what is nil is left out on the wire.
  public init(
    id: SubscriptionID,
    productID: ProductID,
    customerID: CustomerID? = nil,
    externalSystem: String,
    externalID: String,
    status: SubscriptionStatus,
    currentPeriodStart: Date,
    currentPeriodEnd: Date,
    cancelAtPeriodEnd: Bool,
    canceledAt: Date? = nil,
    metadata: JSONObject,
    createdAt: Date,
    updatedAt: Date
  ) {
    self.id = id
    self.productID = productID
    self.customerID = customerID
    self.externalSystem = externalSystem
    self.externalID = externalID
    self.status = status
    self.currentPeriodStart = currentPeriodStart
    self.currentPeriodEnd = currentPeriodEnd
    self.cancelAtPeriodEnd = cancelAtPeriodEnd
    self.canceledAt = canceledAt
    self.metadata = metadata
    self.createdAt = createdAt
    self.updatedAt = updatedAt
  }
}

/// The body of `createSubscription`.
public struct SubscriptionCreateRequest: Codable, Hashable, Sendable {
  /// The customer record, if one is linked.
  public var customerID: CustomerID?
  /// The outside system that owns the original, for example a billing system's name.
  public var externalSystem: String
  /// The id of the original in that system; unique per product and system.
  public var externalID: String
  /// The present state.
  public var status: SubscriptionStatus
  /// Start of the paid period.
  public var currentPeriodStart: Date
  /// End of the paid period.
  public var currentPeriodEnd: Date
  /// Whether the subscription ends with the present period.
  public var cancelAtPeriodEnd: Bool?
  /// When it was canceled; only together with the status `canceled`.
  public var canceledAt: Date?
  /// Free-form facts of the caller; the server stores and returns them unread.
  public var metadata: JSONObject?

  /// Every field as the contract has it; what is nil is left out on the wire.
  public init(
    customerID: CustomerID? = nil,
    externalSystem: String,
    externalID: String,
    status: SubscriptionStatus,
    currentPeriodStart: Date,
    currentPeriodEnd: Date,
    cancelAtPeriodEnd: Bool? = nil,
    canceledAt: Date? = nil,
    metadata: JSONObject? = nil
  ) {
    self.customerID = customerID
    self.externalSystem = externalSystem
    self.externalID = externalID
    self.status = status
    self.currentPeriodStart = currentPeriodStart
    self.currentPeriodEnd = currentPeriodEnd
    self.cancelAtPeriodEnd = cancelAtPeriodEnd
    self.canceledAt = canceledAt
    self.metadata = metadata
  }
}

/// The body of `updateSubscription`. What is nil stays as it is; metadata is replaced as a whole.
public struct SubscriptionUpdateRequest: Codable, Hashable, Sendable {
  /// The customer record; an empty id unlinks.
  public var customerID: CustomerID?
  /// The outside system that owns the original, for example a billing system's name.
  public var externalSystem: String?
  /// The id of the original in that system; unique per product and system.
  public var externalID: String?
  /// The present state.
  public var status: SubscriptionStatus?
  /// Start of the paid period.
  public var currentPeriodStart: Date?
  /// End of the paid period.
  public var currentPeriodEnd: Date?
  /// Whether the subscription ends with the present period.
  public var cancelAtPeriodEnd: Bool?
  /// When it was canceled; only together with the status `canceled`.
  public var canceledAt: Date?
  /// Free-form facts of the caller; the server stores and returns them unread.
  public var metadata: JSONObject?

  /// Every field as the contract has it; what is nil is left out on the wire.
  public init(
    customerID: CustomerID? = nil,
    externalSystem: String? = nil,
    externalID: String? = nil,
    status: SubscriptionStatus? = nil,
    currentPeriodStart: Date? = nil,
    currentPeriodEnd: Date? = nil,
    cancelAtPeriodEnd: Bool? = nil,
    canceledAt: Date? = nil,
    metadata: JSONObject? = nil
  ) {
    self.customerID = customerID
    self.externalSystem = externalSystem
    self.externalID = externalID
    self.status = status
    self.currentPeriodStart = currentPeriodStart
    self.currentPeriodEnd = currentPeriodEnd
    self.cancelAtPeriodEnd = cancelAtPeriodEnd
    self.canceledAt = canceledAt
    self.metadata = metadata
  }
}
