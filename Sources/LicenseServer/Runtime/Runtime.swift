import Cryptography
import Foundation
import Identity
import JSON
import LicenseKitAPI
import Postgres
import ServerKit

/// The operations that an application calls with its license key. Each answer is signed inside the transaction that it
/// reports. Answers with an idempotency key are stored, and returned again byte for byte.
struct Runtime: Sendable {
  let store: TenantStore
  let clock: ServerClock
  let signingKeys: SigningKeys
  let validations: ValidationBatch
  /// Calls that lock the same license take turns.
  let semaphore = KeyedSemaphore<LicenseID>()

  /// Signs the outcome of a `validate` or `check`.
  ///
  /// - Throws: 403 and 404 as ``ValidationQuestion/outcome(from:)`` decided.
  func sign(_ answer: ValidationBatch.Answer, to question: ValidationQuestion) async throws -> SignedAnswer {
    switch try answer.outcome.get() {
    case .answered(let data):
      guard let kid = answer.kid else { throw APIFailure.noSigningKey }
      let signer = try await signingKeys.signer(kid, of: answer.tenant, in: store)
      return try SignedAnswer(signing: SignedPayload.bytes(of: data), with: signer)
    case .extendsLease:
      let caller = Caller(
        tenant: answer.tenant, actor: .license(answer.license), scopes: [], address: question.address)
      return try await validate(answer.license, question.binding, for: caller)
    }
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
      try license.requireAllowed(binding)
      let eligibility = try await license.entitledVersion(body.appVersion, in: transaction)
      let device = try await license.seat(binding, known: known, in: transaction)
      return try await sign(license, device: device, eligibility: eligibility, in: transaction)
    }
  }

  /// Confirms a device that runs on a lease, which each call extends. ``ValidationBatch`` answers for the others, many at a
  /// time.
  private func validate(_ license: LicenseID, _ binding: Binding, for caller: Caller) async throws -> SignedAnswer {
    let now = clock.now()
    return try await store.transaction(caller.tenant) { transaction in
      let license = try await RuntimeLicense.load(license, for: caller, locked: false, now: now, in: transaction)
      try license.requireUsable()
      try license.requireAllowed(binding)
      let device = try await license.keepingLease(of: license.activeDevice(binding, in: transaction), in: transaction)
      let eligibility = try await license.entitledVersion(binding.request.appVersion, in: transaction)
      try await transaction.query(
        """
        UPDATE license_server.devices
           SET last_seen_at      = \(now),
               last_validated_at = \(now),
               ip_address        = \(caller.address)
         WHERE tenant_id = \(caller.tenant) AND license_id = \(license.id) AND id = \(device.id)
        """)
      return try await sign(
        license, device: device.id, livingUntil: device.livesUntil, eligibility: eligibility, in: transaction)
    }
  }

  /// Gives the seat back, and the lease with it. This works in every state of the license: an application may always give up
  /// its seat.
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
               \(fragment: FloatingLease.none),
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
      return try await sign(SignedPayload.bytes(of: data), for: caller.tenant, in: transaction)
    }
  }

  /// Runs `body` once per idempotency key, with the license locked: calls for one license come one after the other.
  ///
  /// - Parameter keyRing: encrypts the answer that is kept, for one that holds a secret.
  func once(
    _ operation: String, _ id: LicenseID, _ key: String?, _ request: some Encodable & Sendable, for caller: Caller,
    encryptedWith keyRing: KeyRing? = nil,
    _ body: @Sendable (RuntimeLicense, PostgresTransaction) async throws -> SignedAnswer
  ) async throws -> SignedAnswer {
    let call = try IdempotentCall(
      operation, tenant: caller.tenant, subject: id.rawValue, key: IdempotentCall.checked(key: key), request: request,
      retention: IdempotentCall.day)
    let now = clock.now()
    return try await semaphore.withPermit(id) {
      try await store.transaction(caller.tenant) { transaction in
        let license = try await RuntimeLicense.load(id, for: caller, locked: true, now: now, in: transaction)
        if let stored = try await call.replay(now: now, in: transaction) {
          return try SignedAnswer(
            stored: keyRing.map { try $0.decrypt(stored, context: call.encryptionContext) } ?? stored)
        }
        let answer = try await body(license, transaction)
        let kept = try keyRing.map { try $0.encrypt(answer.stored, context: call.encryptionContext) } ?? answer.stored
        try await call.store(kept, now: now, in: transaction)
        return answer
      }
    }
  }

  func sign(
    _ license: RuntimeLicense, device: DeviceID, livingUntil: Date? = nil, eligibility: VersionEligibility?,
    in transaction: PostgresTransaction
  ) async throws -> SignedAnswer {
    let data = try await license.entitlement(
      device: device, livingUntil: livingUntil, eligibility: eligibility, in: transaction)
    return try await sign(SignedPayload.bytes(of: data), for: license.caller.tenant, in: transaction)
  }

  func sign(
    _ data: [UInt8], for tenant: TenantID, in transaction: PostgresTransaction
  ) async throws -> SignedAnswer {
    try SignedAnswer(signing: data, with: await signingKeys.active(for: tenant, in: transaction))
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
