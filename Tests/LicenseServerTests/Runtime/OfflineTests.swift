import Cryptography
import Foundation
import Identity
import JSON
import LicenseKitAPI
import LicenseKitHTTP
import ServerKit
import Testing

@testable import LicenseServer

@Suite("Offline envelopes")
struct OfflineTests {
  /// What an application does with an envelope, step by step as `docs/offline.md` says.
  static func open(_ envelope: OfflineEnvelope, key: String) throws -> (
    data: JSONValue, raw: [UInt8], kid: String?, signature: [UInt8]
  ) {
    let salt = try #require(Base64.decode(envelope.salt))
    let nonce = try #require(Base64.decode(envelope.nonce))
    let ciphertext = try #require(Base64.decode(envelope.ciphertext))
    let secret = HKDFSHA256.derive(
      secret: Array(key.utf8), salt: salt, info: "licensekit-offline-v1", count: 32)
    let inner = try #require(AES256GCM.decrypt(ciphertext[...], key: secret, nonce: nonce, authenticating: []))
    let document = try JSONValue(parsing: inner)
    #expect(document.object?.keys == ["data", "signature"])
    let text = String(decoding: inner, as: UTF8.self)
    let end = try #require(text.range(of: #","signature":"#))
    return (
      try #require(document["data"]), Array(text[..<end.lowerBound].dropFirst(#"{"data":"#.count).utf8),
      document["signature"]?["kid"]?.string,
      try #require(Base64.decode(document["signature"]?["value"]?.string ?? ""))
    )
  }

  static func envelope(_ reply: Reply) throws -> OfflineEnvelope {
    #expect(reply.status == 200, "\(reply.text)")
    #expect(reply.json?.object?.keys == ["data", "meta"], "the outer envelope is not signed")
    let data = try #require(reply.data)
    #expect(data.object?.keys == ["kid", "salt", "nonce", "ciphertext"])
    return try JSONCoding.decode(OfflineEnvelope.self, from: data.encoded(), unknownFields: .reject)
  }

  /// The vector of `docs/offline.md`.
  static func vector() throws -> (signed: SignedAnswer, envelope: OfflineEnvelope) {
    let data = RuntimeEntitlementResponseData(
      licenseID: "lic_1", status: "active", licenseType: .subscription, entitlementVersion: 7,
      issuedAt: try RuntimeTests.date("2026-03-24T00:00:00Z"),
      nextCheckAt: try RuntimeTests.date("2026-03-25T00:00:00Z"),
      expiresAt: try RuntimeTests.date("2026-04-07T00:00:00Z"), deviceID: "dev_1",
      features: [FeatureEntitlement(code: "api_calls", enabled: true, quota: 1000, consumed: 3, remaining: 997)])
    let signed = try SignedAnswer(
      signing: SignedPayload.bytes(of: data), with: SigningKeys.Signer(kid: "kid_1", key: RuntimeTests.seed()))
    let envelope = try OfflineEncryption.envelope(
      of: signed, licenseKey: LicenseKey("lsk_test"), salt: Array(0..<32), nonce: Array(100..<112))
    return (signed, envelope)
  }

  @Test("the vector in the documentation is what this code makes")
  func documented() throws {
    let (signed, envelope) = try Self.vector()
    let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../../docs/offline.md")
    let text = try String(contentsOf: file, encoding: .utf8)
    for part in [
      envelope.kid, envelope.salt, envelope.nonce, envelope.ciphertext, signed.signature.value,
      String(decoding: signed.data, as: UTF8.self),
      Hex.encode(OfflineEncryption.key(LicenseKey("lsk_test"), salt: Array(0..<32))),
    ] {
      #expect(text.contains(part), "docs/offline.md lacks \(part)")
    }
  }

