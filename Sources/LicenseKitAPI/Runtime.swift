public import Foundation

/// What an application says about where it runs: a `fingerprint` for hardware, or `isContainer` and at least one of the four
/// container fields.
public struct RuntimeBindingRequest: Codable, Hashable, Sendable {
  /// The machine's identity, for a hardware binding.
  public var fingerprint: String?
  /// The machine's host name.
  public var hostname: String?
  /// The machine's operating system.
  public var os: String?
  /// Whether the machine is virtual.
  public var isVM: Bool?
  /// Whether the application runs in a container; chooses the kind of binding.
  public var isContainer: Bool?
  /// Container id, for a container binding.
  public var containerID: String?
  /// Cluster id, for a container binding.
  public var clusterID: String?
  /// Namespace, for a container binding.
  public var namespace: String?
  /// Pod name, for a container binding.
  public var podName: String?
  /// The application's own version; printable ASCII, because it is part of what gets signed.
  public var appVersion: String?

  /// Every field as the contract has it; what is nil is left out on the wire.
  public init(
    fingerprint: String? = nil,
    hostname: String? = nil,
    os: String? = nil,
    isVM: Bool? = nil,
    isContainer: Bool? = nil,
    containerID: String? = nil,
    clusterID: String? = nil,
    namespace: String? = nil,
    podName: String? = nil,
    appVersion: String? = nil
  ) {
    self.fingerprint = fingerprint
    self.hostname = hostname
    self.os = os
    self.isVM = isVM
    self.isContainer = isContainer
    self.containerID = containerID
    self.clusterID = clusterID
    self.namespace = namespace
    self.podName = podName
    self.appVersion = appVersion
  }
}

/// The body of `consumeLicense`: a binding and what is used.
public struct ConsumeLicenseRequest: Codable, Hashable, Sendable {
  /// The machine's identity, for a hardware binding.
  public var fingerprint: String?
  /// The machine's host name.
  public var hostname: String?
  /// The machine's operating system.
  public var os: String?
  /// Whether the machine is virtual.
  public var isVM: Bool?
  /// Whether the application runs in a container; chooses the kind of binding.
  public var isContainer: Bool?
  /// Container id, for a container binding.
  public var containerID: String?
  /// Cluster id, for a container binding.
  public var clusterID: String?
  /// Namespace, for a container binding.
  public var namespace: String?
  /// Pod name, for a container binding.
  public var podName: String?
  /// The application's own version; printable ASCII, because it is part of what gets signed.
  public var appVersion: String?
  /// The feature's code, which the application asks for.
  public var featureCode: String
  /// Units to use, at least 1; 1 when nil.
  public var amount: Int64?
  /// The caller's id of this use; counted once per license however often it is sent.
  public var eventID: String

  /// Every field as the contract has it; what is nil is left out on the wire.
  public init(
    fingerprint: String? = nil,
    hostname: String? = nil,
    os: String? = nil,
    isVM: Bool? = nil,
    isContainer: Bool? = nil,
    containerID: String? = nil,
    clusterID: String? = nil,
    namespace: String? = nil,
    podName: String? = nil,
    appVersion: String? = nil,
    featureCode: String,
    amount: Int64? = nil,
    eventID: String
  ) {
    self.fingerprint = fingerprint
    self.hostname = hostname
    self.os = os
    self.isVM = isVM
    self.isContainer = isContainer
    self.containerID = containerID
    self.clusterID = clusterID
    self.namespace = namespace
    self.podName = podName
    self.appVersion = appVersion
    self.featureCode = featureCode
    self.amount = amount
    self.eventID = eventID
  }
}

/// What the runtime says about one feature. The three numbers only come with a quota.
public struct FeatureEntitlement: Codable, Hashable, Sendable {
  /// The feature's code.
  public var code: String
  /// Whether the feature may be used at all.
  public var enabled: Bool
  /// The quota.
  public var quota: Int64?
  /// Units used so far.
  public var consumed: Int64?
  /// Units left.
  public var remaining: Int64?

  /// Every field as the contract has it; what is nil is left out on the wire.
  public init(
    code: String,
    enabled: Bool,
    quota: Int64? = nil,
    consumed: Int64? = nil,
    remaining: Int64? = nil
  ) {
    self.code = code
    self.enabled = enabled
    self.quota = quota
    self.consumed = consumed
    self.remaining = remaining
  }
}

/// Whether an application version is covered by the license.
public struct VersionEligibility: Codable, Hashable, Sendable {
  /// The version asked about.
  public var appVersion: String
  /// Whether it is covered.
  public var isEntitled: Bool
  /// False while the product has no version catalog.
  public var enforced: Bool
  /// When the version was released, when known.
  public var releasedAt: Date?
  /// Versions released up to here are covered; nil for all.
  public var eligibleThrough: Date?

  /// Every field as the contract has it; what is nil is left out on the wire.
  public init(
    appVersion: String,
    isEntitled: Bool,
    enforced: Bool,
    releasedAt: Date? = nil,
    eligibleThrough: Date? = nil
  ) {
    self.appVersion = appVersion
    self.isEntitled = isEntitled
    self.enforced = enforced
    self.releasedAt = releasedAt
    self.eligibleThrough = eligibleThrough
  }
}

/// The signed answer of activate, validate, check and consume.
public struct RuntimeEntitlementResponseData: Codable, Hashable, Sendable {
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
  /// When the application should ask again.
  public var nextCheckAt: Date
  /// The moment the entitlement ends; nil for no end.
  public var expiresAt: Date?
  /// The device the answer is for.
  public var deviceID: DeviceID
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
    nextCheckAt: Date,
    expiresAt: Date? = nil,
    deviceID: DeviceID,
    features: [FeatureEntitlement],
    versionEligibility: VersionEligibility? = nil
  ) {
    self.licenseID = licenseID
    self.status = status
    self.licenseType = licenseType
    self.entitlementVersion = entitlementVersion
    self.issuedAt = issuedAt
    self.nextCheckAt = nextCheckAt
    self.expiresAt = expiresAt
    self.deviceID = deviceID
    self.features = features
    self.versionEligibility = versionEligibility
  }
}

/// The signed answer of deactivate.
public struct DeactivationResponseData: Codable, Hashable, Sendable {
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
  /// The device the answer is for.
  public var deviceID: DeviceID
  /// The moment the entitlement ends; nil for no end.
  public var expiresAt: Date?

  /// Every field as the contract has it; what is nil is left out on the wire.
  public init(
    licenseID: LicenseID,
    status: String,
    licenseType: LicenseType,
    entitlementVersion: Int64,
    issuedAt: Date,
    deviceID: DeviceID,
    expiresAt: Date? = nil
  ) {
    self.licenseID = licenseID
    self.status = status
    self.licenseType = licenseType
    self.entitlementVersion = entitlementVersion
    self.issuedAt = issuedAt
    self.deviceID = deviceID
    self.expiresAt = expiresAt
  }
}

/// A signature over the exact bytes of an answer's `data`.
public struct Signature: Codable, Hashable, Sendable {
  /// Always `Ed25519`.
  public var alg: String
  /// The public key to check it with.
  public var kid: String
  /// The 64 bytes in standard base64.
  public var value: String

  /// Every field as the contract has it; what is nil is left out on the wire.
  public init(
    alg: String,
    kid: String,
    value: String
  ) {
    self.alg = alg
    self.kid = kid
    self.value = value
  }
}
