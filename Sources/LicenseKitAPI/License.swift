public import Foundation
public import JSON

/// The state of a license at the moment of the answer. The last two follow from time alone.
public enum LicenseStatus: String, Codable, Hashable, Sendable, CaseIterable {
  /// Works.
  case active
  /// Stopped, and can be reinstated.
  case suspended
  /// Stopped for good.
  case revoked
  /// Past its expiry, and still works.
  case gracePeriod = "grace_period"
  /// Past its expiry and grace.
  case expired
}

/// A right to use a product. Everyone who has its key holds it.
public struct License: Codable, Hashable, Sendable {
  /// The record's id.
  public var id: LicenseID
  /// The product this belongs to.
  public var productID: ProductID
  /// The policy whose rules it follows.
  public var policyID: PolicyID
  /// The customer record, if one is linked.
  public var customerID: CustomerID?
  /// The order it came from, if any; never changes.
  public var orderID: OrderID?
  /// The subscription it came from, if any; never changes.
  public var subscriptionID: SubscriptionID?
  /// The present state.
  public var status: LicenseStatus
  /// How the key begins, to recognise it by.
  public var licenseKeyPrefix: String
  /// How the key ends, to recognise it by.
  public var licenseKeyLast4: String
  /// The buyer's address as copied on the license, independent of any customer record.
  public var customerEmail: String?
  /// The buyer's name as copied on the license, independent of any customer record.
  public var customerName: String?
  /// Devices active now.
  public var activeDeviceCount: Int
  /// Activations so far.
  public var timesActivated: Int
  /// Transfers so far.
  public var timesTransferred: Int
  /// Units used so far, over all features.
  public var totalConsumptions: Int64
  /// Rises with every change that alters what the runtime answers.
  public var entitlementVersion: Int64
  /// Before this moment the license answers no runtime request.
  public var startsAt: Date?
  /// The moment the entitlement ends; nil for no end.
  public var expiresAt: Date?
  /// Versions released later are not covered; perpetual licenses only.
  public var maintenanceExpiresAt: Date?
  /// Free-form facts of the caller; the server stores and returns them unread.
  public var metadata: JSONObject
  /// When the record was made.
  public var createdAt: Date
  /// When the record last changed.
  public var updatedAt: Date

  /// Every field as the contract has it; what is nil is left out on the wire.
  public init(
    id: LicenseID,
    productID: ProductID,
    policyID: PolicyID,
    customerID: CustomerID? = nil,
    orderID: OrderID? = nil,
    subscriptionID: SubscriptionID? = nil,
    status: LicenseStatus,
    licenseKeyPrefix: String,
    licenseKeyLast4: String,
    customerEmail: String? = nil,
    customerName: String? = nil,
    activeDeviceCount: Int,
    timesActivated: Int,
    timesTransferred: Int,
    totalConsumptions: Int64,
    entitlementVersion: Int64,
    startsAt: Date? = nil,
    expiresAt: Date? = nil,
    maintenanceExpiresAt: Date? = nil,
    metadata: JSONObject,
    createdAt: Date,
    updatedAt: Date
  ) {
    self.id = id
    self.productID = productID
    self.policyID = policyID
    self.customerID = customerID
    self.orderID = orderID
    self.subscriptionID = subscriptionID
    self.status = status
    self.licenseKeyPrefix = licenseKeyPrefix
    self.licenseKeyLast4 = licenseKeyLast4
    self.customerEmail = customerEmail
    self.customerName = customerName
    self.activeDeviceCount = activeDeviceCount
    self.timesActivated = timesActivated
    self.timesTransferred = timesTransferred
    self.totalConsumptions = totalConsumptions
    self.entitlementVersion = entitlementVersion
    self.startsAt = startsAt
    self.expiresAt = expiresAt
    self.maintenanceExpiresAt = maintenanceExpiresAt
    self.metadata = metadata
    self.createdAt = createdAt
    self.updatedAt = updatedAt
  }
}

/// The body of `createLicense`. Order and subscription must belong to the product and to each other; an order's
/// subscription is taken over when none is named.
public struct LicenseCreateRequest: Codable, Hashable, Sendable {
  /// The product this belongs to.
  public var productID: ProductID
  /// A policy of that product.
  public var policyID: PolicyID
  /// The customer record, if one is linked.
  public var customerID: CustomerID?
  /// The order record, if one is linked.
  public var orderID: OrderID?
  /// The subscription record, if one is linked.
  public var subscriptionID: SubscriptionID?
  /// The buyer's address as copied on the license, independent of any customer record.
  public var customerEmail: String?
  /// The buyer's name as copied on the license, independent of any customer record.
  public var customerName: String?
  /// Before this moment the license answers no runtime request.
  public var startsAt: Date?
  /// The moment the entitlement ends; nil for no end.
  public var expiresAt: Date?
  /// Versions released later are not covered; perpetual licenses only.
  public var maintenanceExpiresAt: Date?
  /// Free-form facts of the caller; the server stores and returns them unread.
  public var metadata: JSONObject?

