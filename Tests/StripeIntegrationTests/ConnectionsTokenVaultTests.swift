import Foundation
import Identity
import LicenseKitAPI
import Logging
import Postgres
import Redis
import ServerKit
import StripeAPI
import StripeHTTP
import Tenancy
import Testing

@testable import Purchases
@testable import StripeIntegration

@Suite("The token vault")
struct ConnectionsTokenVaultTests {
  let tenant = Tenant.test("acct_1")

  @Test("a fresh access token is handed out without a refresh")
  func fresh() async throws {
    try await ConnectionWorld.run { world in
      let grant = try await world.connect(tenant)
      #expect(try await world.vault().session(for: tenant, replacing: nil).token == grant.accessToken)
      #expect(world.stripe.refreshes == 0)
    }
  }

  @Test("fifty tasks on two replicas refresh an expired token exactly once")
  func race() async throws {
    try await ConnectionWorld.run { world in
      try await world.connect(tenant)
      try await world.letTokenExpire(of: tenant)
      let vaults = [world.vault(), world.vault()]
      let tokens = try await withThrowingTaskGroup(of: String?.self) { group in
        for number in 0..<50 {
          group.addTask { try await vaults[number % 2].session(for: tenant, replacing: nil).token }
        }
        return try await group.reduce(into: Set<String?>()) { $0.insert($1) }
      }
      #expect(tokens.count == 1)
      #expect(world.stripe.refreshes == 1)
      #expect(world.stripe.refusals == 0)
    }
  }

  @Test("a token is refreshed five minutes before its end, and not earlier", arguments: [(290, 1), (330, 0)])
  func margin(seconds: Int, refreshes: Int) async throws {
    try await ConnectionWorld.run { world in
      try await world.connect(tenant)
      try await world.letTokenExpire(of: tenant, in: seconds)
      _ = try await world.vault().session(for: tenant, replacing: nil)
      #expect(world.stripe.refreshes == refreshes)
    }
  }

  @Test("a token that Stripe rejects is refreshed once, whoever else was rejected with it")
  func rejected() async throws {
    try await ConnectionWorld.run { world in
      try await world.connect(tenant)
      let (one, two) = (world.vault(), world.vault())
      let before = try await one.session(for: tenant, replacing: nil)
      let after = try await one.session(for: tenant, replacing: before)
      let other = try await two.session(for: tenant, replacing: before)
      #expect(after.token != before.token)
      #expect(other.token == after.token)
      #expect(world.stripe.refreshes == 1)
    }
  }

  @Test("a chain whose answer was lost blocks the tenant and says what to do; a new installation mends it")
  func lostAnswer() async throws {
    try await ConnectionWorld.run { world in
      try await world.connect(tenant)
      try await world.letTokenExpire(of: tenant)
      let vault = world.vault()
      world.stripe.behave(.losesAnswers)
      let error = await #expect(throws: StripeError.self) { try await vault.session(for: tenant, replacing: nil) }
      #expect(error?.retry.isTransient == true)
      #expect(try await world.store.connection(of: tenant)?.blockedReason == nil)

      world.stripe.behave(.answers)
      let lost = await #expect(throws: TenantUnavailable.self) { try await vault.session(for: tenant, replacing: nil) }
      #expect(lost?.reason == .stripeCredential)
      let connection = try #require(try await world.store.connection(of: tenant))
      #expect(connection.blockedReason == "stripe_credential")
      #expect(connection.blockedDetail?.contains("Authorize the app again") == true)
      await #expect(throws: TenantUnavailable.self) { try await vault.session(for: tenant, replacing: nil) }
      #expect(world.stripe.refusals == 1, "a parked tenant asks Stripe nothing")

      let grant = try await world.connect(tenant)
      #expect(try await vault.session(for: tenant, replacing: nil).token == grant.accessToken)
    }
  }

  @Test("a lease outlasts the attempts with every configured key", arguments: [1, 2, 5, 40])
  func leaseLasts(keys: Int) async throws {
    try await ConnectionWorld.run { world in
      try await world.connect(tenant)
      let oauth = StripeOAuth(apiBaseURL: "http://127.0.0.1:1", transport: world.transport, deadline: .seconds(10))
      let endpoint = TokenEndpoint(
        oauth: oauth, secretKeys: [.test: ["sk_test_x"], .sandbox: (0..<keys).map { "sk_test_\($0)" }])
      let longest = endpoint.longestTime(livemode: false)
      #expect(longest == .seconds(10 * keys))
      guard
        case .begin = try await world.store.beginRefresh(of: tenant, taking: longest, ifNeeded: { _ in true })
      else {
        Issue.record("no lease")
        return
      }
      let seconds: Double? = try await world.store.database.transaction(for: tenant) { transaction in
        try await transaction.query(
          """
          SELECT extract(epoch FROM refresh_lease_until - now())::double precision AS seconds
            FROM stripe_integration.connections
          """
        ).first?.get("seconds")
      }
      #expect((seconds ?? 0) > Double(10 * keys) + 5)
    }
  }

