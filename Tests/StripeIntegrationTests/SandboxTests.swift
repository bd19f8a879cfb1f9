import Foundation
import Identity
import JSON
import Logging
import Postgres
import ServerKit
import Storage
import StripeAPI
import StripeHTTP
import Tenancy
import TestSupport
import Testing

@testable import StripeIntegration

/// Test mode and sandboxes both say `livemode: false`. Nothing of the one may ever count in the other.
@Suite("A sandbox beside test mode")
struct SandboxTests {
  // MARK: What signatures vouch for

  @Test(
    "live mode's secret vouches for every environment, that of another for that one alone",
    arguments: [
      ("whsec_live", true, true, nil), ("whsec_live", false, true, nil), ("whsec_test", true, false, nil),
      ("whsec_test", false, true, .test), ("whsec_sandbox", true, false, nil), ("whsec_sandbox", false, true, .sandbox),
    ] as [(String, Bool, Bool, StripeEnvironment?)])
  func vouching(secret: String, livemode: Bool, isTaken: Bool, only: StripeEnvironment?) throws {
    let secrets: ModeSecrets<WebhookPurpose> = IntegrationConfiguration.SigningSecrets(
      live: ["whsec_live"], test: ["whsec_test"], sandbox: ["whsec_sandbox"]
    ).checking()
    let now = Date(timeIntervalSince1970: 1_800_000_000)
    let header = WebhookSignature.sign(payload: [1], secrets: [try WebhookSecret(secret)], at: now)
    let vouched = try WebhookSignature.verify(header: header, payload: [1], secrets: secrets, now: now)
    guard isTaken else {
      #expect(throws: SignatureError.mismatch) { try vouched.only(livemode: livemode) }
      return
    }
    #expect(try vouched.only(livemode: livemode) == only)
  }

  @Test("a secret of no environment vouches for nothing, and a secret that stands in live mode's too is of live mode")
  func foreignSecrets() throws {
    let secrets: ModeSecrets<WebhookPurpose> = IntegrationConfiguration.SigningSecrets(
      live: ["whsec_a"], test: ["whsec_b", "whsec_a"], sandbox: ["whsec_a"]
    ).checking()
    let now = Date(timeIntervalSince1970: 1_800_000_000)
    func verify(_ secret: String, after seconds: TimeInterval = 0) throws -> Vouched<Date> {
      let header = WebhookSignature.sign(payload: [1], secrets: [try WebhookSecret(secret)], at: now)
      return try WebhookSignature.verify(
        header: header, payload: [1], secrets: secrets, now: now.addingTimeInterval(seconds))
    }
    #expect(throws: SignatureError.mismatch) { try verify("whsec_c") }
    #expect(throws: SignatureError.self) { try verify("whsec_b", after: 3_600) }
    #expect(try verify("whsec_a").environments == Set(StripeEnvironment.allCases))
    #expect(try verify("whsec_b").environments == [.test])
  }

  @Test("an account that is not connected yet waits for its judgement, and only what would undo something is refused")
  func judgement() {
    let connected = ConnectionState(status: .connected, environment: .test)
    #expect(connected.refusal(of: .sandbox)?.contains("the sandbox alone") == true)
    #expect(connected.refusal(of: .test) == nil && connected.refusal(of: nil) == nil)
    for status in [ConnectionStatus.pending, .disconnected] {
      let former = ConnectionState(status: status, environment: .sandbox)
      #expect(former.refusal(of: .test) == nil)
      #expect(former.refusal(of: .test, undoing: true) != nil)
      #expect(former.refusal(of: .sandbox, undoing: true) == nil)
    }
    let unknown = ConnectionState(status: nil, environment: .test)
    #expect(unknown.refusal(of: .sandbox, undoing: true) == nil)
  }

