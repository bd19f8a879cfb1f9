import Foundation
import HTTPTypes
import Identity
import JSON
import LicenseKitAPI
import LicenseKitHTTP
import Postgres
import ServerKit
import TestSupport
import Testing

@testable import LicenseServer

@Suite("What the operator does")
struct OperatorTests {
  /// What the audit trail says the operator did, oldest first.
  static func types(_ fixture: Fixture, of tenant: TenantID) async throws -> [String] {
    let page = try await fixture.server.inProcessClient(tenant: tenant).listEvents(EventFilter(limit: 200))
    return page.events.filter { $0.actorType == .system && $0.actorID == "operator" }.map(\.eventType).reversed()
  }

  @Test("tenants are made, renamed, given a host name and rid of it; each step is in the tenant's own audit trail")
  func tenants() async throws {
    try await withLicenseServer { fixture in
      let administration = fixture.server.administration
      let made = try await administration.createTenant("acme", name: "Acme", hostName: "A.example:443")
      #expect(made.hostName == "a.example")
      let changed = try await administration.updateTenant("acme", name: "Acme Ltd", hostName: .set("b.example."))
      #expect((changed.name, changed.hostName) == ("Acme Ltd", "b.example"))
      #expect(try await administration.updateTenant("acme", hostName: .remove).hostName == nil)
      #expect(try await administration.updateTenant("acme", name: "A").hostName == nil)
      #expect(try await administration.tenants().map(\.id) == ["acme", "default"])
      #expect(
        try await Self.types(fixture, of: "acme")
          == ["tenant.created", "tenant.updated", "tenant.updated", "tenant.updated"])
    }
  }

  @Test("what cannot be is refused with the reason, and changes nothing")
  func refusals() async throws {
    try await withLicenseServer { fixture in
      let administration = fixture.server.administration
      try await administration.createTenant("acme", name: "Acme", hostName: "a.example")
      func status(_ body: () async throws -> Void) async -> Int? {
        do {
          try await body()
          return nil
        } catch { return (error as? APIFailure)?.status.code }
      }
      #expect(await status { try await administration.createTenant("acme", name: "Again") } == 409)
      #expect(await status { try await administration.createTenant("b", name: "B", hostName: "A.example") } == 409)
      #expect(await status { try await administration.createTenant("", name: "B") } == 422)
      #expect(await status { try await administration.createTenant("b", name: " ") } == 422)
      #expect(await status { try await administration.createTenant("b", name: "B", hostName: "a b") } == 422)
      #expect(await status { _ = try await administration.updateTenant("none", name: "B") } == 404)
      #expect(await status { _ = try await administration.updateTenant("default", hostName: .set("a.example")) } == 409)
      #expect(await status { _ = try await administration.tokens(of: "none") } == 404)
      #expect(await status { _ = try await administration.publicKeys(of: "none") } == 404)
      #expect(await status { _ = try await administration.rotateSigningKey(of: "none") } == 404)
      #expect(await status { _ = try await administration.policy("pol_none", of: "acme") } == 404)
      #expect(try await administration.tenants().map(\.name) == ["Acme", "Default"])
      #expect(try await Self.types(fixture, of: "acme") == ["tenant.created"])
    }
  }

  @Test("tokens are listed past a page, and one that is revoked stops at once; revoking again changes nothing")
  func tokens() async throws {
    try await withLicenseServer { fixture in
      let administration = fixture.server.administration
      try await administration.createTenant("acme", name: "Acme")
      let token = try await administration.createToken(for: "acme", name: "t", scopes: [.productRead])
      let client = fixture.client(token: token.token)
      #expect(try await client.listProducts(limit: nil).isEmpty)
      #expect(try await !administration.deactivateToken(token.apiKey.id, of: .defaultTenant), "another tenant's")
      for _ in 1...2 { #expect(try await administration.deactivateToken(token.apiKey.id, of: "acme")) }
      #expect(await failure { _ = try await client.listProducts(limit: nil) }?.status == 401)
      let types = try await Self.types(fixture, of: "acme")
      #expect(types == ["tenant.created", "api_key.created", "api_key.revoked"])
      try await fixture.database.client.query(
        """
        INSERT INTO license_server.api_keys (tenant_id, id, name, key_prefix, token_hash, scopes, created_at)
        SELECT 'acme', 'key_0' || n, 'many', 'p', sha256(n::text::bytea), '{admin}', now() FROM generate_series(1, 450) n
        """)
      let listed = try await administration.tokens(of: "acme")
      #expect(listed.count == 451)
      #expect(Set(listed.map(\.id)).count == 451)
    }
  }

  @Test("a key that was rotated away stays in the public list, under the tenant's host name only")
  func signingKeys() async throws {
    try await withLicenseServer { fixture in
      let administration = fixture.server.administration
      try await administration.createTenant("acme", name: "Acme", hostName: "acme.example")
      let first = try #require(try await administration.publicKeys(of: "acme").first)
      let admin = fixture.server.inProcessClient(tenant: "acme")
      let made = try await admin.issue(admin.makeCatalog())
      func activate(_ number: Int, host: String) async throws -> Reply {
        try await fixture.send(
          "POST", "/api/v1/license/activate", #"{"fingerprint":"m"}"#, authorization: "License \(made.licenseKey)",
          headers: [("Idempotency-Key", "\(number)"), ("Host", host)])
      }
      #expect(try await activate(1, host: "acme.example").json?["signature"]?["kid"]?.string == first.kid)
      fixture.clock.advance(seconds: 1)
      let second = try await administration.rotateSigningKey(of: "acme")
      #expect(try await activate(2, host: "acme.example").json?["signature"]?["kid"]?.string == second.kid)
      func keys(_ host: String) async throws -> [String?] {
        let reply = try await fixture.send(
          "GET", "/api/v1/system/public-keys", authorization: nil, headers: [("Host", host)])
        return try #require(reply.data?.array).map { "\($0["kid"]?.string ?? "") \($0["status"]?.string ?? "")" }
      }
      #expect(try await keys("acme.example") == ["\(second.kid) active", "\(first.kid) retired"])
      let others = try await administration.publicKeys(of: .defaultTenant).map { "\($0.kid) active" }
      #expect(try await keys("elsewhere.example") == others)
      #expect(
        Array(try await Self.types(fixture, of: "acme").suffix(2)) == ["signing_key.retired", "signing_key.created"])
    }
  }

  @Test("at a tenant's host name only its own tokens and license keys work; elsewhere all do")
  func hostNames() async throws {
    try await withLicenseServer { fixture in
      let administration = fixture.server.administration
      var credentials: [String: (token: String, key: String)] = [:]
      for tenant in ["one", "two"] {
        try await administration.createTenant(TenantID(tenant), name: tenant, hostName: "\(tenant).example")
        let token = try await administration.createToken(for: TenantID(tenant), name: "t", scopes: [.admin]).token
        let client = fixture.client(token: token)
        credentials[tenant] = (token, try await client.issue(client.makeCatalog()).licenseKey)
      }
      for (tenant, (token, key)) in credentials {
        for (host, isOwn) in [
          ("one.example", tenant == "one"), ("TWO.example:8443", tenant == "two"), ("two.example.", tenant == "two"),
          ("nobody.example", true),
        ] {
          let managed = try await fixture.send(
            "GET", "/api/v1/products", authorization: "Bearer \(token)", headers: [("Host", host)])
          #expect(managed.status == (isOwn ? 200 : 401), "\(tenant)'s token at \(host)")
          let activated = try await fixture.send(
            "POST", "/api/v1/license/activate", #"{"fingerprint":"m"}"#, authorization: "License \(key)",
            headers: [("Host", host), ("Idempotency-Key", host)])
          #expect(activated.status == (isOwn ? 200 : 401), "\(tenant)'s key at \(host): \(activated.text)")
        }
      }
      // A host name that moves takes effect with the next request.
      _ = try await administration.updateTenant("one", hostName: .remove)
      _ = try await administration.updateTenant("two", hostName: .set("one.example"))
      let token = try #require(credentials["one"]?.token)
      let moved = try await fixture.send(
        "GET", "/api/v1/products", authorization: "Bearer \(token)", headers: [("Host", "one.example")])
      #expect(moved.status == 401)
    }
  }

  @Test("every limit that the contract cannot set can be set, is shown, and is in the audit trail")
  func limits() async throws {
    try await withLicenseServer { fixture in
      let administration = fixture.server.administration
      let policy = try await fixture.admin.makeCatalog().policy
      var limits = PolicyLimits()
      (limits.maxActivations, limits.maxContainerInstances, limits.gracePeriodDays) = (3, 4, 5)
      (limits.validationIntervalMinutes, limits.allowOfflineActivation, limits.offlineGraceDays) = (6, true, 7)
      (limits.allowVM, limits.allowContainer, limits.maxTransfers) = (false, false, 8)
      let set = try await administration.setLimits(limits, of: policy.id, tenant: .defaultTenant)
      #expect(try await fixture.admin.getPolicy(policy.id) == set)
      #expect(try await administration.policy(policy.id, of: .defaultTenant) == set)
      #expect((set.maxActivations, set.maxContainerInstances, set.gracePeriodDays) == (3, 4, 5))
      #expect((set.validationIntervalMinutes, set.allowOfflineActivation, set.offlineGraceDays) == (6, true, 7))
      #expect((set.allowVM, set.allowContainer, set.maxTransfers) == (false, false, 8))
      var shared = PolicyLimits()
      shared.containersShareActivations = true
      let changed = try await administration.setLimits(shared, of: policy.id, tenant: .defaultTenant)
      #expect(changed.maxContainerInstances == nil)
      #expect(changed.maxActivations == 3, "what is not given stays")
      let events = try await fixture.admin.listEvents(EventFilter(eventType: "policy.updated")).events
      #expect(events.map(\.metadata["max_transfers"]) == [nil, 8])
      #expect(events.allSatisfy { $0.actorID == "operator" })

      var wrong: [PolicyLimits] = [PolicyLimits()]
      for change: (inout PolicyLimits) -> Void in [
        { $0.maxActivations = 0 }, { $0.maxContainerInstances = 0 }, { $0.gracePeriodDays = -1 },
        { $0.validationIntervalMinutes = 0 }, { $0.offlineGraceDays = 3_651 }, { $0.maxTransfers = -1 },
        {
          $0.maxContainerInstances = 1
          $0.containersShareActivations = true
        },
      ] {
        var limits = PolicyLimits()
        change(&limits)
        wrong.append(limits)
      }
      for limits in wrong {
        await #expect(throws: APIFailure.self, "\(limits)") {
          try await administration.setLimits(limits, of: policy.id, tenant: .defaultTenant)
        }
      }
      await #expect(throws: APIFailure.self, "another tenant's policy") {
        try await administration.setLimits(limits, of: policy.id, tenant: "acme")
      }
    }
  }

  @Test("other grace days hold at once for every license of the policy, and write no license")
  func grace() async throws {
    try await withLicenseServer { fixture in
      let catalog = try await fixture.admin.makeCatalog()
      let made = try await fixture.admin.issue(catalog, expiresAt: fixture.clock.now + 86_400)
      _ = try await fixture.runtime("activate", key: made.licenseKey, idempotencyKey: "1")
      func rows() async throws -> String? {
        try await fixture.database.client.query(
          "SELECT md5(string_agg(t::text, '')) AS d FROM license_server.licenses t"
        )
        .first?.get("d")
      }
      let before = try await rows()
      fixture.clock.advance(days: 3)
      for (days, status, code) in [(0, LicenseStatus.expired, 403), (3, .gracePeriod, 200), (1, .expired, 403)] {
        var limits = PolicyLimits()
        limits.gracePeriodDays = days
        try await fixture.server.administration.setLimits(limits, of: catalog.policy.id, tenant: .defaultTenant)
        #expect(try await fixture.admin.getLicense(made.license.id).status == status, "\(days) days")
        #expect(try await fixture.admin.listLicenses(LicenseFilter(status: status)).count == 1, "\(days) days")
        #expect(try await fixture.runtime("validate", key: made.licenseKey).status == code, "\(days) days")
      }
      #expect(try await fixture.admin.getLicense(made.license.id).entitlementVersion > made.license.entitlementVersion)
      #expect(try await rows() == before)
    }
  }
}