  @Test("an envelope opens with the license key only, and holds a signed entitlement that says until when it is good")
  func roundTrip() async throws {
    try await withLicenseServer { fixture in
      let catalog = try await fixture.admin.makeCatalog()
      try await fixture.setLimits(of: catalog.policy.id) {
        ($0.allowOfflineActivation, $0.offlineGraceDays) = (true, 14)
      }
      let made = try await fixture.admin.issue(catalog, expiresAt: fixture.clock.now + 30 * 86_400)
      _ = try await fixture.admin.assignLicenseFeature(
        made.license.id, LicenseFeatureAssignRequest(featureID: catalog.feature.id, maxConsumptions: 10))
      #expect(try await fixture.runtime("activate", key: made.licenseKey, idempotencyKey: "1").status == 200)
      let first = try Self.envelope(try await fixture.runtime("offline", key: made.licenseKey))
      let second = try Self.envelope(try await fixture.runtime("offline", key: made.licenseKey))
      #expect(first.salt != second.salt)
      #expect(first.nonce != second.nonce)

      let opened = try Self.open(first, key: made.licenseKey)
      #expect(opened.kid == first.kid)
      #expect(opened.data["license_id"]?.string == made.license.id.rawValue)
      #expect(opened.data["expires_at"] == "2026-04-07T00:00:00Z")
      #expect(opened.data["features"]?.array?.first?["remaining"] == 10)
      let published = try #require(try await fixture.admin.listPublicKeys().first { $0.kid == first.kid })
      let publicKey = try Ed25519PublicKey(rawRepresentation: #require(Base64.decode(published.publicKey)))
      #expect(publicKey.isValid(opened.signature, for: opened.raw))
      let foreign = OfflineEncryption.key(LicenseKey("lsk_other"), salt: try #require(Base64.decode(first.salt)))
      #expect(
        AES256GCM.decrypt(
          try #require(Base64.decode(first.ciphertext))[...], key: foreign,
          nonce: try #require(Base64.decode(first.nonce)), authenticating: []) == nil)
      #expect(try await fixture.eventTypes(of: made.license.id).suffix(1) == ["license.offline_issued"])
    }
  }

  @Test("it is good for the policy's days, at least until the next check, and never beyond the license and its grace")
  func term() {
    var policy = Policy(
      id: "pol_1", productID: "prod_1", name: "n", code: "c", licenseType: .subscription, maxActivations: 1,
      floatingTimeoutMinutes: 60, gracePeriodDays: 0, validationIntervalMinutes: 1_440, requireHeartbeat: false,
      allowOfflineActivation: true, offlineGraceDays: 0, allowVM: true, allowContainer: true, maxTransfers: 0,
      metadata: [:], createdAt: Date(), updatedAt: Date())
    let now = Date(timeIntervalSince1970: 1_774_310_400)
    func days(_ lifecycle: LicenseLifecycle = .init(state: .active)) -> Double {
      OfflineTerm.end(policy, lifecycle, at: now).timeIntervalSince(now) / 86_400
    }
    #expect(days() == 1)
    policy.offlineGraceDays = 14
    #expect(days() == 14)
    #expect(days(.init(state: .active, expiresAt: now + 86_400, endsAt: now + 3 * 86_400)) == 3)
    #expect(days(.init(state: .active, expiresAt: now + 86_400 * 99, endsAt: now + 86_400 * 99)) == 14)
  }

  @Test("who may not have one: no offline use in the policy, an unknown device, one that floats, no key")
  func refusals() async throws {
    try await withLicenseServer { fixture in
      let (catalog, made) = try await fixture.makePool(of: 1)
      #expect(try await fixture.runtime("offline", key: made.licenseKey).outcome == "403 OFFLINE_NOT_ALLOWED")
      try await fixture.setLimits(of: catalog.policy.id) { $0.allowOfflineActivation = true }
      #expect(try await fixture.runtime("offline", key: made.licenseKey).outcome == "404 NOT_FOUND")
      #expect(try await fixture.checkout(made.licenseKey, "machine-1").status == 200)
      let floating = try await fixture.runtime("offline", key: made.licenseKey)
      #expect(floating.outcome == "403 OFFLINE_NOT_ALLOWED")
      #expect(floating.detail?.contains("activate") == true)
      #expect(try await fixture.runtime("offline", key: "lsk_none").status == 401)
      #expect(try await fixture.runtime("offline", key: made.licenseKey, #"{"x":1}"#).outcome == "400 INVALID_JSON")
      #expect(try await fixture.runtime("offline", key: made.licenseKey, "{}").outcome == "422 VALIDATION_ERROR")
    }
  }

  @Test("a license key does not print")
  func redacted() {
    let key = LicenseKey("lsk_secret")
    var dumped = ""
    dump(key, to: &dumped)
    for text in ["\(key)", String(reflecting: key), dumped] { #expect(!text.contains("secret")) }
  }
}