  @Test("an announced installation is where its signature says, else in the only environment that is configured")
  func announced() {
    let all = StripeEnvironment.allCases
    for (livemode, signedFor, configured, expected) in [
      (false, .sandbox, all, .sandbox), (false, .test, all, .test), (false, nil, all, .test),
      (false, nil, [.live, .sandbox], .sandbox), (false, nil, [.live], .test), (true, nil, all, .live),
    ] as [(Bool, StripeEnvironment?, [StripeEnvironment], StripeEnvironment)] {
      #expect(
        StripeEnvironment.announced(livemode: livemode, signedFor: signedFor, configured: configured) == expected)
    }
  }

  // MARK: Events

  private static let sale = StripeFixture.Event(
    "evt_1", "checkout.session.completed", at: 1_799_999_001, StripeFixture.session())

  /// Delivers to the inbox as the receiver does.
  private static func deliver(
    _ event: StripeFixture.Event, signedFor: StripeEnvironment?, to shop: Shop, account: String? = nil
  ) async throws {
    let account = account ?? shop.tenant.account.rawValue
    let body = event.json(account: account).encoded()
    try await shop.inbox.store(
      InboxItem(
        tenant: .test(account), envelope: try EventEnvelope(scanning: body), signedFor: signedFor,
        body: String(decoding: body, as: UTF8.self)))
  }

  private static func inbox(_ shop: Shop, of tenant: Tenant? = nil) async throws -> [String: String] {
    try await shop.database.transaction(for: tenant ?? shop.tenant) { transaction in
      let rows = try await transaction.query("SELECT event_id, state FROM stripe_integration.inbox")
      return Dictionary(
        uniqueKeysWithValues: try rows.map { (try $0.get("event_id"), try $0.get("state", as: String.self)) })
    }
  }

  @Test("what the sandbox's secret alone has signed sells nothing to an account of test mode")
  func foreignSale() async throws {
    try await Shop.open { shop in
      shop.stripe.setList("checkout/sessions/cs_test_1/line_items", [StripeFixture.lineItem(product: "prod_once")])
      try await Self.deliver(Self.sale, signedFor: .sandbox, to: shop)
      try await shop.settle()
      #expect(try await Self.inbox(shop) == ["evt_1.sandbox": "ignored"])
      #expect(try await shop.purchases().isEmpty)
      // The event itself comes through its own endpoint, and once more through that of live mode.
      for signedFor in [.test, nil, .sandbox, .sandbox] as [StripeEnvironment?] {
        try await Self.deliver(Self.sale, signedFor: signedFor, to: shop)
        try await shop.settle()
        #expect(try await Self.inbox(shop) == ["evt_1.sandbox": "ignored", "evt_1": "done"])
        #expect(try await shop.licenses().count == 1)
      }
    }
  }

  @Test("an event that comes through test mode's endpoint and live mode's is one")
  func twice() async throws {
    try await Shop.open { shop in
      for secrets in [[.test, nil], [nil, .test]] as [[StripeEnvironment?]] {
        for signedFor in secrets { try await Self.deliver(Self.sale, signedFor: signedFor, to: shop) }
      }
      #expect(try await Self.inbox(shop) == ["evt_1": "new"])
    }
  }

  @Test("deliveries of one id under every secret at once are all kept, each to be judged by itself")
  func atOnce() async throws {
    try await Shop.open { shop in
      shop.stripe.setList("checkout/sessions/cs_test_1/line_items", [StripeFixture.lineItem(product: "prod_once")])
      try await withThrowingTaskGroup(of: Void.self) { group in
        for signedFor in [.test, .sandbox, .test, .sandbox] as [StripeEnvironment] {
          group.addTask { try await Self.deliver(Self.sale, signedFor: signedFor, to: shop) }
        }
        try await group.waitForAll()
      }
      try await shop.settle()
      #expect(try await Self.inbox(shop).values.sorted() == ["done", "ignored"])
      #expect(try await shop.purchases().count == 1)
    }
  }

  @Test("the removal of the app is believed in the account's own environment only")
  func foreignRemoval() async throws {
    try await Shop.open { shop in
      let store = ConnectionStore(database: shop.database, keyRing: shop.vault.keyRing)
      func removal(_ id: String) -> StripeFixture.Event {
        StripeFixture.Event(
          id, "account.application.deauthorized", at: 4_000_000_000, ["id": "ca_1", "object": "application"])
      }
      try await Self.deliver(removal("evt_1"), signedFor: .sandbox, to: shop)
      try await shop.route()
      #expect(try await store.connection(of: shop.tenant)?.status == .connected)
      try await Self.deliver(removal("evt_2"), signedFor: .test, to: shop)
      try await shop.route()
      #expect(try await store.connection(of: shop.tenant)?.status == .disconnected)
      #expect(try await Self.inbox(shop) == ["evt_1.sandbox": "ignored", "evt_2": "done"])
    }
  }

  @Test("what came before its account was connected is judged then")
  func beforehand() async throws {
    try await Shop.open { shop in
      let stranger = Tenant.test("acct_box")
      let store = ConnectionStore(database: shop.database, keyRing: shop.vault.keyRing)
      for (id, signedFor) in [("evt_t", .test), ("evt_s", .sandbox), ("evt_a", nil)] as [(String, StripeEnvironment?)] {
        let event = StripeFixture.Event(
          id, "customer.updated", at: 1_799_999_001, ["id": "cus_1", "object": "customer", "livemode": false])
        try await Self.deliver(event, signedFor: signedFor, to: shop, account: "acct_box")
      }
      while try await shop.router.routeBatch(of: stranger) > 0 {}
      #expect(Set(try await Self.inbox(shop, of: stranger).values) == ["waiting"])
      try await store.connect(
        TokenGrant(accessToken: "a", refreshToken: "r", livemode: false, account: stranger.account), in: .sandbox)
      while try await shop.router.routeBatch(of: stranger) > 0 {}
      #expect(try await Self.inbox(shop, of: stranger) == ["evt_t.test": "ignored", "evt_s": "done", "evt_a": "done"])
    }
  }

  @Test("what was refused is no copy of Stripe's: an event sync finds Stripe's own")
  func eventSync() async throws {
    try await OldShop.open { old in
      try await old.connected(daysAgo: 1)
      let event = old.account.event("evt_1", "checkout.session.completed", old.account.sell("1"))
      try await Self.deliver(event, signedFor: .sandbox, to: old.shop)
      try await old.settle()
      #expect(try await old.shop.licenses().isEmpty)
      #expect(try await old.syncEvents().progress["found"] == 1)
      try await old.settle()
      #expect(try await old.shop.licenses().count == 1)
    }
  }

  // MARK: Requests of the Dashboard app

  @Test(
    "the app's signing secret of an environment opens only what is connected in it",
    arguments: [(StripeEnvironment.test, StripeEnvironment.sandbox), (.sandbox, .test)])
  func gate(own: StripeEnvironment, other: StripeEnvironment) async throws {
    try await ConnectionWorld.run { world in
      let tenant = Tenant.test("acct_1")
      try await world.connect(tenant, in: own)
      let gate = AppGate(
        database: world.store.database, secrets: world.configuration.appSigningSecrets.checking(), rights: AppRights(),
        rateLimit: CallerLimit(RateLimit("app:", burst: 10, perSecond: 1), RateLimiter(nil)), clock: { Date() })
      for signedFor in [nil, own] { _ = try await gate.reading(tenant, signedFor: signedFor) { _ in true } }
      let refused = await #expect(throws: APIFailure.self) {
        try await gate.reading(tenant, signedFor: other) { _ in true }
      }
      #expect(refused?.code == "ACCOUNT_NOT_CONNECTED")
    }
  }

  // MARK: Connections

  @Test("an account that is connected in one environment is not taken into the other until it was uninstalled")
  func oneOfTheTwo() async throws {
    try await ConnectionWorld.run { world in
      let tenant = Tenant.test("acct_1")
      let grant = try await world.connect(tenant)
      let refusal = await #expect(throws: ConnectionStore.OtherEnvironment.self) {
        try await world.connect(tenant, in: .sandbox)
      }
      #expect(refusal?.connected == .test)
      #expect(try await world.store.tokens(of: tenant).access == grant.accessToken)
      try await world.connect(tenant, in: .test)
      try await world.store.disconnect(tenant)
      try await world.connect(tenant, in: .sandbox)
      #expect(try await world.store.connection(of: tenant)?.environment == .sandbox)
      await #expect(throws: ConnectionStore.OtherEnvironment.self) { try await world.connect(tenant, in: .test) }
    }
  }

  @Test("a row of before sandboxes were told apart is of the mode that it says, until a sandbox authorizes again")
  func formerRows() async throws {
    try await ConnectionWorld.run { world in
      for tenant in [Tenant.test("acct_1"), .live("acct_1")] {
        try await world.connect(tenant)
        try await world.inTransaction(of: tenant) { transaction in
          _ = try await transaction.query("UPDATE stripe_integration.connections SET environment = NULL")
        }
        let environment = StripeEnvironment(livemode: tenant.livemode)
        #expect(try await world.store.connection(of: tenant)?.environment == environment)
        #expect(try await world.store.list(.init(environment: environment)).items.map(\.tenant) == [tenant])
      }
      #expect(try await world.store.list(.init(environment: .sandbox)).items.isEmpty)
      try await world.connect(.test("acct_1"), in: .sandbox)
      #expect(try await world.store.connection(of: .test("acct_1"))?.environment == .sandbox)
      await #expect(throws: ConnectionStore.OtherEnvironment.self) { try await world.connect(.test("acct_1")) }
    }
  }

  @Test("the database holds no environment that contradicts the mode")
  func contradiction() async throws {
    try await ConnectionWorld.run { world in
      try await world.connect(.live("acct_1"))
      await #expect(throws: PostgresError.self) {
        try await world.inTransaction(of: .live("acct_1")) { transaction in
          _ = try await transaction.query("UPDATE stripe_integration.connections SET environment = 'sandbox'")
        }
      }
    }
  }

  @Test("tokens are rolled with the key of their own environment")
  func refresh() async throws {
    try await ConnectionWorld.run { world in
      let tenant = Tenant.test("acct_box")
      try await world.connect(tenant, in: .sandbox)
      try await world.letTokenExpire(of: tenant)
      _ = try await world.vault().session(for: tenant, replacing: nil)
      #expect(world.stripe.refreshes == 1)
      #expect(try await world.store.tokens(of: tenant).environment == .sandbox)
    }
  }

  @Test("an app that calls with the developer's key calls a sandbox with the sandbox's")
  func platform() async throws {
    try await ConnectionWorld.run(apiAccess: .platform) { world in
      let events = ApplicationEvents(
        apiAccess: .platform, environments: world.configuration.environments, logger: ConnectionWorld.logger)
      let (box, test) = (Tenant.test("acct_box"), Tenant.test("acct_test"))
      for (tenant, signedFor) in [(box, .sandbox), (test, .test)] as [(Tenant, StripeEnvironment?)] {
        try await world.inTransaction(of: tenant) {
          try await events.authorized(tenant, created: .now, signedFor: signedFor, in: $0)
        }
      }
      let vault = world.vault()
      let (first, second) = (
        try await vault.session(for: box, replacing: nil), try await vault.session(for: test, replacing: nil)
      )
      #expect(first.credential == .platform(key: FakeTokenEndpoint.sandboxKey, account: box.account))
      #expect(second.credential == .platform(key: FakeTokenEndpoint.testKey, account: test.account))
    }
  }

  @Test("a removal that was signed for one environment does not keep the account out of the other")
  func removedElsewhere() async throws {
    try await ConnectionWorld.run(apiAccess: .platform) { world in
      let events = ApplicationEvents(
        apiAccess: .platform, environments: world.configuration.environments, logger: ConnectionWorld.logger)
      let tenant = Tenant.test("acct_1")
      try await world.inTransaction(of: tenant) {
        try await events.deauthorized(tenant, created: .now.addingTimeInterval(86_400), signedFor: .sandbox, in: $0)
      }
      try await world.inTransaction(of: tenant) {
        try await events.authorized(tenant, created: .now, signedFor: .test, in: $0)
      }
      let connection = try #require(try await world.store.connection(of: tenant))
      #expect(connection.status == .connected && connection.environment == .test)
    }
  }
}
