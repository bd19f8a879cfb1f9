import Cryptography
import Foundation
import HTTPTransport
import Identity
import LicenseKitAPI
import LicenseKitHTTP
import Logging
import Postgres
import StripeAPI
import StripeHTTP
import TestSupport
import Testing

@testable import Purchases
@testable import StripeIntegration
@testable import Tenancy

@Suite("Stored connections")
struct ConnectionsStoreTests {
  let tenant = Tenant.test("acct_1")
  let events = ApplicationEvents(logger: ConnectionWorld.logger)

  @Test("an installation takes up the events that waited for it")
  func waitingEvents() async throws {
    try await ConnectionWorld.run { world in
      try await world.addEvent("evt_1", state: "waiting", of: tenant)
      try await world.addEvent("evt_2", state: "done", of: tenant)
      try await world.addEvent("evt_3", state: "waiting", of: .live("acct_1"))
      try await world.connect(tenant)
      #expect(try await world.states(of: tenant) == ["new", "done"])
      #expect(try await world.states(of: .live("acct_1")) == ["waiting"])
      #expect(try await world.isDue(tenant))
      let connection = try #require(try await world.store.connection(of: tenant))
      #expect(connection.status == .connected)
      #expect(connection.installedAt != nil)
      #expect(try await world.store.connection(of: .live("acct_1")) == nil)
    }
  }

