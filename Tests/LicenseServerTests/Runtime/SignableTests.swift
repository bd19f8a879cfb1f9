import Cryptography
import Foundation
import Identity
import JSON
import LicenseKitAPI
import LicenseKitHTTP
import Postgres
import TestRandom
import ServerKit
import TestSupport
import Testing

@testable import LicenseServer

@Suite("What gets signed verifies everywhere")
struct SignableTests {
  private static func signature(_ bytes: [UInt8]) throws -> String {
    try SignedAnswer(signing: bytes, with: SigningKeys.Signer(kid: "kid_1", key: RuntimeTests.seed())).signature.value
  }

  @Test("a checkout is written and signed byte for byte")
  func checkoutVector() throws {
    let data = FloatingCheckoutResponseData(
      licenseID: "lic_1", status: "grace_period", licenseType: .subscription, entitlementVersion: 7,
      issuedAt: try RuntimeTests.date("2026-03-24T00:00:00Z"),
      expiresAt: try RuntimeTests.date("2026-03-23T00:00:00Z"), deviceID: "dev_1", leaseToken: "llt_abc123",
      leaseExpiresAt: try RuntimeTests.date("2026-03-24T01:00:00Z"),
      features: [
        FeatureEntitlement(
          code: "api_calls", enabled: true, quota: Checks.maximumInteger, consumed: 3,
          remaining: Checks.maximumInteger - 3),
        FeatureEntitlement(code: "export", enabled: false),
      ],
      versionEligibility: VersionEligibility(
        appVersion: "1.4.0+build/5", isEntitled: true, enforced: true,
        releasedAt: try RuntimeTests.date("2026-01-01T00:00:00Z"),
        eligibleThrough: try RuntimeTests.date("2026-03-23T00:00:00Z")))
    let bytes = try SignedPayload.bytes(of: data)
    #expect(
      String(decoding: bytes, as: UTF8.self)
        == #"{"license_id":"lic_1","status":"grace_period","license_type":"subscription","entitlement_version":7,"issued_at":"2026-03-24T00:00:00Z","expires_at":"2026-03-23T00:00:00Z","device_id":"dev_1","lease_token":"llt_abc123","lease_expires_at":"2026-03-24T01:00:00Z","features":[{"code":"api_calls","enabled":true,"quota":9007199254740991,"consumed":3,"remaining":9007199254740988},{"code":"export","enabled":false}],"version_eligibility":{"app_version":"1.4.0+build/5","is_entitled":true,"enforced":true,"released_at":"2026-01-01T00:00:00Z","eligible_through":"2026-03-23T00:00:00Z"}}"#
    )
    #expect(
      try Self.signature(bytes)
        == "XtoWE6SwuX87LmT6/YbTaZbo75EIhWPq7/tUtnSgmmFg0XGU8rwqP9926RWZVL7QeDZwJCmc0WNvGn6oBUafDA==")
  }

  @Test("a heartbeat and a check-in are written and signed byte for byte")
  func leaseVectors() throws {
    var data = FloatingLeaseResponseData(
      licenseID: "lic_1", status: "active", licenseType: .perpetual, entitlementVersion: 8,
      issuedAt: try RuntimeTests.date("2026-03-24T00:00:00Z"), deviceID: "dev_1",
      leaseExpiresAt: try RuntimeTests.date("2026-03-24T01:00:00Z"), features: [])
    let heartbeat = try SignedPayload.bytes(of: data)
    #expect(
      String(decoding: heartbeat, as: UTF8.self)
        == #"{"license_id":"lic_1","status":"active","license_type":"perpetual","entitlement_version":8,"issued_at":"2026-03-24T00:00:00Z","device_id":"dev_1","lease_expires_at":"2026-03-24T01:00:00Z","features":[]}"#
    )
    #expect(
      try Self.signature(heartbeat)
        == "9Su4yEHXU0MW/dtFl0YHwOoADssIIYYyYodzygHsCnzxii7a/MQ6JVGnRZdqKGAAC6z/AXa5vUcI128PQVkrCQ==")
    (data.status, data.leaseExpiresAt, data.features) = ("suspended", data.issuedAt, nil)
    let checkin = try SignedPayload.bytes(of: data)
    #expect(
      String(decoding: checkin, as: UTF8.self)
        == #"{"license_id":"lic_1","status":"suspended","license_type":"perpetual","entitlement_version":8,"issued_at":"2026-03-24T00:00:00Z","device_id":"dev_1","lease_expires_at":"2026-03-24T00:00:00Z"}"#
    )
    #expect(
      try Self.signature(checkin)
        == "kkNNV9QL/qKWmqfLOWy7ZWv+mLl+qmgJDsfV0YcVqzBjEB+LZQ7/vngFrF+9WHALtnynw3KGCAerQZ7xCnmnDg==")
  }

  @Test("any valid payload is plain ASCII, and parsing and serialising it again gives its bytes", arguments: 0..<300)
  func fuzz(_ seed: Int) throws {
    var random = SeededRandom(seed: UInt64(seed))
    let payload = RandomPayload(&random)
    for bytes in try [
      SignedPayload.bytes(of: payload.entitlement), SignedPayload.bytes(of: payload.deactivation),
      SignedPayload.bytes(of: payload.checkout), SignedPayload.bytes(of: payload.lease),
    ] {
      #expect(bytes.allSatisfy { (0x20...0x7E).contains($0) })
      #expect(!bytes.contains(UInt8(ascii: "<")) && !bytes.contains(UInt8(ascii: "&")), "no encoder escapes anything")
      #expect(try JSONValue(parsing: bytes).encoded() == bytes)
    }
    let read = try JSONCoding.decode(
      FloatingCheckoutResponseData.self, from: SignedPayload.bytes(of: payload.checkout), unknownFields: .reject)
    #expect(read == payload.checkout)
  }

  @Test(
    "codes that could not be signed are refused where features are made",
    arguments: [
      "", " a", "a b", "\u{e9}", "a\u{7f}", "a\nb", "-a", ".a", "_a", "a/b", "a<b", "a&b", "a\"b", "a\\b",
      String(repeating: "a", count: 129), "\u{1F600}", "a\u{2028}",
    ])
  func codes(_ code: String) throws {
    #expect(throws: APIFailure.self) { try Checks.featureCode(code) }
  }

  @Test(
    "codes that can be signed are taken", arguments: ["a", "7", "API.calls_v2:x-y", String(repeating: "z", count: 128)])
  func goodCodes(_ code: String) throws {
    try Checks.featureCode(code)
  }

  /// Operation, body; each has one value that could not be signed, and the field that the refusal names.
  static let refusals: [(String, String, String)] = [
    ("products/{product}/features", #"{"name":"n","code":"caf\u00e9"}"#, "code"),
    ("products/{product}/features", #"{"name":"n","code":"a<b"}"#, "code"),
    ("products/{product}/versions", #"{"version":"1.0\u00e9"}"#, "version"),
    ("products/{product}/versions", #"{"version":"1\n"}"#, "version"),
    (
      "licenses/{license}/features", #"{"feature_id":"{feature}","max_consumptions":9007199254740992}"#,
      "max_consumptions"
    ),
    ("licenses/{license}/features", #"{"feature_id":"{feature}","max_consumptions":-1}"#, "max_consumptions"),
    (
      "licenses/{license}/usage/reset", #"{"feature_code":"api_calls","max_consumptions":9007199254740992}"#,
      "max_consumptions"
    ),
    (
      "licenses/{license}/usage/reset", #"{"feature_code":"api_calls","total_consumptions":9007199254740992}"#,
      "total_consumptions"
    ),
    ("licenses/{license}/usage/reset", #"{"feature_code":"api_calls","total_consumptions":-1}"#, "total_consumptions"),
    ("licenses/{license}/usage/reset", #"{"feature_code":"api_calls","add_credits":9007199254740991}"#, "add_credits"),
  ]

  @Test("no operation stores what could not be signed: 422 names the field")
  func refused() async throws {
    try await withLicenseServer { fixture in
      let catalog = try await fixture.admin.makeCatalog()
      let made = try await fixture.admin.issue(catalog)
      _ = try await fixture.admin.assignLicenseFeature(
        made.license.id, LicenseFeatureAssignRequest(featureID: catalog.feature.id, maxConsumptions: 10))
      func filled(_ text: String) -> String {
        text.replacing("{product}", with: catalog.product.id.rawValue)
          .replacing("{license}", with: made.license.id.rawValue)
          .replacing("{feature}", with: catalog.feature.id.rawValue)
      }
      for (path, body, field) in Self.refusals {
        let reply = try await fixture.send("POST", "/api/v1/" + filled(path), filled(body))
        #expect(reply.outcome == "422 VALIDATION_ERROR", "\(path) \(body): \(reply.text)")
        #expect(reply.detail?.hasPrefix(field) == true, "\(path) \(body): \(reply.text)")
      }
      for operation in ["activate", "validate", "check", "offline", "floating/checkout"] {
        for version in ["1.0\u{e9}", "", " 1", "1<2", "1\u{7f}", String(repeating: "1", count: 65)] {
          let body = JSONValue.object(["fingerprint": "m", "app_version": .string(version)]).text()
          let reply = try await fixture.runtime(operation, key: made.licenseKey, body, idempotencyKey: unique("k"))
          #expect(reply.outcome == "422 VALIDATION_ERROR", "\(operation) \(version): \(reply.text)")
          #expect(reply.detail?.hasPrefix("app_version") == true)
        }
      }
    }
  }

  @Test("the tables refuse it, too")
  func constraints() async throws {
    try await withLicenseServer { fixture in
      let catalog = try await fixture.admin.makeCatalog()
      let made = try await fixture.admin.issue(catalog)
      _ = try await fixture.admin.assignLicenseFeature(
        made.license.id, LicenseFeatureAssignRequest(featureID: catalog.feature.id, maxConsumptions: 10))
      let statements: [PostgresQuery] = [
        "UPDATE license_server.features SET code = 'caf\u{e9}'",
        "UPDATE license_server.license_features SET max_consumptions = 9007199254740992",
        "UPDATE license_server.license_features SET total_consumptions = 9007199254740992",
        "UPDATE license_server.license_features SET total_consumptions = -1",
        "UPDATE license_server.devices SET lease_id = 'x'",
      ]
      _ = try await fixture.runtime("activate", key: made.licenseKey, idempotencyKey: "1")
      for statement in statements {
        let error = await #expect(throws: PostgresError.self) { try await fixture.database.client.query(statement) }
        #expect(error?.code == .server(sqlState: .checkViolation), "\(statement)")
      }
    }
  }
}

/// Payloads as a server could make them, of every shape.
struct RandomPayload {
  var entitlement: RuntimeEntitlementResponseData
  var deactivation: DeactivationResponseData
  var checkout: FloatingCheckoutResponseData
  var lease: FloatingLeaseResponseData

  init(_ random: inout SeededRandom) {
    func text(_ first: String, _ others: String, most: Int) -> String {
      let length = Int.random(in: 0..<most, using: &random)
      return String(first.randomElement(using: &random) ?? "a")
        + String((0..<length).map { _ in others.randomElement(using: &random) ?? "a" })
    }
    func count() -> Int64 {
      switch Int.random(in: 0...3, using: &random) {
      case 0: 0
      case 1: Checks.maximumInteger
      default: Int64.random(in: 0...Checks.maximumInteger, using: &random)
      }
    }
    func time() -> Date { Date(timeIntervalSince1970: Double(Int.random(in: 0...4_000_000_000, using: &random))) }
    func maybe<T>(_ value: T) -> T? { Bool.random(using: &random) ? value : nil }
    let letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    let features = (0..<Int.random(in: 0...5, using: &random)).map { _ in
      let code = text(letters, letters + "._:-", most: 128)
      guard Bool.random(using: &random) else {
        return FeatureEntitlement(code: code, enabled: Bool.random(using: &random))
      }
      return FeatureEntitlement(
        code: code, enabled: Bool.random(using: &random), quota: count(), consumed: count(), remaining: count())
    }
    let eligibility = maybe(
      VersionEligibility(
        appVersion: text(letters, letters + " ._+:/~-", most: 64), isEntitled: Bool.random(using: &random),
        enforced: Bool.random(using: &random), releasedAt: maybe(time()), eligibleThrough: maybe(time())))
    let status = LicenseStatus.allCases.randomElement(using: &random)?.rawValue ?? "active"
    let type =
      [LicenseType.perpetual, .timeLimited, .subscription, .trial, .consumption]
      .randomElement(using: &random) ?? .trial
    let (license, device) = (LicenseID(Random.id(prefix: "lic_")), DeviceID(Random.id(prefix: "dev_")))
    let (version, issued, expires) = (count(), time(), maybe(time()))
    entitlement = RuntimeEntitlementResponseData(
      licenseID: license, status: status, licenseType: type, entitlementVersion: version, issuedAt: issued,
      nextCheckAt: time(), expiresAt: expires, deviceID: device, features: features, versionEligibility: eligibility)
    deactivation = DeactivationResponseData(
      licenseID: license, status: status, licenseType: type, entitlementVersion: version, issuedAt: issued,
      deviceID: device, expiresAt: expires)
    checkout = FloatingCheckoutResponseData(
      licenseID: license, status: status, licenseType: type, entitlementVersion: version, issuedAt: issued,
      expiresAt: expires, deviceID: device, leaseToken: Random.token(prefix: "llt_"), leaseExpiresAt: time(),
      features: features, versionEligibility: eligibility)
    lease = FloatingLeaseResponseData(
      licenseID: license, status: status, licenseType: type, entitlementVersion: version, issuedAt: issued,
      expiresAt: expires, deviceID: device, leaseExpiresAt: time(), features: maybe(features),
      versionEligibility: eligibility)
  }
}
