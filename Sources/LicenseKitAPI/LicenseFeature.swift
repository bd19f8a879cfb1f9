public import Foundation
public import JSON

/// A feature given to a license, with its quota and use.
public struct LicenseFeature: Codable, Hashable, Sendable {
  /// The license this belongs to.
  public var licenseID: LicenseID
  /// The product's feature.
  public var featureID: FeatureID
  /// The feature's code, which the application asks for.
  public var featureCode: String
  /// The feature's name.
  public var featureName: String
  /// Whether the feature may be used at all.
  public var enabled: Bool
  /// The quota; nil for unlimited.
  public var maxConsumptions: Int64?
  /// Units used so far.
  public var totalConsumptions: Int64
  /// Units left; nil for unlimited.
  public var remaining: Int64?
  /// The moment this entitlement ends, if earlier than the license.
  public var expiresAt: Date?
  /// Free-form facts of the caller; the server stores and returns them unread.
  public var metadata: JSONObject

  /// Every field as the contract has it; what is nil is left out on the wire.
  public init(
    licenseID: LicenseID,
    featureID: FeatureID,
    featureCode: String,
    featureName: String,
    enabled: Bool,
    maxConsumptions: Int64? = nil,
    totalConsumptions: Int64,
    remaining: Int64? = nil,
    expiresAt: Date? = nil,
    metadata: JSONObject
  ) {
    self.licenseID = licenseID
    self.featureID = featureID
    self.featureCode = featureCode
    self.featureName = featureName
    self.enabled = enabled
    self.maxConsumptions = maxConsumptions
    self.totalConsumptions = totalConsumptions
    self.remaining = remaining
    self.expiresAt = expiresAt
    self.metadata = metadata
  }
}

/// The body of `assignLicenseFeature`, which gives a feature or replaces how it was given. Use so far is kept.
public struct LicenseFeatureAssignRequest: Codable, Hashable, Sendable {
  /// The product's feature.
  public var featureID: FeatureID
  /// Whether the feature may be used at all; true when nil.
  public var enabled: Bool?
  /// The quota, at least 0; nil for unlimited.
  public var maxConsumptions: Int64?
  /// The moment this entitlement ends, if earlier than the license.
  public var expiresAt: Date?
  /// Free-form facts of the caller; the server stores and returns them unread.
  public var metadata: JSONObject?

  /// Every field as the contract has it; what is nil is left out on the wire.
  public init(
    featureID: FeatureID,
    enabled: Bool? = nil,
    maxConsumptions: Int64? = nil,
    expiresAt: Date? = nil,
    metadata: JSONObject? = nil
  ) {
    self.featureID = featureID
    self.enabled = enabled
    self.maxConsumptions = maxConsumptions
    self.expiresAt = expiresAt
    self.metadata = metadata
  }
}

/// The body of `resetLicenseUsage`: exactly one of `featureID` and `featureCode`, and at least one change.
public struct LicenseFeatureUsageResetRequest: Codable, Hashable, Sendable {
  /// The product's feature.
  public var featureID: FeatureID?
  /// The feature's code, which the application asks for.
  public var featureCode: String?
  /// Raises the quota by this much, at least 1.
  public var addCredits: Int64?
  /// Sets the quota, at least 0.
  public var maxConsumptions: Int64?
  /// Sets the use so far, at least 0.
  public var totalConsumptions: Int64?
  /// Sets the use so far to 0.
  public var resetConsumed: Bool?

  /// Every field as the contract has it; what is nil is left out on the wire.
  public init(
    featureID: FeatureID? = nil,
    featureCode: String? = nil,
    addCredits: Int64? = nil,
    maxConsumptions: Int64? = nil,
    totalConsumptions: Int64? = nil,
    resetConsumed: Bool? = nil
  ) {
    self.featureID = featureID
    self.featureCode = featureCode
    self.addCredits = addCredits
    self.maxConsumptions = maxConsumptions
    self.totalConsumptions = totalConsumptions
    self.resetConsumed = resetConsumed
  }
}
