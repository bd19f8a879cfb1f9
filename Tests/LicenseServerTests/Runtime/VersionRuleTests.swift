import Foundation
import Identity
import JSON
import LicenseKitAPI
import LicenseKitHTTP
import Postgres
import TestSupport
import Testing

@testable import LicenseServer

@Suite("Versions that a license covers")
struct VersionRuleTests {
  /// The operations that name a version, and what they answer for one that is not covered.
  static let operations = ["activate", "validate", "check", "consume", "offline", "floating/checkout"]

  /// A perpetual license with maintenance up to now, and a catalog with a version on each side of it.
  static func license(_ fixture: Fixture) async throws -> String {
    let catalog = try await fixture.admin.makeCatalog(.perpetual)
    _ = try await fixture.admin.updatePolicy(catalog.policy.id, PolicyUpdateRequest(maxFloatingUsers: 9))
    try await fixture.setLimits(of: catalog.policy.id) { $0.allowOfflineActivation = true }
    let now = fixture.clock.now
    let made = try await fixture.admin.createLicense(
      LicenseCreateRequest(
        productID: catalog.product.id, policyID: catalog.policy.id, maintenanceExpiresAt: now), idempotencyKey: nil)
    _ = try await fixture.admin.assignLicenseFeature(
      made.license.id, LicenseFeatureAssignRequest(featureID: catalog.feature.id))
    for (version, released) in [("1.0", now), ("2.0", now + 1)] {
      _ = try await fixture.admin.createProductVersion(
        catalog.product.id, ProductVersionCreateRequest(version: version, releasedAt: released))
    }
    #expect(try await fixture.runtime("activate", key: made.licenseKey, idempotencyKey: "0").status == 200)
    fixture.clock.advance(seconds: 10)
    return made.licenseKey
  }

  static func ask(_ fixture: Fixture, _ key: String, _ operation: String, _ version: String?) async throws -> Reply {
    var members = [#""fingerprint":"machine-1""#]
    if let version { members.append(#""app_version":"\#(version)""#) }
    if operation == "consume" { members.append(#""feature_code":"api_calls","event_id":"\#(unique("e"))""#) }
    return try await fixture.runtime(
      operation, key: key, "{" + members.joined(separator: ",") + "}", idempotencyKey: unique("k"))
  }

  @Test("the table: covered and nameless versions pass; others are refused, but a check tells instead")
  func table() async throws {
    try await withLicenseServer { fixture in
      let key = try await Self.license(fixture)
      for operation in Self.operations {
        for (version, isCovered) in [(nil, true), ("1.0", true), ("2.0", false), ("unknown", false)]
          as [(String?, Bool)]
        {
          let reply = try await Self.ask(fixture, key, operation, version)
          let expected = isCovered || operation == "check" ? "200" : "403 VERSION_NOT_ENTITLED"
          #expect(reply.outcome == expected, "\(operation) \(version ?? "-"): \(reply.text)")
          guard reply.status == 200, operation != "offline" else { continue }
          let told = reply.data?["version_eligibility"]
          guard let version else {
            #expect(told == nil, "\(operation)")
            continue
          }
          #expect(told?["app_version"]?.string == version)
          #expect(told?["is_entitled"] == .bool(isCovered), "\(operation) \(version)")
          #expect(told?["enforced"] == true)
          #expect((told?["released_at"] != nil) == (version != "unknown"))
          #expect(told?["eligible_through"] == "2026-03-24T00:00:00Z")
        }
      }
      #expect(try await Self.ask(fixture, key, "deactivate", "2.0").status == 200, "letting go is always allowed")
    }
  }

  @Test("a refused use counts nothing, and a refused checkout takes no place")
  func nothingHappens() async throws {
    try await withLicenseServer { fixture in
      let key = try await Self.license(fixture)
      for operation in ["consume", "floating/checkout"] {
        #expect(try await Self.ask(fixture, key, operation, "2.0").status == 403)
      }
      let rows = try await fixture.database.client.query(
        """
        SELECT (SELECT count(*) FROM license_server.usage_events)
             + (SELECT count(*) FROM license_server.devices WHERE lease_id IS NOT NULL) AS n
        """)
      #expect(try rows.first?.get("n", as: Int.self) == 0)
    }
  }

  @Test("without a catalog every version passes, and says so")
  func noCatalog() async throws {
    try await withLicenseServer { fixture in
      let made = try await fixture.admin.issue(fixture.admin.makeCatalog())
      let reply = try await fixture.runtime(
        "activate", key: made.licenseKey, #"{"fingerprint":"m","app_version":"9"}"#, idempotencyKey: "1")
      #expect(reply.data?["version_eligibility"]?["enforced"] == false)
      #expect(reply.data?["version_eligibility"]?["is_entitled"] == true)
    }
  }
}
