import Foundation
import Identity
import JSON
import LicenseKitAPI
import LicenseKitHTTP
import TestRandom
import Testing

@testable import LicenseServer

@Suite("Each operation of an application in each state of its license")
struct RuntimeStateTests {
  /// States that an application can meet. Each is reached through the API and the passing of time alone: no job runs here.
  enum State: String, CaseIterable, Sendable {
    case active, gracePeriod, expired, suspended, revoked, notStarted, suspendedAndExpired
  }

  /// What each operation answers. A device was activated and another has a lease before the state is entered, except that
  /// nothing can have been before the license starts.
  static let outcomes: [String: [State: String]] = [
    "activate": refused(active: "200", grace: "200"),
    "validate": refused(active: "200", grace: "200"),
    "check": refused(active: "200", grace: "200"),
    "consume": refused(active: "200", grace: "200"),
    "offline": refused(active: "200", grace: "200"),
    "floating/checkout": refused(active: "200", grace: "200"),
    "floating/heartbeat": refused(active: "200", grace: "200"),
    // An application may always let go, of what is there.
    "deactivate": [
      .active: "200", .gracePeriod: "200", .expired: "200", .suspended: "200", .revoked: "404 NOT_FOUND",
      .notStarted: "404 NOT_FOUND", .suspendedAndExpired: "200",
    ],
    // A lease ends with the license, a suspension leaves it.
    "floating/checkin": [
      .active: "200", .gracePeriod: "200", .expired: "404 LEASE_NOT_FOUND", .suspended: "200",
      .revoked: "404 LEASE_NOT_FOUND", .notStarted: "404 LEASE_NOT_FOUND",
      .suspendedAndExpired: "404 LEASE_NOT_FOUND",
    ],
  ]

  private static func refused(active: String, grace: String) -> [State: String] {
    [
      .active: active, .gracePeriod: grace, .expired: "403 LICENSE_EXPIRED", .suspended: "403 LICENSE_INACTIVE",
      .revoked: "403 LICENSE_INACTIVE", .notStarted: "403 LICENSE_INACTIVE",
      .suspendedAndExpired: "403 LICENSE_INACTIVE",
    ]
  }

  @Test("the table, over HTTP", arguments: State.allCases)
  func table(_ state: State) async throws {
    try await withLicenseServer { fixture in
      let catalog = try await fixture.admin.makeCatalog()
      // The lease outlasts what happens to the license.
      _ = try await fixture.admin.updatePolicy(
        catalog.policy.id,
        PolicyUpdateRequest(maxFloatingUsers: 5, floatingTimeoutMinutes: 525_600))
      try await fixture.setLimits(of: catalog.policy.id) {
        ($0.gracePeriodDays, $0.allowOfflineActivation, $0.maxActivations) = (2, true, 5)
      }
      for (operation, expected) in Self.outcomes {
        let (key, token) = try await Self.license(fixture, catalog, in: state)
        let body: String
        switch operation {
        case "activate": body = #"{"fingerprint":"new"}"#
        case "floating/checkout": body = #"{"fingerprint":"new"}"#
        case "consume": body = #"{"fingerprint":"machine-1","feature_code":"api_calls","event_id":"e"}"#
        case "floating/checkin", "floating/heartbeat": body = #"{"lease_token":"\#(token)"}"#
        default: body = #"{"fingerprint":"machine-1"}"#
        }
        let reply = try await fixture.runtime(operation, key: key, body, idempotencyKey: "k")
        #expect(reply.outcome == expected[state], "\(operation), \(state): \(reply.text)")
        let status = state == .gracePeriod ? "grace_period" : "active"
        if reply.status == 200, state == .active || state == .gracePeriod, operation != "offline" {
          #expect(reply.data?["status"]?.string == status, "\(operation)")
        }
      }
    }
  }

  /// A license in a state, with its key and the token of a lease.
  static func license(_ fixture: Fixture, _ catalog: Catalog, in state: State) async throws -> (String, String) {
    let now = fixture.clock.now
    let made = try await fixture.admin.issue(
      catalog, startsAt: state == .notStarted ? now + 60 : nil, expiresAt: now + 10 * 86_400)
    _ = try await fixture.admin.assignLicenseFeature(
      made.license.id, LicenseFeatureAssignRequest(featureID: catalog.feature.id, maxConsumptions: 5))
    guard state != .notStarted else { return (made.licenseKey, "llt_none") }
    #expect(try await fixture.runtime("activate", key: made.licenseKey, idempotencyKey: "0").status == 200)
    let token = try #require(try await fixture.checkout(made.licenseKey, "floating").leaseToken)
    switch state {
    case .active, .notStarted: break
    case .gracePeriod: fixture.clock.advance(days: 11)
    case .expired: fixture.clock.advance(days: 12)
    case .suspended: _ = try await fixture.admin.suspendLicense(made.license.id)
    case .revoked: _ = try await fixture.admin.revokeLicense(made.license.id)
    case .suspendedAndExpired:
      _ = try await fixture.admin.suspendLicense(made.license.id)
      fixture.clock.advance(days: 12)
    }
    return (made.licenseKey, token)
  }

