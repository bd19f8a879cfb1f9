import Foundation
import Identity
import LicenseKitAPI
import LicenseKitHTTP
import Testing

@testable import LicenseServer

@Suite("The state machine of a license")
struct LicenseStateTests {
  static let now = Date(timeIntervalSince1970: 1_774_310_400)
  static let day: TimeInterval = 86_400

  /// A lifecycle that shows a status at `now`.
  static func lifecycle(_ status: LicenseStatus) -> LicenseLifecycle {
    switch status {
    case .active: LicenseLifecycle(state: .active, expiresAt: now + 10 * day, endsAt: now + 12 * day)
    case .gracePeriod: LicenseLifecycle(state: .active, expiresAt: now - day, endsAt: now + day)
    case .expired: LicenseLifecycle(state: .active, expiresAt: now - 2 * day, endsAt: now - day)
    case .suspended: LicenseLifecycle(state: .suspended, expiresAt: now + 10 * day, endsAt: now + 12 * day)
    case .revoked: LicenseLifecycle(state: .revoked, expiresAt: now + 10 * day, endsAt: now + 12 * day)
    }
  }

  @Test("each status follows from what was decided and the time", arguments: LicenseStatus.allCases)
  func statuses(_ status: LicenseStatus) {
    #expect(Self.lifecycle(status).status(at: Self.now) == status)
  }

  @Test("both ends belong to what follows them")
  func ends() {
    let license = LicenseLifecycle(state: .active, expiresAt: Self.now, endsAt: Self.now + Self.day)
    #expect(license.status(at: Self.now - 1) == .active)
    #expect(license.status(at: Self.now) == .gracePeriod)
    #expect(license.status(at: Self.now + Self.day - 1) == .gracePeriod)
    #expect(license.status(at: Self.now + Self.day) == .expired)
    #expect(LicenseLifecycle(state: .active).status(at: .distantFuture) == .active)
  }

  /// From, action, status of the answer, to.
  static let actions: [(LicenseStatus, String, Int, LicenseStatus)] = [
    (.active, "suspend", 200, .suspended), (.gracePeriod, "suspend", 200, .suspended),
    (.expired, "suspend", 200, .suspended), (.suspended, "suspend", 200, .suspended),
    (.revoked, "suspend", 409, .revoked),
    (.active, "reinstate", 200, .active), (.gracePeriod, "reinstate", 200, .gracePeriod),
    (.suspended, "reinstate", 200, .active), (.expired, "reinstate", 409, .expired),
    (.revoked, "reinstate", 409, .revoked),
    (.active, "revoke", 200, .revoked), (.gracePeriod, "revoke", 200, .revoked), (.expired, "revoke", 200, .revoked),
    (.suspended, "revoke", 200, .revoked), (.revoked, "revoke", 200, .revoked),
  ]

  @Test("suspend, reinstate and revoke do what the table says, over HTTP")
  func actions() async throws {
    try await withLicenseServer { fixture in
      for (from, action, status, to) in Self.actions {
        let license = try await Self.license(fixture, in: from)
        let reply = try await fixture.send("POST", "/api/v1/licenses/\(license.id)/\(action)")
        #expect(reply.status == status, "\(from), \(action): \(reply.text)")
        #expect(try await fixture.admin.getLicense(license.id).status == to, "\(from), \(action)")
      }
    }
  }

  /// A license in a status, reached through the API and the passing of time.
  static func license(_ fixture: Fixture, in status: LicenseStatus) async throws -> License {
    let catalog = try await fixture.admin.makeCatalog()
    var limits = PolicyLimits()
    limits.gracePeriodDays = 2
    try await fixture.server.administration.setLimits(limits, of: catalog.policy.id, tenant: .defaultTenant)
    let license = try await fixture.admin.issue(catalog, expiresAt: fixture.clock.now + 10 * day).license
    switch status {
    case .active: break
    case .gracePeriod: fixture.clock.advance(days: 11)
    case .expired: fixture.clock.advance(days: 13)
    case .suspended: _ = try await fixture.admin.suspendLicense(license.id)
    case .revoked: _ = try await fixture.admin.revokeLicense(license.id)
    }
    let shown = try await fixture.admin.getLicense(license.id)
    #expect(shown.status == status)
    return shown
  }

  @Test("the list's status filter agrees with what each license says, at every moment")
  func filterAgrees() async throws {
    try await withLicenseServer { fixture in
      for status in [LicenseStatus.active, .suspended, .revoked] { _ = try await Self.license(fixture, in: status) }
      _ = try await fixture.admin.issue(fixture.admin.makeCatalog())
      for _ in 0..<5 {
        let all = try await fixture.admin.listLicenses(LicenseFilter())
        #expect(all.count == 4)
        for status in LicenseStatus.allCases {
          let listed = try await fixture.admin.listLicenses(LicenseFilter(status: status)).map(\.id)
          #expect(listed.sorted(by: >) == all.filter { $0.status == status }.map(\.id), "\(status)")
        }
        fixture.clock.advance(days: 3)
      }
    }
  }

  @Test("a renewal moves forward only, keeps time left, and starts anew when time ran out")
  func renewals() async throws {
    try await withLicenseServer { fixture in
      let license = try await Self.license(fixture, in: .active)
      let expiry = try #require(license.expiresAt)
      let longer = try await fixture.admin.renewLicense(
        license.id, LicenseRenewRequest(extendByDays: 30), idempotencyKey: "1")
      #expect(longer.expiresAt == expiry + 30 * Self.day)
      #expect(longer.entitlementVersion > license.entitlementVersion)

      let back = await failure {
        _ = try await fixture.admin.renewLicense(
          license.id, LicenseRenewRequest(expiresAt: expiry), idempotencyKey: "2")
      }
      #expect(back?.status == 422)
      #expect(back?.detail?.contains("expires_at") == true)

      fixture.clock.advance(days: 100)
      let anew = try await fixture.admin.renewLicense(
        license.id, LicenseRenewRequest(extendByDays: 1), idempotencyKey: "3")
      #expect(anew.expiresAt == fixture.clock.now + Self.day)
      #expect(anew.status == .active)

      _ = try await fixture.admin.suspendLicense(license.id)
      let suspended = try await fixture.admin.renewLicense(
        license.id, LicenseRenewRequest(extendByDays: 1), idempotencyKey: "4")
      #expect(suspended.status == .suspended)
      #expect(suspended.expiresAt == fixture.clock.now + 2 * Self.day)

      let none = await failure {
        _ = try await fixture.admin.renewLicense(license.id, LicenseRenewRequest(), idempotencyKey: "5")
      }
      #expect(none?.status == 422)
      _ = try await fixture.admin.revokeLicense(license.id)
      let revoked = await failure {
        _ = try await fixture.admin.renewLicense(license.id, LicenseRenewRequest(extendByDays: 1), idempotencyKey: "6")
      }
      #expect(revoked?.status == 409)
    }
  }

  @Test("a type without a date cannot be renewed", arguments: [LicenseType.perpetual, .consumption])
  func notRenewable(_ type: LicenseType) async throws {
    try await withLicenseServer { fixture in
      let license = try await fixture.admin.issue(fixture.admin.makeCatalog(type)).license
      let refused = await failure {
        _ = try await fixture.admin.renewLicense(license.id, LicenseRenewRequest(extendByDays: 1), idempotencyKey: "1")
      }
      #expect(refused?.status == 422)
    }
  }
}
