import Cryptography
import Foundation
import Identity
import JSON
import LicenseKitAPI
import LicenseKitHTTP
import ServerKit
import Testing

@testable import LicenseServer

@Suite("What applications call")
struct RuntimeTests {
  static func seed() throws -> Ed25519PrivateKey {
    try Ed25519PrivateKey(
      seed: #require(Hex.decode("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")))
  }

  static func date(_ text: String) throws -> Date { try #require(RFC3339.date(from: text)) }

  @Test("vector A: an entitlement is written and signed byte for byte")
  func vectorA() throws {
    let data = RuntimeEntitlementResponseData(
      licenseID: "lic_1", status: "active", licenseType: .subscription, entitlementVersion: 7,
      issuedAt: try Self.date("2026-03-24T00:00:00Z"), nextCheckAt: try Self.date("2026-03-25T00:00:00Z"),
      expiresAt: try Self.date("2026-04-24T00:00:00Z"), deviceID: "dev_1",
      features: [FeatureEntitlement(code: "api_calls", enabled: true, quota: 1000, consumed: 3, remaining: 997)],
      versionEligibility: VersionEligibility(appVersion: "1.4.0+build/5", isEntitled: true, enforced: false))
    let bytes = try SignedPayload.bytes(of: data)
    #expect(
      String(decoding: bytes, as: UTF8.self)
        == #"{"license_id":"lic_1","status":"active","license_type":"subscription","entitlement_version":7,"issued_at":"2026-03-24T00:00:00Z","next_check_at":"2026-03-25T00:00:00Z","expires_at":"2026-04-24T00:00:00Z","device_id":"dev_1","features":[{"code":"api_calls","enabled":true,"quota":1000,"consumed":3,"remaining":997}],"version_eligibility":{"app_version":"1.4.0+build/5","is_entitled":true,"enforced":false}}"#
    )
    #expect(bytes.count == 405)
    let answer = try SignedAnswer(signing: bytes, with: SigningKeys.Signer(kid: "kid_1", key: Self.seed()))
    #expect(
      answer.signature.value
        == "iQzBYZ4sZ9xkm7TZB7nSlei+BZ2vIW0W2iZiru4qy2npyuEwZXhmAgze9/N7ePZuthXWJKCw/tVc00CCfoZlDw==")
    #expect(try SignedAnswer(stored: answer.stored) == answer)
  }

