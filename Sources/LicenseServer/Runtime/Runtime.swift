import Foundation
import Identity
import JSON
import LicenseKitAPI
import Postgres
import ServerKit

/// The operations that an application calls with its license key. Each answer is signed inside the transaction that it
/// tells of, and those with an idempotency key are kept and given again byte for byte.
struct Runtime: Sendable {
  let store: TenantStore
  let clock: ServerClock
  let signingKeys: SigningKeys
  let validations: ValidationBatch

  /// Answers `validate` or `check` for whoever holds a license key.
  ///
  /// - Throws: 401 for an unknown key; 403 and 404 as ``ValidationQuestion/answer(from:)`` decides.
  func answer(_ question: ValidationQuestion) async throws -> SignedAnswer {
    let answer = try await store.translating { try await validations.answer(question) }
    guard let kid = answer.kid else { throw APIFailure.noSigningKey }
    let signer = try await signingKeys.signer(kid, of: answer.tenant, in: store)
    return try SignedAnswer(signing: SignedPayload.bytes(of: answer.data), with: signer)
  }

  /// Binds a device, or finds it bound already: the same binding never takes a second seat.
  func activate(
    _ license: LicenseID, _ body: RuntimeBindingRequest, idempotencyKey: String?, for caller: Caller
  ) async throws -> SignedAnswer {
    let binding = try Binding(body)
    return try await once("activateLicense", license, idempotencyKey, body, for: caller) { license, transaction in
      try license.requireUsable()
      let known = try await license.device(binding, in: transaction)
      if known?.status == .blacklisted { throw APIFailure.deviceBlacklisted }
      guard license.policy.allowVM || body.isVM != true else { throw APIFailure.vmNotAllowed }
      guard license.policy.allowContainer || binding.kind != .container else { throw APIFailure.containerNotAllowed }
      let eligibility = try await license.entitledVersion(body.appVersion, in: transaction)
      if known?.status != .active { try await requireSeat(license, for: binding, in: transaction) }
      let device = try await bind(license, binding, wasActive: known?.status == .active, in: transaction)
      return try await sign(license, device: device, eligibility: eligibility, in: transaction)
    }
  }

  /// Gives the seat back. Works in every state of the license: an application may always let go.
  func deactivate(
    _ license: LicenseID, _ body: RuntimeBindingRequest, idempotencyKey: String?, for caller: Caller
  ) async throws -> SignedAnswer {
    let binding = try Binding(body)
    return try await once("deactivateLicense", license, idempotencyKey, body, for: caller) { license, transaction in
      let device = try await license.activeDevice(binding, in: transaction)
      try await transaction.query(
        """
        UPDATE license_server.devices
           SET status       = 'deactivated',
               last_seen_at = \(license.now),
               updated_at   = \(license.now)
         WHERE tenant_id = \(caller.tenant) AND license_id = \(license.id) AND id = \(device.id)
        """)
      try await EventLog.append(
        .licenseDeactivated, license.id.rawValue, by: caller, at: license.now,
        metadata: ["device_id": .string(device.id.rawValue)], in: transaction)
      let data = DeactivationResponseData(
        licenseID: license.id, status: license.status.rawValue, licenseType: license.record.type,
        entitlementVersion: license.record.license.entitlementVersion, issuedAt: license.now, deviceID: device.id,
        expiresAt: license.record.lifecycle.expiresAt)
      let signer = try await signingKeys.active(for: caller.tenant, in: transaction)
      return try SignedAnswer(signing: SignedPayload.bytes(of: data), with: signer)
    }
  }

  /// Runs `body` once per idempotency key, with the license locked: calls for one license come one after the other.
  func once(
    _ operation: String, _ id: LicenseID, _ key: String?, _ request: some Encodable & Sendable, for caller: Caller,
    _ body: @Sendable (RuntimeLicense, PostgresTransaction) async throws -> SignedAnswer
  ) async throws -> SignedAnswer {
    let call = try IdempotentCall(
      operation, tenant: caller.tenant, subject: id.rawValue, key: IdempotentCall.checked(key: key), request: request,
      retention: IdempotentCall.day)
    let now = clock.now()
    return try await store.transaction(caller.tenant) { transaction in
      let license = try await RuntimeLicense.load(id, for: caller, locked: true, now: now, in: transaction)
      if let stored = try await call.replay(now: now, in: transaction) { return try SignedAnswer(stored: stored) }
      let answer = try await body(license, transaction)
      try await call.store(answer.stored, now: now, in: transaction)
      return answer
    }
  }

