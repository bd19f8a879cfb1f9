import Foundation
import LicenseKitAPI
import ServerKit

/// One `validate` or `check`: who asks, and about what.
struct ValidationQuestion: Sendable {
  /// What the application may learn, and whether it leaves a trace.
  enum Kind: Hashable, Sendable {
    /// Confirms a bound device and stamps it as seen. A version that is not covered is refused.
    case validate
    /// The same answer without a trace. A version that is not covered is reported, not refused.
    case check
  }

  var kind: Kind
  /// SHA-256 of the license key.
  var keyHash: [UInt8]
  /// The host name asked for; one that belongs to another tenant knows no key of this one.
  var host: String?
  /// Where the application runs, checked.
  var binding: Binding
  /// Where the request came from.
  var address: String
  /// Whole seconds.
  var now: Date
}

/// Everything that an answer depends on, as found by one statement.
struct ValidationFacts: Sendable {
  var tenant: TenantID
  var license: LicenseID
  var type: LicenseType
  var lifecycle: LicenseLifecycle
  var startsAt: Date?
  var maintenanceExpiresAt: Date?
  var entitlementVersion: Int64
  var policy: Policy
  /// The device with the binding asked about, if there ever was one.
  var device: Device?
  /// By code.
  var features: [GivenFeature]
  /// Nil when no version was named.
  var catalog: Catalog?
  /// The tenant's active signing key.
  var kid: String?

  /// The policy as far as it matters here.
  struct Policy: Hashable, Sendable {
    var validationIntervalMinutes: Int
    var allowsVM: Bool
    var allowsContainer: Bool
    var requiresHeartbeat: Bool
  }

  /// The device as far as it matters here.
  struct Device: Hashable, Sendable {
    var id: DeviceID
    /// As stored: see ``BoundDevice/status(stored:holdsSeat:leaseExpiresAt:at:)``.
    var stored: DeviceStatus
    var holdsSeat: Bool
    var leaseExpiresAt: Date?
    var lastValidatedAt: Date?
  }

  /// A feature as the license was given it.
  struct GivenFeature: Hashable, Sendable {
    var code: String
    var enabled: Bool
    var quota: Int64?
    var used: Int64
    var endsAt: Date?
  }

  /// What the product's catalog says of the version asked about.
  struct Catalog: Hashable, Sendable {
    var hasVersions: Bool
    var releasedAt: Date?
  }
}

extension ValidationQuestion {
  /// The outcome of a question.
  enum Outcome: Sendable {
    case answered(RuntimeEntitlementResponseData)
    /// The device runs on a lease that each call extends. That is a change of its own, which is not made here.
    case extendsLease
  }

  /// The answer, or the refusal. Pure.
  ///
  /// - Throws: 403 when license, place, device or version forbid it; 404 for a device that is not active.
  func outcome(from facts: ValidationFacts) throws(APIFailure) -> Outcome {
    try facts.lifecycle.requireUsable(from: facts.startsAt, at: now)
    try binding.requireAllowed(vm: facts.policy.allowsVM, container: facts.policy.allowsContainer)
    guard let device = facts.device else { throw .notFound("device") }
    try BoundDevice.status(
      stored: device.stored, holdsSeat: device.holdsSeat, leaseExpiresAt: device.leaseExpiresAt, at: now
    ).requireActive()
    let eligibility = eligibility(from: facts)
    if kind == .validate {
      if let end = device.leaseExpiresAt, now < end, !facts.policy.requiresHeartbeat { return .extendsLease }
      try eligibility?.requireEntitled()
    }
    return .answered(
      RuntimeEntitlementResponseData(
        licenseID: facts.license, status: facts.lifecycle.status(at: now).rawValue, licenseType: facts.type,
        entitlementVersion: facts.entitlementVersion, issuedAt: now,
        nextCheckAt: NextCheck.moment(
          after: now, minutes: facts.policy.validationIntervalMinutes, lifecycle: facts.lifecycle,
          featureEnds: facts.features.map { $0.enabled ? $0.endsAt : nil }, eligibility: eligibility,
          livingUntil: device.holdsSeat ? nil : device.leaseExpiresAt),
        expiresAt: facts.lifecycle.expiresAt, deviceID: device.id,
        features: facts.features.map {
          FeatureEntitlement(
            code: $0.code, enabled: $0.enabled, quota: $0.quota, used: $0.used, endsAt: $0.endsAt, at: now)
        },
        versionEligibility: eligibility))
  }

  private func eligibility(from facts: ValidationFacts) -> VersionEligibility? {
    guard let version = binding.request.appVersion, let catalog = facts.catalog else { return nil }
    return VersionGate.eligibility(
      of: version, hasCatalog: catalog.hasVersions, releasedAt: catalog.releasedAt,
      eligibleThrough: VersionGate.eligibleThrough(
        type: facts.type, expiresAt: facts.lifecycle.expiresAt, maintenanceExpiresAt: facts.maintenanceExpiresAt),
      now: now)
  }
}