  @Test("vector B: a deactivation, without the fields it does not have")
  func vectorB() throws {
    let data = DeactivationResponseData(
      licenseID: "lic_1", status: "active", licenseType: .perpetual, entitlementVersion: 8,
      issuedAt: try Self.date("2026-03-24T00:00:00Z"), deviceID: "dev_1")
    let bytes = try SignedPayload.bytes(of: data)
    #expect(bytes.count == 146)
    let answer = try SignedAnswer(signing: bytes, with: SigningKeys.Signer(kid: "kid_1", key: Self.seed()))
    #expect(
      answer.signature.value
        == "O+NfaGe/eh0gaXiLyg+u8G+P9d6MJtT7z0nOwIPgxUb2bareuR3eKlhjiKa8HrLvL+aGNqncWqZcbf6QZ7v3Dg==")
  }

  @Test("vector C: what some clients could not verify is never signed, and numbers beyond 2^53 - 1 neither")
  func vectorC() throws {
    var data = DeactivationResponseData(
      licenseID: "lic_1", status: "active", licenseType: .perpetual, entitlementVersion: 8, issuedAt: Date(),
      deviceID: "dev_\u{e9}")
    #expect(throws: APIFailure.self) { try SignedPayload.bytes(of: data) }
    data.deviceID = "dev_1"
    data.entitlementVersion = Checks.maximumInteger + 1
    #expect(throws: APIFailure.self) { try SignedPayload.bytes(of: data) }
  }

  @Test("an answer verifies against the published key, over the very bytes of data, also after the key was rotated")
  func signatures() async throws {
    try await withLicenseServer { fixture in
      let catalog = try await fixture.admin.makeCatalog()
      let made = try await fixture.admin.issue(catalog, expiresAt: fixture.clock.now + 86_400)
      _ = try await fixture.admin.assignLicenseFeature(
        made.license.id, LicenseFeatureAssignRequest(featureID: catalog.feature.id, maxConsumptions: 10))
      let before = try await fixture.runtime("activate", key: made.licenseKey, idempotencyKey: "1")
      fixture.clock.advance(seconds: 1)
      _ = try await fixture.server.administration.rotateSigningKey(of: .defaultTenant)
      let after = try await fixture.runtime("validate", key: made.licenseKey)

      let keys = try await fixture.admin.listPublicKeys()
      #expect(keys.map(\.status) == [.active, .retired])
      for (reply, key) in [(before, keys[1]), (after, keys[0])] {
        let signature = try #require(reply.json?["signature"])
        #expect(signature["alg"] == "Ed25519")
        #expect(signature["kid"]?.string == key.kid)
        let data = try #require(reply.rawData(before: "signature"))
        let publicKey = try Ed25519PublicKey(rawRepresentation: #require(Base64.decode(key.publicKey)))
        let value = try #require(Base64.decode(signature["value"]?.string ?? ""))
        #expect(publicKey.isValid(value, for: Array(data.utf8)))
        #expect(reply.json?["meta"]?["request_id"]?.string != nil)
      }
    }
  }

  @Test("fifty machines that activate at once get exactly the three seats there are")
  func concurrentActivation() async throws {
    try await withLicenseServer { fixture in
      let catalog = try await fixture.admin.makeCatalog()
      var limits = PolicyLimits()
      limits.maxActivations = 3
      try await fixture.server.administration.setLimits(limits, of: catalog.policy.id, tenant: .defaultTenant)
      let made = try await fixture.admin.issue(catalog)
      let replies = try await withThrowingTaskGroup(of: Reply.self) { group in
        for number in 1...50 {
          group.addTask {
            try await fixture.runtime(
              "activate", key: made.licenseKey, #"{"fingerprint":"m\#(number)"}"#, idempotencyKey: "k\(number)")
          }
        }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      #expect(replies.count { $0.status == 200 } == 3)
      #expect(replies.count { $0.status == 403 && $0.code == "ACTIVATION_LIMIT_EXCEEDED" } == 47)
      let license = try await fixture.admin.getLicense(made.license.id)
      #expect(license.activeDeviceCount == 3)
      #expect(license.timesActivated == 3)
    }
  }

  @Test("the same machine takes no second seat; a deactivated or reset one makes room; a blocked one stays out")
  func seats() async throws {
    try await withLicenseServer { fixture in
      let made = try await fixture.admin.issue(fixture.admin.makeCatalog())
      let (key, id) = (made.licenseKey, made.license.id)
      let first = try await fixture.runtime("activate", key: key, idempotencyKey: "1")
      let again = try await fixture.runtime("activate", key: key, idempotencyKey: "2")
      #expect(again.data?["device_id"] == first.data?["device_id"])
      #expect(try await fixture.admin.getLicense(id).timesActivated == 1)

      let other = #"{"fingerprint":"machine-2","is_vm":true}"#
      #expect(try await fixture.runtime("activate", key: key, other, idempotencyKey: "3").status == 403)
      #expect(try await fixture.runtime("deactivate", key: key, idempotencyKey: "4").status == 200)
      #expect(try await fixture.runtime("validate", key: key).status == 404)
      let second = try await fixture.runtime("activate", key: key, other, idempotencyKey: "5")
      #expect(second.status == 200)

      let device = DeviceID(second.data?["device_id"]?.string ?? "")
      #expect(try await fixture.admin.resetLicenseDevice(id, device).status == .reset)
      #expect(try await fixture.admin.getLicense(id).activeDeviceCount == 0)
      #expect(try await fixture.runtime("activate", key: key, other, idempotencyKey: "6").status == 200)
      #expect(try await fixture.admin.blacklistLicenseDevice(id, device).status == .blacklisted)
      let blocked = try await fixture.runtime("activate", key: key, other, idempotencyKey: "7")
      #expect(blocked.code == "DEVICE_BLACKLISTED")
      let reset = try await fixture.send("POST", "/api/v1/licenses/\(id)/devices/\(device)/reset")
      #expect(reset.status == 409)
    }
  }

  @Test("a license that is not usable answers 403 and why")
  func unusable() async throws {
    try await withLicenseServer { fixture in
      let catalog = try await fixture.admin.makeCatalog()
      let later = try await fixture.admin.issue(catalog, startsAt: fixture.clock.now + 60)
      #expect(
        try await fixture.runtime("activate", key: later.licenseKey, idempotencyKey: "1").code == "LICENSE_INACTIVE")
      let made = try await fixture.admin.issue(catalog, expiresAt: fixture.clock.now + 86_400)
      #expect(try await fixture.runtime("activate", key: made.licenseKey, idempotencyKey: "1").status == 200)
      _ = try await fixture.admin.suspendLicense(made.license.id)
      #expect(try await fixture.runtime("check", key: made.licenseKey).code == "LICENSE_INACTIVE")
      _ = try await fixture.admin.reinstateLicense(made.license.id)
      fixture.clock.advance(days: 2)
      #expect(try await fixture.runtime("check", key: made.licenseKey).code == "LICENSE_EXPIRED")
      #expect(try await fixture.runtime("check", key: "lsk_unknown").status == 401)
      #expect(
        try await fixture.send("POST", "/api/v1/license/check", "{}", authorization: "Bearer \(made.licenseKey)").status
          == 401)
    }
  }

  @Test("use is counted once per event id, up to the quota and not beyond it, also when it comes all at once")
  func consumption() async throws {
    try await withLicenseServer { fixture in
      let catalog = try await fixture.admin.makeCatalog()
      let made = try await fixture.admin.issue(catalog)
      _ = try await fixture.admin.assignLicenseFeature(
        made.license.id, LicenseFeatureAssignRequest(featureID: catalog.feature.id, maxConsumptions: 10))
      #expect(try await fixture.runtime("activate", key: made.licenseKey, idempotencyKey: "1").status == 200)
      @Sendable func consume(_ event: String, _ amount: Int, key: String) async throws -> Reply {
        try await fixture.runtime(
          "consume", key: made.licenseKey,
          #"{"fingerprint":"machine-1","feature_code":"api_calls","event_id":"\#(event)","amount":\#(amount)}"#,
          idempotencyKey: key)
      }
      let first = try await consume("e1", 3, key: "a")
      #expect(first.data?["features"]?.array?.first?["remaining"] == 7)
      #expect(try await consume("e1", 3, key: "b").data?["features"]?.array?.first?["remaining"] == 7)
      #expect(try await consume("e1", 4, key: "c").code == "IDEMPOTENCY_CONFLICT")
      #expect(try await consume("e2", 8, key: "d").code == "FEATURE_QUOTA_EXCEEDED")
      let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
        for number in 0..<20 { group.addTask { try await consume("p\(number)", 1, key: "p\(number)").status } }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      #expect(statuses.count { $0 == 200 } == 7)
      #expect(try await fixture.admin.getLicense(made.license.id).totalConsumptions == 10)
      let missing = try await fixture.runtime(
        "consume", key: made.licenseKey, #"{"fingerprint":"machine-1","feature_code":"none","event_id":"x"}"#,
        idempotencyKey: "z")
      #expect(missing.status == 404)
    }
  }

  @Test("with a version catalog, versions released after the covered time are refused, and check tells why")
  func versions() async throws {
    try await withLicenseServer { fixture in
      let catalog = try await fixture.admin.makeCatalog(.perpetual)
      let made = try await fixture.admin.createLicense(
        LicenseCreateRequest(
          productID: catalog.product.id, policyID: catalog.policy.id,
          maintenanceExpiresAt: fixture.clock.now - 86_400), idempotencyKey: nil)
      let body = #"{"fingerprint":"machine-1","app_version":"2.0"}"#
      let open = try await fixture.runtime("activate", key: made.licenseKey, body, idempotencyKey: "1")
      #expect(open.data?["version_eligibility"]?["enforced"] == false)
      _ = try await fixture.admin.createProductVersion(catalog.product.id, ProductVersionCreateRequest(version: "2.0"))
      #expect(try await fixture.runtime("validate", key: made.licenseKey, body).code == "VERSION_NOT_ENTITLED")
      let told = try await fixture.runtime("check", key: made.licenseKey, body)
      #expect(told.status == 200)
      #expect(told.data?["version_eligibility"]?["is_entitled"] == false)
    }
  }

  @Test(
    "a binding names what it lacks, and what could not be signed is refused",
    arguments: [
      (#"{}"#, "fingerprint"), (#"{"is_container":true}"#, "cluster_id"),
      (#"{"fingerprint":"a","app_version":"1.0é"}"#, "app_version"), (#"{"fingerprint":"a\u0000b"}"#, "fingerprint"),
    ])
  func bindings(_ body: String, _ field: String) async throws {
    let request = try JSONCoding.decode(RuntimeBindingRequest.self, from: Array(body.utf8), unknownFields: .reject)
    let refused = #expect(throws: APIFailure.self) { try Binding(request) }
    #expect(refused?.detail?.contains(field) == true)
  }

  @Test("two places of a container never share a binding")
  func containerKeys() throws {
    let first = try Binding(RuntimeBindingRequest(isContainer: true, clusterID: "a/b", namespace: "c"))
    let second = try Binding(RuntimeBindingRequest(isContainer: true, clusterID: "a", namespace: "b/c"))
    #expect(first.key != second.key)
  }
}