  func sign(
    _ license: RuntimeLicense, device: DeviceID, eligibility: VersionEligibility?, in transaction: PostgresTransaction
  ) async throws -> SignedAnswer {
    let data = try await license.entitlement(device: device, eligibility: eligibility, in: transaction)
    let signer = try await signingKeys.active(for: license.caller.tenant, in: transaction)
    return try SignedAnswer(signing: SignedPayload.bytes(of: data), with: signer)
  }

  private func requireSeat(
    _ license: RuntimeLicense, for binding: Binding, in transaction: PostgresTransaction
  ) async throws {
    let rows = try await transaction.query(
      """
      SELECT count(*) FILTER (WHERE binding_kind = 'hardware')  AS hardware,
             count(*) FILTER (WHERE binding_kind = 'container') AS containers
        FROM license_server.devices
       WHERE tenant_id = \(license.caller.tenant) AND license_id = \(license.id) AND status = 'active'
      """)
    guard let row = rows.first else { return }
    let limit = Seats.limitReached(
      by: binding.kind, hardware: try row.get("hardware"), containers: try row.get("containers"), policy: license.policy
    )
    if let limit { throw APIFailure.activationLimitExceeded(limit: limit) }
  }

  /// Writes the device; counts an activation only when it was not active before.
  private func bind(
    _ license: RuntimeLicense, _ binding: Binding, wasActive: Bool, in transaction: PostgresTransaction
  ) async throws -> DeviceID {
    let (caller, now, facts) = (license.caller, license.now, binding.request)
    let rows = try await transaction.query(
      """
      INSERT INTO license_server.devices
             (tenant_id, license_id, id, binding_kind, binding_key,
              fingerprint, hostname, os, ip_address, is_vm, is_container,
              container_id, cluster_id, namespace, pod_name,
              status, first_seen_at, last_seen_at, created_at, updated_at)
      VALUES (\(caller.tenant), \(license.id), \(DeviceID.new()), \(binding.kind.rawValue), \(binding.key),
              \(facts.fingerprint), \(facts.hostname), \(facts.os), \(caller.address),
              \(facts.isVM ?? false), \(binding.kind == .container),
              \(facts.containerID), \(facts.clusterID), \(facts.namespace), \(facts.podName),
              'active', \(now), \(now), \(now), \(now))
          ON CONFLICT (tenant_id, license_id, binding_key)
          DO UPDATE
         SET fingerprint  = excluded.fingerprint,
             hostname     = excluded.hostname,
             os           = excluded.os,
             ip_address   = excluded.ip_address,
             is_vm        = excluded.is_vm,
             status       = 'active',
             last_seen_at = excluded.last_seen_at,
             updated_at   = excluded.updated_at
      RETURNING id
      """)
    guard let device = try rows.first?.get("id", as: DeviceID.self) else { throw APIFailure.internalError }
    guard !wasActive else { return device }
    try await transaction.query(
      """
      UPDATE license_server.licenses
         SET times_activated = times_activated + 1,
             updated_at      = \(now)
       WHERE tenant_id = \(caller.tenant) AND id = \(license.id)
      """)
    try await EventLog.append(
      .licenseActivated, license.id.rawValue, by: caller, at: now,
      metadata: ["device_id": .string(device.rawValue), "binding_kind": .string(binding.kind.rawValue)], in: transaction
    )
    return device
  }
}

extension RuntimeLicense {
  /// The eligibility of a version that must be covered.
  /// - Throws: 403 when it is not.
  func entitledVersion(_ version: String?, in transaction: PostgresTransaction) async throws -> VersionEligibility? {
    let eligibility = try await eligibility(of: version, in: transaction)
    try eligibility?.requireEntitled()
    return eligibility
  }
}
