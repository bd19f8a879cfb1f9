public import Foundation

/// Names a floating lease by its token, for check-in and heartbeat.
public struct FloatingLeaseRequest: Codable, Hashable, Sendable {
  /// The token that the checkout gave.
  public var leaseToken: String

  /// Every field as the contract has it.
  public init(leaseToken: String) {
    self.leaseToken = leaseToken
  }
}

/// The signed answer of a checkout.
public struct FloatingCheckoutResponseData: Codable, Hashable, Sendable {
  /// The license this belongs to.
  public var licenseID: LicenseID
  /// The license's state; a plain string in the contract.
  public var status: String
  /// How the license ends and whether it can be renewed.
  public var licenseType: LicenseType
  /// Rises with every change that alters what the runtime answers.
  public var entitlementVersion: Int64
  /// When this answer was made.
  public var issuedAt: Date
  /// The moment the entitlement ends; nil for no end.
  public var expiresAt: Date?
  /// The device that holds the lease.
  public var deviceID: DeviceID
  /// Proves the lease to check-in and heartbeat; a secret.
  public var leaseToken: String
  /// When the lease ends unless it is extended.
  public var leaseExpiresAt: Date
  /// The feature entitlements, by code.
  public var features: [FeatureEntitlement]
  /// Whether the given application version is covered; only when one was given.
  public var versionEligibility: VersionEligibility?

  /// Every field as the contract has it; what is nil is left out on the wire.
  public init(
    licenseID: LicenseID,
    status: String,
    licenseType: LicenseType,
    entitlementVersion: Int64,
    issuedAt: Date,
    expiresAt: Date? = nil,
    deviceID: DeviceID,
    leaseToken: String,
    leaseExpiresAt: Date,
    features: [FeatureEntitlement],
    versionEligibility: VersionEligibility? = nil
  ) {
    self.licenseID = licenseID
    self.status = status
    self.licenseType = licenseType
    self.entitlementVersion = entitlementVersion
    self.issuedAt = issuedAt
    self.expiresAt = expiresAt
    self.deviceID = deviceID
    self.leaseToken = leaseToken
    self.leaseExpiresAt = leaseExpiresAt
    self.features = features
    self.versionEligibility = versionEligibility
  }
}

/// The signed answer of check-in and heartbeat.
public struct FloatingLeaseResponseData: Codable, Hashable, Sendable {
  /// The license this belongs to.
  public var licenseID: LicenseID
  /// The license's state; a plain string in the contract.
  public var status: String
  /// How the license ends and whether it can be renewed.
  public var licenseType: LicenseType
  /// Rises with every change that alters what the runtime answers.
  public var entitlementVersion: Int64
  /// When this answer was made.
  public var issuedAt: Date
  /// The moment the entitlement ends; nil for no end.
  public var expiresAt: Date?
  /// The device that holds, or held, the lease.
  public var deviceID: DeviceID
  /// When the lease ends, or ended.
  public var leaseExpiresAt: Date
  /// The feature entitlements, by code.
  public var features: [FeatureEntitlement]?
  /// Whether the application's version is covered.
  public var versionEligibility: VersionEligibility?

  /// Every field as the contract has it; what is nil is left out on the wire.
  public init(
    licenseID: LicenseID,
    status: String,
    licenseType: LicenseType,
    entitlementVersion: Int64,
    issuedAt: Date,
    expiresAt: Date? = nil,
    deviceID: DeviceID,
    leaseExpiresAt: Date,
    features: [FeatureEntitlement]? = nil,
    versionEligibility: VersionEligibility? = nil
  ) {
    self.licenseID = licenseID
    self.status = status
    self.licenseType = licenseType
    self.entitlementVersion = entitlementVersion
    self.issuedAt = issuedAt
    self.expiresAt = expiresAt
    self.deviceID = deviceID
    self.leaseExpiresAt = leaseExpiresAt
    self.features = features
    self.versionEligibility = versionEligibility
  }
}

/// The answer of `issueOfflineLicense`: a signed payload, encrypted under a key that follows from the license key.
public struct OfflineEnvelope: Codable, Hashable, Sendable {
  /// The public key that checks the signature inside.
  public var kid: String
  /// The HKDF salt, in standard base64.
  public var salt: String
  /// The AES-GCM nonce, in standard base64.
  public var nonce: String
  /// Ciphertext and tag, in standard base64.
  public var ciphertext: String

  /// Every field as the contract has it.
  public init(
    kid: String,
    salt: String,
    nonce: String,
    ciphertext: String
  ) {
    self.kid = kid
    self.salt = salt
    self.nonce = nonce
    self.ciphertext = ciphertext
  }
}