  @Test("new tokens are stored though the lease ended and another replica blocked the tenant meanwhile")
  func slowHolder() async throws {
    try await ConnectionWorld.run { world in
      try await world.connect(tenant)
      try await world.letTokenExpire(of: tenant)
      guard
        case .begin(let lease) = try await world.store.beginRefresh(
          of: tenant, taking: .seconds(20), ifNeeded: { _ in true })
      else {
        Issue.record("no lease")
        return
      }
      let endpoint = TokenEndpoint(
        oauth: StripeOAuth(apiBaseURL: world.configuration.stripeAPIBaseURL, transport: world.transport),
        configuration: world.configuration)
      let grant = try await endpoint.refresh(lease.refreshToken, in: lease.environment)
      try await world.inTransaction(of: tenant) { transaction in
        _ = try await transaction.query("UPDATE stripe_integration.connections SET refresh_lease_until = now()")
      }
      await #expect(throws: TenantUnavailable.self) { try await world.vault().session(for: tenant, replacing: nil) }

      _ = try await world.store.finishRefresh(lease, with: grant)
      #expect(try await world.store.connection(of: tenant)?.blockedReason == nil)
      #expect(try await world.isDue(tenant))
      #expect(try await world.vault().session(for: tenant, replacing: nil).token == grant.accessToken)
    }
  }

  @Test("a refusal counts only while the stored token is still the refused one")
  func compareBeforeGivingUp() async throws {
    try await ConnectionWorld.run { world in
      try await world.connect(tenant)
      guard
        case .begin(let lease) = try await world.store.beginRefresh(
          of: tenant, taking: .seconds(20), ifNeeded: { _ in true })
      else {
        Issue.record("no lease")
        return
      }
      let newer = try await world.connect(tenant)
      let stored = try await world.store.refreshWasRefused(lease, .authorizationLost("rolled"))
      #expect(stored?.access == newer.accessToken)
      #expect(try await world.store.connection(of: tenant)?.blockedReason == nil)
    }
  }

  @Test("tokens are stored even when nobody waits for them any more")
  func cancelledCaller() async throws {
    try await ConnectionWorld.run { world in
      try await world.connect(tenant)
      try await world.letTokenExpire(of: tenant)
      let gate = Gate()
      world.stripe.behave(.waits(gate))
      let vault = world.vault()
      let caller = Task { try await vault.session(for: tenant, replacing: nil) }
      await gate.arrived()
      caller.cancel()
      gate.open()
      _ = await caller.result
      #expect(try await world.store.tokens(of: tenant).generation == 2)
      #expect(try await world.store.tokens(of: tenant).remaining > .seconds(3_500))
    }
  }