  @Test("nothing secret can be read in any column")
  func encrypted() async throws {
    try await ConnectionWorld.run { world in
      let grant = try await world.connect(tenant, licenseKit: .init(baseURL: nil, token: "lkm_secret"))
      let row: String = try #require(
        try await world.database.client.query(
          "SELECT row_to_json(c)::text || encode(c.access_token, 'escape') || encode(c.refresh_token, 'escape') || encode(c.licensekit_token, 'escape') AS text FROM stripe_integration.connections c"
        ).first?.get("text"))
      for secret in [grant.accessToken, grant.refreshToken, "lkm_secret"] {
        #expect(!row.contains(secret))
        #expect(!row.contains(Hex.encode(Array(secret.utf8))))
        #expect(!row.contains(Base64.encode(Array(secret.utf8))))
      }
    }
  }

  @Test("an encrypted token does not open in another tenant's row")
  func boundToTenant() async throws {
    try await ConnectionWorld.run { world in
      try await world.connect(tenant)
      try await world.connect(.live("acct_1"))
      try await world.database.client.query(
        """
        UPDATE stripe_integration.connections
           SET access_token = (SELECT access_token FROM stripe_integration.connections WHERE NOT livemode)
         WHERE livemode
        """)
      await #expect(throws: EncryptionError.notAuthentic) { try await world.store.tokens(of: .live("acct_1")) }
    }
  }

  @Test("secrets are re-encrypted under the first key, once")
  func reencrypt() async throws {
    try await ConnectionWorld.run { world in
      let entries = [try KeyRing.newEntry(id: "a"), try KeyRing.newEntry(id: "b")]
      let database = TenantDatabase(world.database.client)
      let old = ConnectionStore(database: database, keyRing: try KeyRing(parsing: entries[0]))
      let both = ConnectionStore(database: database, keyRing: try KeyRing(parsing: "\(entries[1]),\(entries[0])"))
      let new = ConnectionStore(database: database, keyRing: try KeyRing(parsing: entries[1]))
      let grant = world.stripe.grant(for: tenant)
      try await old.connect(grant)
      #expect(try await both.reencrypt(tenant))
      #expect(try await !both.reencrypt(tenant))
      #expect(try await new.tokens(of: tenant).refresh == grant.refreshToken)
    }
  }

  @Test("a blocked tenant shows why; unparked, what waited is taken up at once")
  func blocking() async throws {
    try await ConnectionWorld.run { world in
      try await world.connect(tenant)
      try await world.store.block(tenant, .licensekitCredential, detail: "LicenseKit: 401")
      var connection = try #require(try await world.store.connection(of: tenant))
      #expect(connection.blockedReason == "licensekit_credential")
      #expect(connection.blockedDetail == "LicenseKit: 401")
      try await world.addEvent("evt_1", state: "waiting", of: tenant)
      #expect(try await world.store.unblock(tenant))
      #expect(try await !world.store.unblock(tenant))
      connection = try #require(try await world.store.connection(of: tenant))
      #expect(connection.blockedReason == nil && connection.blockedAt == nil)
      #expect(try await world.states(of: tenant) == ["new"])
      #expect(try await world.isDue(tenant))
    }
  }

  @Test("a late \"not connected\" does not block an account that is connected by now")
  func lateNotConnected() async throws {
    try await ConnectionWorld.run { world in
      try await world.connect(tenant)
      #expect(try await !world.store.block(tenant, .notConnected, detail: ""))
    }
  }

  @Test("a list of all tenants comes page by page and can be narrowed")
  func list() async throws {
    try await ConnectionWorld.run { world in
      for number in 1...5 { try await world.connect(.test("acct_\(number)")) }
      try await world.connect(.live("acct_3"))
      try await world.store.block(.test("acct_2"), .stripePermission, detail: "")
      var seen: [String] = []
      var cursor: String?
      repeat {
        let page = try await world.store.list(after: cursor, limit: 2)
        seen += page.items.map(\.tenant.description)
        cursor = page.next
      } while cursor != nil
      #expect(
        seen == ["acct_1/test", "acct_2/test", "acct_3/test", "acct_3/live", "acct_4/test", "acct_5/test"])
      #expect(try await world.store.list(.init(livemode: true)).items.count == 1)
      #expect(try await world.store.list(.init(isBlocked: true)).items.map(\.accountID) == ["acct_2"])
      #expect(try await world.store.list(.init(status: .disconnected)).items.isEmpty)
    }
  }

  // MARK: What Stripe announces

  @Test("an announced installation makes a pending row once, and never takes a connection back")
  func authorized() async throws {
    try await ConnectionWorld.run { world in
      for _ in 0..<2 {
        try await world.inTransaction(of: tenant) { try await events.authorized(tenant, created: .now, in: $0) }
      }
      #expect(try await world.store.connection(of: tenant)?.status == .pending)
      try await world.connect(tenant)
      try await world.inTransaction(of: tenant) { try await events.authorized(tenant, created: .now, in: $0) }
      #expect(try await world.store.connection(of: tenant)?.status == .connected)
    }
  }

  @Test("an uninstalled app loses its tokens and keeps the vendor's LicenseKit")
  func deauthorized() async throws {
    try await ConnectionWorld.run { world in
      try await world.connect(tenant, licenseKit: .init(baseURL: "https://lk.example.com", token: "lkm_1"))
      try await world.inTransaction(of: tenant) {
        try await events.deauthorized(tenant, created: .now.addingTimeInterval(1), in: $0)
      }
      #expect(try await world.store.connection(of: tenant)?.status == .disconnected)
      let tokens = try await world.store.tokens(of: tenant)
      #expect(tokens.access == nil && tokens.refresh == nil)
      #expect(try await world.store.licenseKit(of: tenant).token == "lkm_1")
    }
  }

  @Test("a late uninstall of an earlier installation leaves the new one alone")
  func staleDeauthorized() async throws {
    try await ConnectionWorld.run { world in
      let grant = try await world.connect(tenant)
      try await world.inTransaction(of: tenant) {
        try await events.deauthorized(tenant, created: .now.addingTimeInterval(-60), in: $0)
      }
      #expect(try await world.store.connection(of: tenant)?.status == .connected)
      #expect(try await world.store.tokens(of: tenant).access == grant.accessToken)
    }
  }

  @Test("the announcement of an installation that comes after that of its end does not bring it back")
  func outOfOrder() async throws {
    try await ConnectionWorld.run { world in
      let now = Date()
      try await world.inTransaction(of: tenant) { try await events.deauthorized(tenant, created: now, in: $0) }
      try await world.inTransaction(of: tenant) {
        try await events.authorized(tenant, created: now.addingTimeInterval(-5), in: $0)
      }
      #expect(try await world.store.connection(of: tenant)?.status == .disconnected)
      try await world.inTransaction(of: tenant) {
        try await events.authorized(tenant, created: now.addingTimeInterval(5), in: $0)
      }
      #expect(try await world.store.connection(of: tenant)?.status == .pending)
    }
  }

  // MARK: Whose LicenseKit

  private func directory(_ world: ConnectionWorld) -> LicenseKitDirectory {
    LicenseKitDirectory(
      store: world.store, baseURL: "https://service.example.com", token: "lkm_service", transport: world.transport)
  }

  @Test("a connection's own LicenseKit is used, else the service's")
  func licenseKits() async throws {
    try await ConnectionWorld.run { world in
      let own = Tenant.test("acct_own")
      try await world.connect(tenant)
      try await world.connect(own, licenseKit: .init(baseURL: "https://own.example.com", token: "lkm_own"))
      let directory = directory(world)
      let service = try await directory.client(for: tenant) as? LicenseKitHTTPClient
      #expect(service?.baseURL == "https://service.example.com")
      #expect((try await directory.client(for: own) as? LicenseKitHTTPClient)?.baseURL == "https://own.example.com")
    }
  }

  @Test("an address without a token, or one that is not https, is never called", arguments: ["missing", "plain"])
  func unusableLicenseKit(fault: String) async throws {
    try await ConnectionWorld.run { world in
      try await world.connect(tenant, licenseKit: .init(baseURL: "http://own.example.com", token: "lkm_own"))
      if fault == "missing" {
        try await world.inTransaction(of: tenant) { transaction in
          _ = try await transaction.query("UPDATE stripe_integration.connections SET licensekit_token = NULL")
        }
      }
      let error = await #expect(throws: TenantUnavailable.self) { try await directory(world).client(for: tenant) }
      #expect(error?.reason == .licensekitMissing)
    }
  }

  @Test("an account without a connection has no LicenseKit")
  func unknownAccount() async throws {
    try await ConnectionWorld.run { world in
      await #expect(throws: TenantUnavailable.self) { try await directory(world).client(for: tenant) }
    }
  }
}
