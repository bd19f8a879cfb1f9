import Foundation
import Identity
import JSON
import LicenseKitAPI
import LicenseKitHTTP
import Postgres
import TestSupport
import Testing

@testable import LicenseServer

@Suite("Floating leases")
struct FloatingTests {
  @Test("a thousand checkouts at once of a pool of twenty, at two replicas, give exactly twenty")
  func pool() async throws {
    try await withLicenseServer { fixture in
      let made = try await fixture.makePool(of: 20).made
      let outcomes = try await fixture.withReplica { replica in
        try await concurrently(0..<1_000) { number in
          let here = number.isMultiple(of: 2) ? fixture : replica
          return try await here.patiently {
            try await here.checkout(made.licenseKey, "m\(number)", idempotencyKey: "k\(number)")
          }
        }
      }
      #expect(outcomes.count { $0.status == 200 } == 20)
      #expect(outcomes.count { $0.outcome == "403 FLOATING_LIMIT_EXCEEDED" } == 980)
      #expect(Set(outcomes.compactMap(\.leaseToken)).count == 20)
      let rows = try await fixture.database.client.query(
        "SELECT count(*) AS n FROM license_server.devices WHERE lease_id IS NOT NULL")
      #expect(try rows.first?.get("n", as: Int.self) == 20)
      let license = try await fixture.admin.getLicense(made.license.id)
      #expect(license.activeDeviceCount == 0, "a lease is no activation")
      #expect(license.timesActivated == 0)
    }
  }