  @Test("while Stripe cannot be reached, a token that still lives is used")
  func tokenEndpointDown() async throws {
    try await ConnectionWorld.run { world in
      let grant = try await world.connect(tenant)
      try await world.letTokenExpire(of: tenant, in: 120)
      world.stripe.behave(.isDown)
      #expect(try await world.vault().session(for: tenant, replacing: nil).token == grant.accessToken)

      try await world.letTokenExpire(of: tenant)
      let error = await #expect(throws: StripeError.self) {
        try await world.vault().session(for: tenant, replacing: nil)
      }
      #expect(error?.retry.isTransient == true)
    }
  }

  @Test("a refused developer's key is the operator's matter: no tenant is blocked, and the next key is tried")
  func developerKeys() async throws {
    try await ConnectionWorld.run(testKeys: ["sk_test_old"]) { world in
      try await world.connect(tenant)
      try await world.letTokenExpire(of: tenant)
      await #expect(throws: StripeError.self) { try await world.vault().session(for: tenant, replacing: nil) }
      #expect(try await world.store.connection(of: tenant)?.blockedReason == nil)
    }
    try await ConnectionWorld.run(testKeys: ["sk_test_old", FakeTokenEndpoint.testKey]) { world in
      try await world.connect(tenant)
      try await world.letTokenExpire(of: tenant)
      _ = try await world.vault().session(for: tenant, replacing: nil)
      #expect(world.stripe.refreshes == 1)
    }
  }

  @Test("an account without a connection, or with one that ended, is unavailable")
  func notConnected() async throws {
    try await ConnectionWorld.run { world in
      let vault = world.vault()
      var error = await #expect(throws: TenantUnavailable.self) { try await vault.session(for: tenant, replacing: nil) }
      #expect(error?.reason == .notConnected)
      try await world.connect(tenant)
      try await world.store.disconnect(tenant)
      error = await #expect(throws: TenantUnavailable.self) { try await vault.session(for: tenant, replacing: nil) }
      #expect(error?.reason == .notConnected)
    }
  }

  @Test("an app that calls with the developer's key needs no tokens, and tries its next key when one is rejected")
  func platform() async throws {
    try await ConnectionWorld.run(apiAccess: .platform, testKeys: ["sk_test_a", "sk_test_b"]) { world in
      let events = ApplicationEvents(apiAccess: .platform, logger: ConnectionWorld.logger)
      try await world.inTransaction(of: tenant) { try await events.authorized(tenant, created: .now, in: $0) }
      let vault = world.vault()
      let first = try await vault.session(for: tenant, replacing: nil)
      #expect(first.credential == .platform(key: "sk_test_a", account: tenant.account))
      let second = try await vault.session(for: tenant, replacing: first)
      #expect(second.credential == .platform(key: "sk_test_b", account: tenant.account))
      await #expect(throws: StripeError.self) { try await vault.session(for: tenant, replacing: second) }
      #expect(world.stripe.refreshes == 0)
    }
  }

  @Test("connections that nobody used for a month are refreshed, and no others")
  func keepAlive() async throws {
    try await ConnectionWorld.run { world in
      let (idle, busy, gone) = (Tenant.test("acct_idle"), Tenant.live("acct_busy"), Tenant.test("acct_gone"))
      for tenant in [idle, busy, gone] { try await world.connect(tenant) }
      for tenant in [idle, gone] {
        try await world.inTransaction(of: tenant) { transaction in
          _ = try await transaction.query(
            "UPDATE stripe_integration.connections SET refresh_token_issued_at = now() - interval '31 days'")
        }
      }
      try await world.store.disconnect(gone)
      #expect(try await world.vault().refreshIdleConnections() == 1)
      #expect(try await world.vault().refreshIdleConnections() == 0)
      #expect(world.stripe.refreshes == 1)
    }
  }

  @Test("Redis away: tokens are refreshed all the same, and each replica keeps the budget by itself")
  func redisAway() async throws {
    try await ConnectionWorld.run(redisURL: "redis://127.0.0.1:1") { world in
      try await world.connect(tenant)
      try await world.letTokenExpire(of: tenant)
      _ = try await world.vault().session(for: tenant, replacing: nil)
      #expect(world.stripe.refreshes == 1)
      try await CallBudget(redis: world.redis).take(for: tenant)
    }
  }

  @Test("a tenant's calls are held to its rate over all replicas; one that would wait too long is told so")
  func budget() async throws {
    try await ConnectionWorld.run { world in
      var budgets = [0, 1].map { _ in CallBudget(redis: world.redis, keyPrefix: world.keyPrefix) }
      for index in budgets.indices { budgets[index].longestWait = .milliseconds(1) }
      for number in 0..<CallBudget.callsPerSecond(livemode: false) { try await budgets[number % 2].take(for: tenant) }
      // On a slow machine the bucket gains a call or two meanwhile.
      let error = await #expect(throws: StripeError.self) {
        for _ in 0..<100 { try await budgets[0].take(for: tenant) }
      }
      #expect(error?.retry.isTransient == true)
      try await budgets[0].take(for: .test("acct_other"))
    }
  }

  @Test("the local bucket holds one second's calls and fills evenly")
  func localBucket() {
    let buckets = LocalBuckets()
    let start = ContinuousClock.now
    for _ in 0..<5 { #expect(buckets.pause(for: tenant, perSecond: 5, now: start) == nil) }
    #expect(buckets.pause(for: tenant, perSecond: 5, now: start) == .milliseconds(200))
    #expect(buckets.pause(for: .test("acct_2"), perSecond: 5, now: start) == nil)
    #expect(buckets.pause(for: tenant, perSecond: 5, now: start + .milliseconds(200)) == nil)
    #expect(buckets.pause(for: tenant, perSecond: 5, now: start + .milliseconds(300)) == .milliseconds(100))
  }
}
