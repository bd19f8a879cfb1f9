import Cryptography
import Foundation
import Identity
import JSON
import LicenseKitAPI
import Postgres
import ServerKit

/// Floating leases: a license's pool of places, each held by one device until its lease ends.
///
/// A place is free as soon as its lease ends, even if nothing has removed the lease: the next checkout removes expired leases
/// before it counts. The count is exact, even between replicas whose clocks differ: leases are made only under the lock on
/// the license, and a lease that one replica has removed cannot be extended by another.
struct Floating: Sendable {
  let runtime: Runtime
  /// Encrypts the stored answers of checkouts, which contain the token.
  let keyRing: KeyRing

  /// Takes a place. The same binding never takes a second one: its lease starts again, with a new token.
  ///
  /// - Throws: 403 when the policy has no pool, or none of its places is free.
  func checkout(
    _ license: LicenseID, _ body: RuntimeBindingRequest, idempotencyKey: String?, for caller: Caller
  ) async throws -> SignedAnswer {
    let binding = try Binding(body)
    return try await runtime.once(
      IdempotentCall.checkoutFloatingLicense, license, idempotencyKey, body, for: caller, encryptedWith: keyRing
    ) { license, transaction in
      try license.requireUsable()
      let known = try await license.device(binding, in: transaction)
      if known?.status == .blacklisted { throw APIFailure.deviceBlacklisted }
      try license.requireAllowed(binding)
      guard let places = license.policy.maxFloatingUsers, places > 0 else { throw APIFailure.floatingNotAllowed }
      let eligibility = try await license.entitledVersion(body.appVersion, in: transaction)

      try await ExpiredLeases.clear(.license(license.id), of: caller.tenant, now: license.now, in: transaction)
      let isRenewal = known?.lease.map { license.now < $0.expiresAt } ?? false
      if !isRenewal { try await requirePlace(among: places, license, in: transaction) }

      let token = Credential.newLeaseToken()
      let lease = FloatingLease(id: LeaseID(Random.id(prefix: "lease_")), expiresAt: license.leaseEnd)
      let device = try await license.register(
        binding, known: known, as: .leased(lease, tokenHash: Credential.hash(token)), in: transaction)
      try await EventLog.append(
        .floatingCheckedOut, license.id.rawValue, by: caller, at: license.now,
        metadata: [
          "device_id": .string(device.rawValue), "lease_id": .string(lease.id.rawValue),
          "lease_expires_at": .string(RFC3339.string(from: lease.expiresAt)), "renewed": .bool(isRenewal),
        ], in: transaction)
      let data = FloatingCheckoutResponseData(
        licenseID: license.id, status: license.status.rawValue, licenseType: license.record.type,
        entitlementVersion: license.record.license.entitlementVersion, issuedAt: license.now,
        expiresAt: license.record.lifecycle.expiresAt, deviceID: device, leaseToken: token,
        leaseExpiresAt: lease.expiresAt, features: try await license.features(in: transaction),
        versionEligibility: eligibility)
      return try await runtime.sign(SignedPayload.bytes(of: data), for: caller.tenant, in: transaction)
    }
  }

  /// Gives the place back. This works in every state of the license: an application may always give up its place.
  ///
  /// - Throws: 404 for a lease that is unknown or has ended.
  func checkin(
    _ license: LicenseID, _ body: FloatingLeaseRequest, idempotencyKey: String?, for caller: Caller
  ) async throws -> SignedAnswer {
    let token = try Self.hash(of: body)
    return try await runtime.once("checkinFloatingLicense", license, idempotencyKey, body, for: caller) {
      license, transaction in
      let rows = try await transaction.query(
        """
        WITH held AS (
          SELECT tenant_id, license_id, id, lease_id
            FROM license_server.devices
           WHERE tenant_id = \(caller.tenant) AND license_id = \(license.id)
             AND lease_token_hash = \(token) AND lease_expires_at > \(license.now) AND lease_id IS NOT NULL
             FOR UPDATE
        )
        UPDATE license_server.devices d
           SET status       = CASE WHEN d.holds_seat THEN d.status ELSE 'deactivated' END,
               \(fragment: FloatingLease.none),
               last_seen_at = \(license.now),
               updated_at   = \(license.now)
          FROM held
         WHERE d.tenant_id = held.tenant_id AND d.license_id = held.license_id AND d.id = held.id
        RETURNING d.id, held.lease_id
        """)
      guard let row = rows.first else { throw APIFailure.leaseNotFound }
      let (device, lease) = (try row.get("id", as: DeviceID.self), try row.get("lease_id", as: LeaseID.self))
      try await EventLog.append(
        .floatingCheckedIn, license.id.rawValue, by: caller, at: license.now,
        metadata: ["device_id": .string(device.rawValue), "lease_id": .string(lease.rawValue)], in: transaction)
      return try await answer(license, device: device, until: license.now, features: nil, in: transaction)
    }
  }

  /// Extends a lease before it ends.
  ///
  /// - Throws: 403 when the license is not usable any more; 404 for a lease that is unknown or has ended.
  func heartbeat(
    _ license: LicenseID, _ body: FloatingLeaseRequest, for caller: Caller
  ) async throws -> SignedAnswer {
    let token = try Self.hash(of: body)
    let now = runtime.clock.now()
    return try await runtime.store.transaction(caller.tenant) { transaction in
      let license = try await RuntimeLicense.load(license, for: caller, locked: false, now: now, in: transaction)
      try license.requireUsable()
      // Without the lock on the license, so the condition is checked again once the row is free.
      let rows = try await transaction.query(
        """
        UPDATE license_server.devices
           SET lease_expires_at = greatest(lease_expires_at, \(license.leaseEnd)),
               last_seen_at     = \(now)
         WHERE tenant_id = \(caller.tenant) AND license_id = \(license.id)
           AND lease_token_hash = \(token) AND lease_expires_at > \(now) AND lease_id IS NOT NULL
        RETURNING id, lease_expires_at
        """)
      guard let row = rows.first else { throw APIFailure.leaseNotFound }
      return try await answer(
        license, device: row.get("id"), until: row.get("lease_expires_at"),
        features: license.features(in: transaction), in: transaction)
    }
  }

  private func requirePlace(
    among places: Int, _ license: RuntimeLicense, in transaction: PostgresTransaction
  ) async throws {
    let rows = try await transaction.query(
      """
      SELECT count(*) AS taken
        FROM license_server.devices
       WHERE tenant_id = \(license.caller.tenant) AND license_id = \(license.id) AND lease_id IS NOT NULL
      """)
    let taken = try rows.first?.get("taken", as: Int.self) ?? 0
    guard taken < places else { throw APIFailure.floatingLimitExceeded(limit: places) }
  }

  private func answer(
    _ license: RuntimeLicense, device: DeviceID, until end: Date, features: [FeatureEntitlement]?,
    in transaction: PostgresTransaction
  ) async throws -> SignedAnswer {
    let data = FloatingLeaseResponseData(
      licenseID: license.id, status: license.status.rawValue, licenseType: license.record.type,
      entitlementVersion: license.record.license.entitlementVersion, issuedAt: license.now,
      expiresAt: license.record.lifecycle.expiresAt, deviceID: device, leaseExpiresAt: end, features: features)
    return try await runtime.sign(SignedPayload.bytes(of: data), for: license.caller.tenant, in: transaction)
  }

  private static func hash(of body: FloatingLeaseRequest) throws(APIFailure) -> [UInt8] {
    try Checks.required(body.leaseToken, "lease_token", maximum: 255)
    return Credential.hash(body.leaseToken)
  }
}