  @Test("an abandoned lease frees its place the moment it ends, and not before, without any job")
  func abandoned() async throws {
    try await withLicenseServer { fixture in
      let (_, made) = try await fixture.makePool(of: 1, timeoutMinutes: 10)
      let key = made.licenseKey
      let first = try await fixture.checkout(key, "m1")
      #expect(first.date("lease_expires_at") == fixture.clock.now + 600)
      fixture.clock.advance(seconds: 599)
      #expect(try await fixture.checkout(key, "m2").outcome == "403 FLOATING_LIMIT_EXCEEDED")
      #expect(try await fixture.runtime("check", key: key, #"{"fingerprint":"m1"}"#).status == 200)
      fixture.clock.advance(seconds: 1)
      #expect(try await fixture.runtime("check", key: key, #"{"fingerprint":"m1"}"#).status == 404)
      #expect(try await fixture.heartbeat(key, first.leaseToken).outcome == "404 LEASE_NOT_FOUND")
      #expect(try await fixture.checkin(key, first.leaseToken).outcome == "404 LEASE_NOT_FOUND")
      let device = DeviceID(first.data?["device_id"]?.string ?? "")
      #expect(try await fixture.admin.getLicenseDevice(made.license.id, device).status == .expired)
      #expect(try await fixture.checkout(key, "m2").status == 200)
      #expect(
        try await fixture.eventTypes(of: made.license.id).suffix(3)
          == ["floating.checked_out", "floating.expired", "floating.checked_out"])
    }
  }

  @Test(
    "a heartbeat extends the lease and tells the features; a check-in gives the place back and is told again by its key"
  )
  func life() async throws {
    try await withLicenseServer { fixture in
      let (catalog, made) = try await fixture.makePool(of: 1, timeoutMinutes: 10)
      let key = made.licenseKey
      _ = try await fixture.admin.assignLicenseFeature(
        made.license.id, LicenseFeatureAssignRequest(featureID: catalog.feature.id, maxConsumptions: 5))
      let lease = try await fixture.checkout(key, "m1")
      fixture.clock.advance(seconds: 599)
      let beat = try await fixture.heartbeat(key, lease.leaseToken)
      #expect(beat.date("lease_expires_at") == fixture.clock.now + 600)
      #expect(beat.data?["features"]?.array?.first?["quota"] == 5)
      #expect(beat.data?["lease_token"] == nil)
      fixture.clock.advance(seconds: 599)
      let back = try await fixture.checkin(key, lease.leaseToken, idempotencyKey: "in")
      #expect(back.status == 200)
      #expect(back.date("lease_expires_at") == fixture.clock.now)
      let again = try await fixture.checkin(key, lease.leaseToken, idempotencyKey: "in")
      #expect(again.rawData(before: "meta") == back.rawData(before: "meta"))
      #expect(try await fixture.checkin(key, lease.leaseToken).outcome == "404 LEASE_NOT_FOUND")
      #expect(try await fixture.checkin(key, "llt_other", idempotencyKey: "in").outcome == "409 IDEMPOTENCY_CONFLICT")
      #expect(try await fixture.checkout(key, "m2").status == 200)
      #expect(try await fixture.checkin(key, nil).outcome == "422 VALIDATION_ERROR")
    }
  }

  @Test("the same binding takes no second place: its lease begins anew under a new token, however many ask at once")
  func sameBinding() async throws {
    try await withLicenseServer { fixture in
      let made = try await fixture.makePool(of: 1).made
      let key = made.licenseKey
      let replies = try await concurrently(0..<30) { number in
        try await fixture.checkout(key, "m1", idempotencyKey: "k\(number)")
      }
      #expect(replies.allSatisfy { $0.status == 200 })
      #expect(Set(replies.map { $0.data?["device_id"]?.string }).count == 1)
      var living = 0
      for reply in replies where try await fixture.heartbeat(key, reply.leaseToken).status == 200 { living += 1 }
      #expect(living == 1, "only the newest token holds")
      #expect(try await fixture.checkout(key, "m2").status == 403)
    }
  }

  @Test("a checkout told again by its key gives the same token, which is stored nowhere in the clear")
  func encryptedAnswer() async throws {
    try await withLicenseServer { fixture in
      let made = try await fixture.makePool(of: 2).made
      let first = try await fixture.checkout(made.licenseKey, "m1", idempotencyKey: "k")
      let again = try await fixture.checkout(made.licenseKey, "m1", idempotencyKey: "k")
      #expect(again.rawData(before: "meta") == first.rawData(before: "meta"))
      let token = try #require(first.leaseToken)
      for (table, column) in [("idempotency_records", "answer"), ("devices", "lease_token_hash")] {
        let rows = try await fixture.database.client.query(
          """
          SELECT count(*) AS n, count(*) FILTER (WHERE position(convert_to(\(token), 'UTF8') IN \(identifier: column)) > 0) AS open
            FROM license_server.\(identifier: table)
          """)
        #expect(try rows.first?.get("n", as: Int.self) ?? 0 > 0)
        #expect(try rows.first?.get("open", as: Int.self) == 0, "\(table)")
      }
      let events = try await fixture.admin.listEvents(EventFilter(limit: 200)).events
      #expect(!events.contains { "\($0)".contains(token) })
    }
  }

  @Test("a kept answer with a token opens after the encryption key was changed")
  func reencryption() async throws {
    try await withDatabase(migrations: ["migrations/server"]) { database in
      let (old, new) = (try KeyRingText.new("old"), try KeyRingText.new("new"))
      func server(_ keys: String) throws -> LicenseServer {
        LicenseServer(client: database.client, keyRing: try KeyRingText.ring(keys), logger: Fixture.logger)
      }
      let first = try server(old)
      try await first.bootstrap(adminToken: nil)
      let admin = first.inProcessClient(tenant: .defaultTenant)
      let catalog = try await admin.makeCatalog()
      _ = try await admin.updatePolicy(catalog.policy.id, PolicyUpdateRequest(maxFloatingUsers: 1))
      let license = try await admin.issue(catalog).license.id
      let caller = Caller(tenant: .defaultTenant, actor: .license(license), scopes: [], address: nil)
      func checkout(_ server: LicenseServer) async throws -> SignedAnswer {
        try await server.services.floating.checkout(
          license, RuntimeBindingRequest(fingerprint: "m"), idempotencyKey: "k", for: caller)
      }
      let answer = try await checkout(first)
      #expect(try await server("\(new),\(old)").administration.reencrypt() == 2, "the signing key and the answer")
      #expect(try await checkout(server(new)) == answer)
    }
  }

  @Test(
    "what happens to the license or the device ends its leases, or lets them run out",
    arguments: ["revoke", "reset", "blacklist", "transfer", "deactivate", "suspend"])
  func endings(_ action: String) async throws {
    try await withLicenseServer { fixture in
      let made = try await fixture.makePool(of: 1, timeoutMinutes: 10).made
      let (key, id) = (made.licenseKey, made.license.id)
      let lease = try await fixture.checkout(key, "m1")
      let device = DeviceID(lease.data?["device_id"]?.string ?? "")
      let expected: (heartbeat: String, checkin: String, check: String, checkout: String)
      switch action {
      case "revoke":
        _ = try await fixture.admin.revokeLicense(id)
        expected = (
          "403 LICENSE_INACTIVE", "404 LEASE_NOT_FOUND", "403 LICENSE_INACTIVE", "403 LICENSE_INACTIVE"
        )
      case "reset":
        _ = try await fixture.admin.resetLicenseDevice(id, device)
        expected = ("404 LEASE_NOT_FOUND", "404 LEASE_NOT_FOUND", "404 NOT_FOUND", "200")
      case "blacklist":
        _ = try await fixture.admin.blacklistLicenseDevice(id, device)
        expected = ("404 LEASE_NOT_FOUND", "404 LEASE_NOT_FOUND", "403 DEVICE_BLACKLISTED", "403 DEVICE_BLACKLISTED")
      case "transfer":
        _ = try await fixture.admin.transferLicense(
          id, LicenseTransferRequest(resetDevices: true), idempotencyKey: "t")
        expected = ("404 LEASE_NOT_FOUND", "404 LEASE_NOT_FOUND", "404 NOT_FOUND", "200")
      case "deactivate":
        let reply = try await fixture.runtime("deactivate", key: key, #"{"fingerprint":"m1"}"#, idempotencyKey: "d")
        #expect(reply.status == 200)
        expected = ("404 LEASE_NOT_FOUND", "404 LEASE_NOT_FOUND", "404 NOT_FOUND", "200")
      default:
        _ = try await fixture.admin.suspendLicense(id)
        expected = ("403 LICENSE_INACTIVE", "200", "403 LICENSE_INACTIVE", "403 LICENSE_INACTIVE")
      }
      #expect(try await fixture.heartbeat(key, lease.leaseToken).outcome == expected.heartbeat)
      #expect(try await fixture.checkin(key, lease.leaseToken).outcome == expected.checkin)
      #expect(try await fixture.runtime("check", key: key, #"{"fingerprint":"m1"}"#).outcome == expected.check)
      #expect(try await fixture.checkout(key, "m1").outcome == expected.checkout)
    }
  }

  @Test("a suspension that ends within the lease's time leaves the lease as it was")
  func briefSuspension() async throws {
    try await withLicenseServer { fixture in
      let made = try await fixture.makePool(of: 1, timeoutMinutes: 10).made
      let lease = try await fixture.checkout(made.licenseKey, "m1")
      _ = try await fixture.admin.suspendLicense(made.license.id)
      fixture.clock.advance(seconds: 300)
      _ = try await fixture.admin.reinstateLicense(made.license.id)
      #expect(try await fixture.heartbeat(made.licenseKey, lease.leaseToken).status == 200)
    }
  }

  @Test("an activated device may hold a lease as well; each goes its own way")
  func seatAndLease() async throws {
    try await withLicenseServer { fixture in
      let made = try await fixture.makePool(of: 1, timeoutMinutes: 10).made
      let (key, id) = (made.licenseKey, made.license.id)
      let machine = #"{"fingerprint":"m1"}"#
      // A lease first, then a seat.
      let lease = try await fixture.checkout(key, "m1")
      #expect(try await fixture.runtime("activate", key: key, machine, idempotencyKey: "a").status == 200)
      #expect(try await fixture.admin.getLicense(id).activeDeviceCount == 1)
      #expect(try await fixture.admin.getLicense(id).timesActivated == 1)
      #expect(try await fixture.heartbeat(key, lease.leaseToken).status == 200)
      #expect(try await fixture.checkin(key, lease.leaseToken).status == 200)
      #expect(try await fixture.runtime("check", key: key, machine).status == 200, "the seat stays")
      // A seat first, then a lease that runs out.
      #expect(try await fixture.checkout(key, "m1").status == 200)
      fixture.clock.advance(seconds: 600)
      #expect(try await fixture.checkout(key, "m2").status == 200)
      #expect(try await fixture.runtime("check", key: key, machine).status == 200, "the seat stays")
      #expect(try await fixture.admin.getLicense(id).activeDeviceCount == 1)
      // Another floating device needs a seat to be activated, and none is free.
      let refused = try await fixture.runtime("activate", key: key, #"{"fingerprint":"m2"}"#, idempotencyKey: "b")
      #expect(refused.outcome == "403 ACTIVATION_LIMIT_EXCEEDED")
    }
  }

  @Test("without a pool there is no checkout; a smaller pool takes no place from anybody and gives none on")
  func poolSize() async throws {
    try await withLicenseServer { fixture in
      let none = try await fixture.admin.issue(fixture.admin.makeCatalog())
      #expect(try await fixture.checkout(none.licenseKey, "m1").outcome == "403 FLOATING_NOT_ALLOWED")
      let (catalog, made) = try await fixture.makePool(of: 3, timeoutMinutes: 10)
      let key = made.licenseKey
      var leases: [Reply] = []
      for number in 1...3 { leases.append(try await fixture.checkout(key, "m\(number)")) }
      _ = try await fixture.admin.updatePolicy(catalog.policy.id, PolicyUpdateRequest(maxFloatingUsers: 1))
      for lease in leases { #expect(try await fixture.heartbeat(key, lease.leaseToken).status == 200) }
      #expect(try await fixture.checkin(key, leases[0].leaseToken).status == 200)
      #expect(try await fixture.checkout(key, "m4").outcome == "403 FLOATING_LIMIT_EXCEEDED")
      fixture.clock.advance(seconds: 600)
      #expect(try await fixture.checkout(key, "m4").status == 200)
      _ = try await fixture.admin.updatePolicy(catalog.policy.id, PolicyUpdateRequest(maxFloatingUsers: 0))
      #expect(try await fixture.checkout(key, "m5").outcome == "403 FLOATING_NOT_ALLOWED")
    }
  }

  @Test("no lease outlives the license, and a renewal lets it go on")
  func licenseEnd() async throws {
    try await withLicenseServer { fixture in
      let end = fixture.clock.now + 300
      let made = try await fixture.makePool(of: 1, timeoutMinutes: 10, expiresAt: end).made
      let lease = try await fixture.checkout(made.licenseKey, "m1")
      #expect(lease.date("lease_expires_at") == end)
      _ = try await fixture.admin.renewLicense(
        made.license.id, LicenseRenewRequest(extendByDays: 1), idempotencyKey: "r")
      #expect(
        try await fixture.heartbeat(made.licenseKey, lease.leaseToken).date("lease_expires_at")
          == fixture.clock.now + 600)
    }
  }

  @Test("where heartbeats are required only they keep a lease; else a validation and a use do, too; a check never does")
  func signsOfLife() async throws {
    try await withLicenseServer { fixture in
      let machine = #"{"fingerprint":"m1"}"#
      let strict = try await fixture.makePool(of: 1, timeoutMinutes: 10).made
      let (catalog, easy) = try await fixture.makePool(of: 1, timeoutMinutes: 10, requireHeartbeat: false)
      _ = try await fixture.admin.assignLicenseFeature(
        easy.license.id, LicenseFeatureAssignRequest(featureID: catalog.feature.id))
      for key in [strict.licenseKey, easy.licenseKey] {
        let lease = try await fixture.checkout(key, "m1")
        #expect(lease.status == 200)
      }
      fixture.clock.advance(seconds: 400)
      for key in [strict.licenseKey, easy.licenseKey] {
        let reply = try await fixture.runtime("validate", key: key, machine)
        #expect(reply.status == 200)
        let left: TimeInterval = key == easy.licenseKey ? 600 : 200
        #expect(reply.date("next_check_at") == fixture.clock.now + left / 2, "in time to keep the lease")
      }
      fixture.clock.advance(seconds: 400)
      #expect(try await fixture.runtime("validate", key: strict.licenseKey, machine).status == 404)
      #expect(try await fixture.runtime("check", key: easy.licenseKey, machine).status == 200)
      let use = try await fixture.runtime(
        "consume", key: easy.licenseKey, #"{"fingerprint":"m1","feature_code":"api_calls","event_id":"e"}"#,
        idempotencyKey: "c")
      #expect(use.status == 200)
      fixture.clock.advance(seconds: 599)
      #expect(try await fixture.runtime("check", key: easy.licenseKey, machine).status == 200)
      fixture.clock.advance(seconds: 1)
      #expect(try await fixture.runtime("check", key: easy.licenseKey, machine).status == 404)
    }
  }

  @Test("a token works for its own license only, within a tenant and across tenants")
  func foreignTokens() async throws {
    try await withLicenseServer { fixture in
      let first = try await fixture.makePool(of: 1).made
      let second = try await fixture.makePool(of: 1).made
      let lease = try await fixture.checkout(first.licenseKey, "m1")
      #expect(try await fixture.heartbeat(second.licenseKey, lease.leaseToken).outcome == "404 LEASE_NOT_FOUND")
      #expect(try await fixture.checkin(second.licenseKey, lease.leaseToken).outcome == "404 LEASE_NOT_FOUND")
      try await fixture.server.administration.createTenant("acme", name: "Acme")
      let acme = fixture.server.inProcessClient(tenant: "acme")
      let foreign = try await acme.issue(acme.makeCatalog())
      #expect(try await fixture.heartbeat(foreign.licenseKey, lease.leaseToken).outcome == "404 LEASE_NOT_FOUND")
      #expect(try await fixture.heartbeat(first.licenseKey, lease.leaseToken).status == 200)
    }
  }

  @Test("a heartbeat and a checkout that race for the last place at the end of a lease never both win")
  func race() async throws {
    try await withLicenseServer { fixture in
      let made = try await fixture.makePool(of: 1, timeoutMinutes: 1).made
      let license = made.license.id
      for round in 0..<20 {
        let lease = try await fixture.checkout(made.licenseKey, "m\(round)")
        let token = try #require(lease.leaseToken)
        // Two replicas whose clocks differ by two seconds around the end of the lease.
        let end = try #require(lease.date("lease_expires_at"))
        func floating(_ time: Date) throws -> Floating {
          let ring = try KeyRingText.ring(KeyRingText.new("r"))
          let services = fixture.server.services
          return Floating(
            runtime: Runtime(
              store: services.store, clock: ServerClock(read: { time }), signingKeys: services.signingKeys,
              validations: services.runtime.validations),
            keyRing: ring)
        }
        let (slow, fast) = (try floating(end - 1), try floating(end + 1))
        let caller = Caller(tenant: .defaultTenant, actor: .license(license), scopes: [], address: nil)
        async let kept = try? slow.heartbeat(license, FloatingLeaseRequest(leaseToken: token), for: caller)
        async let taken = try? fast.checkout(
          license, RuntimeBindingRequest(fingerprint: "r\(round)"), idempotencyKey: "r\(round)", for: caller)
        let (isKept, isTaken) = (await kept != nil, await taken != nil)
        #expect(isKept != isTaken, "round \(round): kept \(isKept), taken \(isTaken)")
        fixture.clock.advance(seconds: 300)
      }
    }
  }

  @Test(
    "the expiry writes down each lease that ran out once, tenant by tenant and in batches, also when replicas do it at once"
  )
  func expire() async throws {
    try await withLicenseServer { fixture in
      let (_, made) = try await fixture.makePool(of: 100, timeoutMinutes: 1)
      for number in 0..<7 { _ = try await fixture.checkout(made.licenseKey, "m\(number)") }
      try await fixture.server.administration.createTenant("acme", name: "Acme")
      let acme = fixture.server.inProcessClient(tenant: "acme")
      let catalog = try await acme.makeCatalog()
      _ = try await acme.updatePolicy(
        catalog.policy.id, PolicyUpdateRequest(maxFloatingUsers: 5, floatingTimeoutMinutes: 1))
      let foreign = try await acme.issue(catalog)
      for number in 0..<3 { _ = try await fixture.checkout(foreign.licenseKey, "m\(number)") }

      let services = fixture.server.services
      @Sendable func expire() async throws -> Int {
        try await LeaseExpiry(
          client: fixture.database.client, store: services.store, clock: services.clock, logger: Fixture.logger,
          batch: 3, batches: 10
        ).expire()
      }
      #expect(try await expire() == 0)
      fixture.clock.advance(seconds: 60)
      let ended = try await concurrently(0..<4) { _ in try await expire() }
      #expect(ended.reduce(0, +) == 10)
      #expect(try await expire() == 0)
      #expect(try await fixture.eventTypes(of: made.license.id).count { $0 == "floating.expired" } == 7)
      let events = try await acme.listEvents(EventFilter(eventType: "floating.expired")).events
      #expect(events.count == 3)
      #expect(events.allSatisfy { $0.actorType == .system && $0.resourceID == foreign.license.id.rawValue })
      #expect(
        try await fixture.admin.listLicenseDevices(made.license.id, limit: nil).allSatisfy { $0.status == .expired })
    }
  }
}
