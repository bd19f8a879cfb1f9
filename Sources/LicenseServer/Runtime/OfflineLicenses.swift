import Cryptography
import Foundation
import Identity
import JSON
import LicenseKitAPI
import Postgres
import ServerKit

/// Envelopes that let a device run without the network until the moment that they name. `docs/offline.md` describes the
/// format for authors of verifiers.
struct OfflineLicenses: Sendable {
  let runtime: Runtime

  /// An envelope for an activated device.
  ///
  /// - Parameter licenseKey: the credential of the request; only its holder can open the envelope.
  /// - Throws: 403 if the policy does not allow it, or if the device runs on a floating lease, because its place would be
  ///   given to another device while it still ran. 404 for a device that is not bound.
  func issue(
    _ license: LicenseID, _ body: RuntimeBindingRequest, licenseKey: LicenseKey, for caller: Caller
  ) async throws -> OfflineEnvelope {
    let binding = try Binding(body)
    let now = runtime.clock.now()
    let signed = try await runtime.store.transaction(caller.tenant) { transaction in
      let license = try await RuntimeLicense.load(license, for: caller, locked: false, now: now, in: transaction)
      try license.requireUsable()
      guard license.policy.allowOfflineActivation else {
        throw APIFailure.offlineNotAllowed("allow_offline_activation of the policy is false")
      }
      try license.requireAllowed(binding)
      let device = try await license.activeDevice(binding, in: transaction)
      guard device.holdsSeat else {
        throw APIFailure.offlineNotAllowed("the device uses a floating lease; activate it first")
      }
      let eligibility = try await license.entitledVersion(body.appVersion, in: transaction)
      var data = try await license.entitlement(device: device.id, eligibility: eligibility, in: transaction)
      let end = OfflineTerm.end(license.policy, license.record.lifecycle, at: now)
      data.expiresAt = end
      data.nextCheckAt = min(data.nextCheckAt, end)
      try await EventLog.append(
        .licenseOfflineIssued, license.id.rawValue, by: caller, at: now,
        metadata: ["device_id": .string(device.id.rawValue), "expires_at": .string(RFC3339.string(from: end))],
        in: transaction)
      return try await runtime.sign(SignedPayload.bytes(of: data), for: caller.tenant, in: transaction)
    }
    return try OfflineEncryption.envelope(
      of: signed, licenseKey: licenseKey, salt: Random.bytes(OfflineEncryption.saltByteCount),
      nonce: Random.bytes(AES256GCM.nonceByteCount))
  }
}

/// How long an envelope is valid. Pure.
enum OfflineTerm {
  /// The policy's offline days, and at least until the next check would be due; never later than the license itself ends,
  /// its grace included.
  static func end(_ policy: Policy, _ lifecycle: LicenseLifecycle, at now: Date) -> Date {
    let days = now.addingDays(policy.offlineGraceDays)
    let wanted = max(days, now.addingTimeInterval(Double(policy.validationIntervalMinutes) * 60))
    return (lifecycle.endsAt ?? lifecycle.expiresAt).map { min($0, wanted) } ?? wanted
  }
}

/// The encryption of an envelope. Pure.
///
/// AES-256-GCM, with a separate key for each envelope: HKDF-SHA256 of the license key with a random salt. So an envelope that
/// is copied to another customer does not open there.
enum OfflineEncryption {
  static let saltByteCount = 32
  /// Separates this use of the license key from any other.
  static let info = "licensekit-offline-v1"

  static func key(_ licenseKey: LicenseKey, salt: [UInt8]) -> [UInt8] {
    HKDFSHA256.derive(
      secret: Array(licenseKey.text.utf8), salt: salt, info: info, count: AES256GCM.keyByteCount)
  }

  /// - Throws: 500 only when the cipher fails (memory).
  static func envelope(
    of signed: SignedAnswer, licenseKey: LicenseKey, salt: [UInt8], nonce: [UInt8]
  ) throws(APIFailure) -> OfflineEnvelope {
    let inner =
      Array(#"{"data":"#.utf8) + signed.data + Array(#","signature":"#.utf8) + signed.signatureBytes + Array("}".utf8)
    let key = key(licenseKey, salt: salt)
    guard let ciphertext = AES256GCM.encrypt(inner, key: key, nonce: nonce, authenticating: []) else {
      throw .internalError
    }
    return OfflineEnvelope(
      kid: signed.signature.kid, salt: Base64.encode(salt), nonce: Base64.encode(nonce),
      ciphertext: Base64.encode(ciphertext))
  }
}

/// A raw license key on its way through the server. It prints as nothing, so that it reaches no log by accident.
struct LicenseKey: Sendable, CustomStringConvertible, CustomReflectable {
  let text: String

  init(_ text: String) { self.text = text }

  var description: String { "LicenseKey(…)" }
  var customMirror: Mirror { Mirror(self, children: [:]) }
}
