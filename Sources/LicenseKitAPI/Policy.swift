public import Foundation
public import JSON

/// How a license ends and whether it can be renewed.
public enum LicenseType: String, Codable, Hashable, Sendable, CaseIterable {
  /// Never ends; may carry a maintenance cutoff. Not renewable.
  case perpetual
  /// Ends at a fixed moment; renewable.
  case timeLimited = "time_limited"
  /// Ends with the paid period; renewable.
  case subscription
  /// Ends with the trial; renewable.
  case trial
  /// Ends only by its quotas. Not renewable.
  case consumption
}

/// The rules that licenses of a product follow.
public struct Policy: Codable, Hashable, Sendable {
  /// The record's id.
  public var id: PolicyID
  /// The product this belongs to.
  public var productID: ProductID
  /// The name people read.
  public var name: String
  /// The short name programs use; unique per product.
  public var code: String
  /// How the license ends and whether it can be renewed.
  public var licenseType: LicenseType
  /// Devices that may be active at once.
  public var maxActivations: Int
  /// Concurrent floating leases allowed; nil when the policy is not floating.
  public var maxFloatingUsers: Int?
  /// Containers that may be active at once, counted apart from devices; nil to count them with the devices.
  public var maxContainerInstances: Int?
  /// Minutes without a heartbeat after which a floating lease is over.
  public var floatingTimeoutMinutes: Int
  /// Days after the expiry during which the license still works.
  public var gracePeriodDays: Int
  /// Minutes until the application should ask again.
  public var validationIntervalMinutes: Int
  /// Whether floating leases must be kept alive by heartbeats.
  public var requireHeartbeat: Bool
  /// Whether offline envelopes may be issued.
  public var allowOfflineActivation: Bool
  /// Days an offline envelope stays good.
  public var offlineGraceDays: Int
  /// Whether virtual machines may be bound.
  public var allowVM: Bool
  /// Whether containers may be bound.
  public var allowContainer: Bool
  /// How often a license may change hands; 0 for as often as wanted.
  public var maxTransfers: Int
  /// Free-form facts of the caller; the server stores and returns them unread.
  public var metadata: JSONObject
  /// When the record was made.
  public var createdAt: Date
  /// When the record last changed.
  public var updatedAt: Date

  /// Every field as the contract has it; what is nil is left out on the wire.
  public init(
    id: PolicyID,
    productID: ProductID,
    name: String,
    code: String,
    licenseType: LicenseType,
    maxActivations: Int,
    maxFloatingUsers: Int? = nil,
    maxContainerInstances: Int? = nil,
    floatingTimeoutMinutes: Int,
    gracePeriodDays: Int,
    validationIntervalMinutes: Int,
    requireHeartbeat: Bool,
    allowOfflineActivation: Bool,
    offlineGraceDays: Int,
    allowVM: Bool,
    allowContainer: Bool,
    maxTransfers: Int,
    metadata: JSONObject,
    createdAt: Date,
    updatedAt: Date
  ) {
    self.id = id
    self.productID = productID
    self.name = name
    self.code = code
    self.licenseType = licenseType
    self.maxActivations = maxActivations
    self.maxFloatingUsers = maxFloatingUsers
    self.maxContainerInstances = maxContainerInstances
    self.floatingTimeoutMinutes = floatingTimeoutMinutes
    self.gracePeriodDays = gracePeriodDays
    self.validationIntervalMinutes = validationIntervalMinutes
    self.requireHeartbeat = requireHeartbeat
    self.allowOfflineActivation = allowOfflineActivation
    self.offlineGraceDays = offlineGraceDays
    self.allowVM = allowVM
    self.allowContainer = allowContainer
    self.maxTransfers = maxTransfers
    self.metadata = metadata
    self.createdAt = createdAt
    self.updatedAt = updatedAt
  }
}

/// The body of `createPolicy`. Other limits of a policy cannot be set through the contract.
public struct PolicyCreateRequest: Codable, Hashable, Sendable {
  /// The name people read.
  public var name: String
  /// The short name programs use; unique per product.
  public var code: String
  /// How the license ends and whether it can be renewed.
  public var licenseType: LicenseType
  /// Concurrent floating leases allowed, at least 0.
  public var maxFloatingUsers: Int?
  /// Minutes without a heartbeat after which a floating lease is over, at least 1.
  public var floatingTimeoutMinutes: Int?
  /// Whether floating leases must be kept alive by heartbeats.
  public var requireHeartbeat: Bool?
  /// Free-form facts of the caller; the server stores and returns them unread.
  public var metadata: JSONObject?

  /// Every field as the contract has it; what is nil is left out on the wire.
  public init(
    name: String,
    code: String,
    licenseType: LicenseType,
    maxFloatingUsers: Int? = nil,
    floatingTimeoutMinutes: Int? = nil,
    requireHeartbeat: Bool? = nil,
    metadata: JSONObject? = nil
  ) {
    self.name = name
    self.code = code
    self.licenseType = licenseType
    self.maxFloatingUsers = maxFloatingUsers
    self.floatingTimeoutMinutes = floatingTimeoutMinutes
    self.requireHeartbeat = requireHeartbeat
    self.metadata = metadata
  }
}

/// The body of `updatePolicy`. What is nil stays as it is; metadata is replaced as a whole.
public struct PolicyUpdateRequest: Codable, Hashable, Sendable {
  /// The name people read.
  public var name: String?
  /// The short name programs use; unique within its scope.
  public var code: String?
  /// How the license ends and whether it can be renewed.
  public var licenseType: LicenseType?
  /// Concurrent floating leases allowed, at least 0.
  public var maxFloatingUsers: Int?
  /// Minutes without a heartbeat after which a floating lease is over, at least 1.
  public var floatingTimeoutMinutes: Int?
  /// Whether floating leases must be kept alive by heartbeats.
  public var requireHeartbeat: Bool?
  /// Free-form facts of the caller; the server stores and returns them unread.
  public var metadata: JSONObject?

  /// Every field as the contract has it; what is nil is left out on the wire.
  public init(
    name: String? = nil,
    code: String? = nil,
    licenseType: LicenseType? = nil,
    maxFloatingUsers: Int? = nil,
    floatingTimeoutMinutes: Int? = nil,
    requireHeartbeat: Bool? = nil,
    metadata: JSONObject? = nil
  ) {
    self.name = name
    self.code = code
    self.licenseType = licenseType
    self.maxFloatingUsers = maxFloatingUsers
    self.floatingTimeoutMinutes = floatingTimeoutMinutes
    self.requireHeartbeat = requireHeartbeat
    self.metadata = metadata
  }
}