  @Test("a license that starts later works from that second on")
  func start() async throws {
    try await withLicenseServer { fixture in
      let catalog = try await fixture.admin.makeCatalog()
      let made = try await fixture.admin.issue(catalog, startsAt: fixture.clock.now + 60)
      fixture.clock.advance(seconds: 59)
      let early = try await fixture.runtime("activate", key: made.licenseKey, idempotencyKey: "1")
      #expect(early.outcome == "403 LICENSE_INACTIVE")
      #expect(early.detail?.contains("2026-03-24T00:01:00Z") == true, "it says when")
      fixture.clock.advance(seconds: 1)
      #expect(try await fixture.runtime("activate", key: made.licenseKey, idempotencyKey: "2").status == 200)
    }
  }

  @Test(
    "expiry and grace begin and end to the second, by the clock alone, and an answer never promises beyond a change")
  func clock() async throws {
    try await withLicenseServer { fixture in
      let catalog = try await fixture.admin.makeCatalog()
      try await fixture.setLimits(of: catalog.policy.id) { $0.gracePeriodDays = 1 }
      let end = fixture.clock.now + 3_600
      let made = try await fixture.admin.issue(catalog, expiresAt: end)
      let first = try await fixture.runtime("activate", key: made.licenseKey, idempotencyKey: "1")
      #expect(first.date("next_check_at") == end)
      fixture.clock.advance(seconds: 3_599)
      #expect(try await fixture.runtime("check", key: made.licenseKey).data?["status"] == "active")
      fixture.clock.advance(seconds: 1)
      let grace = try await fixture.runtime("check", key: made.licenseKey)
      #expect(grace.data?["status"] == "grace_period")
      #expect(grace.date("next_check_at") == end + 86_400)
      #expect(grace.date("expires_at") == end)
      fixture.clock.advance(seconds: 86_399)
      #expect(try await fixture.runtime("check", key: made.licenseKey).status == 200)
      fixture.clock.advance(seconds: 1)
      #expect(try await fixture.runtime("check", key: made.licenseKey).outcome == "403 LICENSE_EXPIRED")
    }
  }

  @Test("the next check is due before a feature ends and before a version stops being covered")
  func nextCheck() async throws {
    try await withLicenseServer { fixture in
      let catalog = try await fixture.admin.makeCatalog(.perpetual)
      let now = fixture.clock.now
      let made = try await fixture.admin.createLicense(
        LicenseCreateRequest(
          productID: catalog.product.id, policyID: catalog.policy.id, maintenanceExpiresAt: now + 900),
        idempotencyKey: nil)
      _ = try await fixture.admin.assignLicenseFeature(
        made.license.id, LicenseFeatureAssignRequest(featureID: catalog.feature.id, expiresAt: now + 600))
      _ = try await fixture.admin.createProductVersion(catalog.product.id, ProductVersionCreateRequest(version: "1.0"))
      let body = #"{"fingerprint":"machine-1","app_version":"nightly"}"#
      let first = try await fixture.runtime("activate", key: made.licenseKey, body, idempotencyKey: "1")
      #expect(first.date("next_check_at") == now + 600)
      fixture.clock.advance(seconds: 600)
      let second = try await fixture.runtime("check", key: made.licenseKey, body)
      #expect(second.data?["features"]?.array?.first?["enabled"] == false)
      #expect(second.date("next_check_at") == now + 900)
      let listed = try await fixture.runtime(
        "check", key: made.licenseKey, #"{"fingerprint":"machine-1","app_version":"1.0"}"#)
      #expect(listed.date("next_check_at") == fixture.clock.now + 86_400, "a released version stays covered")
    }
  }

  @Test(
    "the moment of the next check is after now, never after the interval, and never after a change that is to come",
    arguments: 0..<200)
  func nextCheckProperty(_ seed: Int) {
    var random = SeededRandom(seed: UInt64(seed))
    let now = Date(timeIntervalSince1970: 1_774_310_400)
    let changes: [Date?] = (0..<Int.random(in: 0...4, using: &random)).map { _ in
      Bool.random(using: &random) ? nil : now + Double(Int.random(in: -1_000...1_000, using: &random))
    }
    let interval = Double(Int.random(in: 1...2_000, using: &random))
    let lease = Bool.random(using: &random) ? now + Double(Int.random(in: 1...1_000, using: &random)) : nil
    let moment = NextCheck.moment(after: now, interval: interval, changes: changes, livingUntil: lease)
    #expect(moment > now)
    #expect(moment <= now + interval)
    for change in changes.compactMap({ $0 }) where change > now { #expect(moment <= change) }
    if let lease { #expect(moment <= lease) }
  }
}
