import Foundation
import Identity
import JSON
import LicenseKitAPI
import Postgres
import ServerKit

/// A license as its application sees it, within one transaction.
struct RuntimeLicense: Sendable {
  var record: LicenseRecord
  var policy: Policy
  var caller: Caller
  var now: Date

  var id: LicenseID { record.license.id }
  var status: LicenseStatus { record.license.status }

  /// - Parameter locked: whether seats or use are about to change.
  static func load(
    _ id: LicenseID, for caller: Caller, locked: Bool, now: Date, in transaction: PostgresTransaction
  ) async throws -> RuntimeLicense {
    let record = try await LicenseRecord.find(id, for: caller, locked: locked, now: now, in: transaction)
    let policy = try await Policies.find(record.license.policyID, for: caller, in: transaction)
    return RuntimeLicense(record: record, policy: policy, caller: caller, now: now)
  }

  /// Refuses everything but active and grace_period: 403.
  func requireUsable() throws(APIFailure) {
    try record.lifecycle.requireUsable(from: record.license.startsAt, at: now)
  }

  /// Refuses a place that the policy does not allow: 403. A changed policy holds at once, also for devices bound before.
  func requireAllowed(_ binding: Binding) throws(APIFailure) {
    try binding.requireAllowed(vm: policy.allowVM, container: policy.allowContainer)
  }

  /// The device with this binding, in any state: by its present key, else by a former key.
  func device(_ binding: Binding, in transaction: PostgresTransaction) async throws -> BoundDevice? {
    let rows = try await transaction.query(
      """
      SELECT \(fragment: Devices.columns)
        FROM license_server.devices
       WHERE tenant_id = \(caller.tenant) AND license_id = \(id) AND binding_key = ANY(\(binding.keys))
       ORDER BY binding_key = \(binding.key) DESC, last_seen_at DESC
       LIMIT 1
      """)
    return try rows.first.map { try BoundDevice(row: $0, now: now) }
  }

  /// The active device with this binding: one that holds a seat, or a lease that has not run out.
  /// - Throws: 403 for a blocked one, 404 for any other: activate first.
  func activeDevice(_ binding: Binding, in transaction: PostgresTransaction) async throws -> BoundDevice {
    guard let device = try await device(binding, in: transaction) else { throw APIFailure.notFound("device") }
    try device.status.requireActive()
    return device
  }

  /// Whether the version that the application names is covered; nil when it names none.
  func eligibility(of version: String?, in transaction: PostgresTransaction) async throws -> VersionEligibility? {
    guard let version else { return nil }
    let rows = try await transaction.query(
      """
      SELECT EXISTS (SELECT 1
                       FROM license_server.product_versions
                      WHERE tenant_id = \(caller.tenant) AND product_id = \(record.license.productID)) AS has_catalog,
             (SELECT released_at
                FROM license_server.product_versions
               WHERE tenant_id = \(caller.tenant) AND product_id = \(record.license.productID)
                 AND version = \(version)) AS released_at
      """)
    guard let row = rows.first else { return nil }
    return VersionGate.eligibility(
      of: version, hasCatalog: try row.get("has_catalog"), releasedAt: try row.get("released_at"),
      eligibleThrough: VersionGate.eligibleThrough(
        type: record.type, expiresAt: record.license.expiresAt,
        maintenanceExpiresAt: record.license.maintenanceExpiresAt), now: now)
  }

  /// The features as given, by code.
  func assignedFeatures(in transaction: PostgresTransaction) async throws -> [LicenseFeature] {
    try await transaction.query(
      """
      \(fragment: LicenseFeatures.selection)
       WHERE a.tenant_id = \(caller.tenant) AND a.license_id = \(id)
       ORDER BY f.code
      """
    ).all(LicenseFeature.init(row:))
  }

  /// The features as the application sees them, by code.
  func features(in transaction: PostgresTransaction) async throws -> [FeatureEntitlement] {
    try await assignedFeatures(in: transaction).map { $0.entitlement(at: now) }
  }

  /// The answer of activate, validate, check and consume.
  ///
  /// - Parameter livingUntil: the end of the lease by which the device runs; nil for one with a seat.
  func entitlement(
    device: DeviceID, livingUntil: Date? = nil, eligibility: VersionEligibility?, in transaction: PostgresTransaction
  ) async throws -> RuntimeEntitlementResponseData {
    let given = try await assignedFeatures(in: transaction)
    return RuntimeEntitlementResponseData(
      licenseID: id, status: status.rawValue, licenseType: record.type,
      entitlementVersion: record.license.entitlementVersion, issuedAt: now,
      nextCheckAt: nextCheck(features: given, eligibility: eligibility, livingUntil: livingUntil),
      expiresAt: record.lifecycle.expiresAt, deviceID: device, features: given.map { $0.entitlement(at: now) },
      versionEligibility: eligibility)
  }

  private func nextCheck(features: [LicenseFeature], eligibility: VersionEligibility?, livingUntil: Date?) -> Date {
    NextCheck.moment(
      after: now, minutes: policy.validationIntervalMinutes, lifecycle: record.lifecycle,
      featureEnds: features.map { $0.enabled ? $0.expiresAt : nil }, eligibility: eligibility, livingUntil: livingUntil)
  }
}

extension LicenseFeature {
  /// As the application sees it. The numbers come only with a quota.
  func entitlement(at now: Date) -> FeatureEntitlement {
    FeatureEntitlement(
      code: featureCode, enabled: enabled, quota: maxConsumptions, used: totalConsumptions, endsAt: expiresAt, at: now)
  }

  /// Switched on and not ended.
  func isUsable(at now: Date) -> Bool { entitlement(at: now).enabled }
}

extension RuntimeLicense {
  /// The end of a lease that begins or is extended now.
  var leaseEnd: Date { FloatingLease.end(policy, record.lifecycle, at: now) }

  /// Extends the lease of a device that just called, if its policy does not require heartbeats.
  /// - Throws: 404 when the device ran by a lease that was ended meanwhile.
  func keepingLease(of device: BoundDevice, in transaction: PostgresTransaction) async throws -> BoundDevice {
    guard let lease = device.lease, now < lease.expiresAt, !policy.requireHeartbeat else { return device }
    var kept = device
    kept.lease = try await extend(lease, of: device.id, in: transaction)
    guard kept.holdsSeat || kept.lease != nil else { throw APIFailure.notFound("device") }
    return kept
  }

  /// Extends a lease that has not expired; it never becomes shorter. This is safe without a lock on the license, because the
  /// condition is checked again once the row is free.
  /// - Returns: nil if there is no such lease any more.
  private func extend(
    _ lease: FloatingLease, of device: DeviceID, in transaction: PostgresTransaction
  ) async throws -> FloatingLease? {
    let rows = try await transaction.query(
      """
      UPDATE license_server.devices
         SET lease_expires_at = greatest(lease_expires_at, \(leaseEnd))
       WHERE tenant_id = \(caller.tenant) AND license_id = \(id) AND id = \(device)
         AND lease_id = \(lease.id) AND lease_expires_at > \(now)
      RETURNING lease_expires_at
      """)
    return try rows.first.map { FloatingLease(id: lease.id, expiresAt: try $0.get("lease_expires_at")) }
  }
}