  /// Every field as the contract has it; what is nil is left out on the wire.
  public init(
    productID: ProductID,
    policyID: PolicyID,
    customerID: CustomerID? = nil,
    orderID: OrderID? = nil,
    subscriptionID: SubscriptionID? = nil,
    customerEmail: String? = nil,
    customerName: String? = nil,
    startsAt: Date? = nil,
    expiresAt: Date? = nil,
    maintenanceExpiresAt: Date? = nil,
    metadata: JSONObject? = nil
  ) {
    self.productID = productID
    self.policyID = policyID
    self.customerID = customerID
    self.orderID = orderID
    self.subscriptionID = subscriptionID
    self.customerEmail = customerEmail
    self.customerName = customerName
    self.startsAt = startsAt
    self.expiresAt = expiresAt
    self.maintenanceExpiresAt = maintenanceExpiresAt
    self.metadata = metadata
  }
}

/// The answer of `createLicense`, the only one that carries the raw key.
public struct LicenseCreateResponse: Codable, Hashable, Sendable {
  /// The license made.
  public var license: License
  /// The raw license key. Shown this once and never again.
  public var licenseKey: String

  /// Every field as the contract has it; what is nil is left out on the wire.
  public init(
    license: License,
    licenseKey: String
  ) {
    self.license = license
    self.licenseKey = licenseKey
  }
}

/// The body of `renewLicense`: exactly one of `expiresAt` and `extendByDays`. Order and subscription are noted in the
/// audit trail and do not change where the license came from.
public struct LicenseRenewRequest: Codable, Hashable, Sendable {
  /// The new expiry, not before the present one.
  public var expiresAt: Date?
  /// Days to add to the present expiry, or to now when that has passed; at least 1.
  public var extendByDays: Int?
  /// The order record, if one is linked.
  public var orderID: OrderID?
  /// The subscription record, if one is linked.
  public var subscriptionID: SubscriptionID?

  /// Every field as the contract has it; what is nil is left out on the wire.
  public init(
    expiresAt: Date? = nil,
    extendByDays: Int? = nil,
    orderID: OrderID? = nil,
    subscriptionID: SubscriptionID? = nil
  ) {
    self.expiresAt = expiresAt
    self.extendByDays = extendByDays
    self.orderID = orderID
    self.subscriptionID = subscriptionID
  }
}

/// The body of `transferLicense`: at least one new owner field, or `resetDevices`.
public struct LicenseTransferRequest: Codable, Hashable, Sendable {
  /// The new customer record; an empty id unlinks.
  public var customerID: CustomerID?
  /// The buyer's address as copied on the license, independent of any customer record.
  public var customerEmail: String?
  /// The buyer's name as copied on the license, independent of any customer record.
  public var customerName: String?
  /// Whether every active device loses its seat.
  public var resetDevices: Bool?

  /// Every field as the contract has it; what is nil is left out on the wire.
  public init(
    customerID: CustomerID? = nil,
    customerEmail: String? = nil,
    customerName: String? = nil,
    resetDevices: Bool? = nil
  ) {
    self.customerID = customerID
    self.customerEmail = customerEmail
    self.customerName = customerName
    self.resetDevices = resetDevices
  }
}

/// What `listLicenses` can be narrowed by. Everything given must hold.
public struct LicenseFilter: Codable, Hashable, Sendable {
  /// The product this belongs to.
  public var productID: ProductID?
  /// The policy whose rules it follows.
  public var policyID: PolicyID?
  /// The customer record, if one is linked.
  public var customerID: CustomerID?
  /// The present state.
  public var status: LicenseStatus?
  /// The order record, if one is linked.
  public var orderID: OrderID?
  /// The subscription record, if one is linked.
  public var subscriptionID: SubscriptionID?
  /// Only licenses that expire before this moment.
  public var expiresBefore: Date?
  /// Only licenses that expire after this moment.
  public var expiresAfter: Date?
  /// Rows wanted, 1 to 200; 50 when nil.
  public var limit: Int?

  /// Every field as the contract has it; what is nil is left out on the wire.
  public init(
    productID: ProductID? = nil,
    policyID: PolicyID? = nil,
    customerID: CustomerID? = nil,
    status: LicenseStatus? = nil,
    orderID: OrderID? = nil,
    subscriptionID: SubscriptionID? = nil,
    expiresBefore: Date? = nil,
    expiresAfter: Date? = nil,
    limit: Int? = nil
  ) {
    self.productID = productID
    self.policyID = policyID
    self.customerID = customerID
    self.status = status
    self.orderID = orderID
    self.subscriptionID = subscriptionID
    self.expiresBefore = expiresBefore
    self.expiresAfter = expiresAfter
    self.limit = limit
  }
}
