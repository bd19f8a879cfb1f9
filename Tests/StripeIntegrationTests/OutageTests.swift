import Foundation
import HTTPTransport
import Identity
import JSON
import LicenseKitAPI
import Logging
import Postgres
import ServerKit
import StripeAPI
import StripeHTTP
import Tenancy
import Testing

@testable import Purchases
@testable import Queue
@testable import StripeIntegration

private typealias Event = StripeFixture.Event

@Suite("An outage of the other side")
struct OutageTests {
  private func workers(_ shop: Shop) -> Workers {
    let logger = Logger(label: "outage", factory: { _ in SwiftLogNoOpLogHandler() })
    return Workers(
      router: shop.router, queue: PurchaseQueue(database: shop.database),
      breaker: CircuitBreaker(database: shop.database), thinEvents: shop.thinEvents,
      reconciler: Reconciler(
        database: shop.database, stripe: FixedStripe(objects: shop.stripe),
        licenseKit: FixedLicenseKit(client: shop.licenseKit),
        vault: shop.vault, redis: nil, recent: RecentEvents(redis: nil), listeners: IntegrationServer.stepListeners,
        clock: { Date() }, logger: logger),
      blocking: shop.connections, wakeUp: WakeUp(), concurrencyPerTenant: 4, concurrency: 1,
      pollInterval: .milliseconds(10), logger: logger)
  }

  private func sell(_ shop: Shop, _ count: Int) async throws {
    for number in 1...count {
      shop.stripe.setList("checkout/sessions/cs_test_\(number)/line_items", [StripeFixture.lineItem(number)])
      try await shop.deliver([
        Event(
          "evt_\(number)", "checkout.session.completed", at: 1_700_000_000,
          StripeFixture.session(number, at: 1_700_000_000))
      ])
    }
    try await shop.route()
  }

  /// Lets time pass: all that is planned comes nearer by this much.
  private func pass(_ seconds: Double, _ shop: Shop) async throws {
    try await shop.database.transaction(for: shop.tenant) { transaction in
      try await transaction.query(
        """
        UPDATE stripe_integration.turns
           SET due_at       = due_at       - make_interval(secs => \(seconds)::double precision),
               paused_until = paused_until - make_interval(secs => \(seconds)::double precision),
               paused_at    = paused_at    - make_interval(secs => \(seconds)::double precision)
        """)
      try await transaction.query(
        """
        UPDATE stripe_integration.purchases
           SET attention_at = attention_at - make_interval(secs => \(seconds)::double precision)
        """)
    }
  }

  private func secondsToNextClaim(_ shop: Shop) async throws -> Double {
    try await shop.database.transaction(for: shop.tenant) { transaction in
      try await transaction.query(
        """
        SELECT CASE WHEN isfinite(due_at) THEN GREATEST(0, extract(epoch FROM due_at - now())) ELSE 60 END
                 ::double precision AS seconds
          FROM stripe_integration.turns
        """
      ).first?.get("seconds") ?? 0
    }
  }

  @Test(
    "LicenseKit away for a day: a few hundred calls for all purchases together, none fails, and all heal by themselves")
  func day() async throws {
    try await Shop.open { shop in
      try await sell(shop, 8)
      shop.line.cut()
      let workers = workers(shop)
      var passed = 0.0
      while passed < 86_400 {
        _ = try await workers.serveNextTenant()
        let pause = try await secondsToNextClaim(shop) + 0.1
        try await pass(pause, shop)
        passed += pause
      }
      let calls = shop.line.restore()
      #expect((200...500).contains(calls), "\(calls) calls")
      let waiting = try await shop.purchases()
      #expect(Set(waiting.map(\.status)) == ["pending"])

      passed = 0
      while try await shop.purchases().contains(where: { $0.status != "fulfilled" }), passed < 3_600 {
        _ = try await workers.serveNextTenant()
        let pause = try await secondsToNextClaim(shop) + 0.1
        try await pass(pause, shop)
        passed += pause
      }
      #expect(try await shop.purchases().map(\.status) == [String](repeating: "fulfilled", count: 8))
      #expect(passed < 900, "healed within minutes: \(passed) s")
      #expect(try await shop.licenses().count == 8)
    }
  }

  @Test("is told at each purchase that waits, and over when a person says so")
  func told() async throws {
    try await Shop.open { shop in
      try await sell(shop, 3)
      shop.line.cut()
      let workers = workers(shop)
      _ = try await workers.serveNextTenant()
      // Longer than a busy machine takes for what follows.
      try await CircuitBreaker(database: shop.database)
        .open(shop.tenant, for: Outage(side: .licenseKit, detail: "away", atLeast: 600))
      try await PurchaseQueue(database: shop.database).release(shop.tenant)
      let rows = try await shop.database.transaction(for: shop.tenant) { transaction in
        try await FulfillmentReader(tenant: shop.tenant, transaction: transaction).page(.init(), after: nil, limit: 10)
      }
      #expect(rows.allSatisfy { $0.reason?.contains("LicenseKit does not answer") == true }, "\(rows.map(\.reason))")
      let blockage = try await shop.database.transaction(for: shop.tenant) { transaction in
        try await Blockage.of(shop.tenant, in: transaction)
      }
      #expect(blockage?.code == "outage")
      #expect(try await secondsToNextClaim(shop) > 0)

      shop.line.restore()
      try await shop.connections.unblock(shop.tenant)
      #expect(try await secondsToNextClaim(shop) == 0)
      #expect(
        try await shop.database.transaction(for: shop.tenant) { try await Blockage.of(shop.tenant, in: $0) } == nil)
    }
  }

  @Test("ends with one purchase that goes through; the next outage soon after begins with a longer pause")
  func probes() async throws {
    try await Shop.open { shop in
      try await sell(shop, 3)
      let queue = PurchaseQueue(database: shop.database)
      let breaker = CircuitBreaker(database: shop.database)
      let outage = Outage(side: .licenseKit, detail: "away")
      for expected in [1.0, 2, 4, 8] {
        try await breaker.open(shop.tenant, for: outage, jitter: 0.5)
        #expect(try await pauseLength(shop) == expected)
        #expect(try await queue.work(of: shop.tenant).purchases.count == 1)
      }
      try await breaker.close(shop.tenant)
      try await queue.release(shop.tenant)
      #expect(try await secondsToNextClaim(shop) == 0)
      let work = try await queue.work(of: shop.tenant)
      #expect(work.purchases.count == 3 && !work.isHalfOpen)
      try await breaker.open(shop.tenant, for: outage, jitter: 0.5)
      #expect(try await pauseLength(shop) == 4)
      // What comes in meanwhile waits as well.
      try await breaker.open(shop.tenant, for: Outage(side: .licenseKit, detail: "away", atLeast: 600))
      try await queue.release(shop.tenant)
      try await shop.database.transaction(for: shop.tenant) { transaction in
        try await TenantQueue.enqueue(shop.tenant, in: .purchases, transaction)
      }
      #expect(try await secondsToNextClaim(shop) > 300)
    }
  }

  private func pauseLength(_ shop: Shop) async throws -> Double? {
    try await shop.database.transaction(for: shop.tenant) { transaction in
      try await transaction.query(
        "SELECT extract(epoch FROM paused_until - paused_at)::double precision AS s FROM stripe_integration.turns"
      ).first?.get("s")
    }
  }

  @Test("a record that is gone at LicenseKit is made anew; when the policy is gone, a person is asked")
  func gone() async throws {
    try await Shop.open { shop in
      try await sell(shop, 1)
      let purchase = try #require(try await shop.purchases().first?.id)
      // A customer that LicenseKit has deleted since.
      let gone: LicenseKitAPI.CustomerID = "00000000-0000-0000-0000-000000000000"
      try await shop.database.transaction(for: shop.tenant) { transaction in
        _ = try await transaction.query(
          """
          INSERT INTO stripe_integration.licensekit_records
                 (account_id, livemode, kind, external_id, licensekit_id, applied)
          VALUES (\(shop.tenant.account), false, 'customer', 'stripe-acct_1-guest-cs_test_1-test', \(gone), '{}')
          """)
      }
      try await shop.settle()
      #expect(try await shop.purchases().map(\.status) == ["fulfilled"])
      #expect(try await shop.usableLicenses().count == 1)
      let story = try await shop.database.transaction(for: shop.tenant) { transaction in
        try await FulfillmentReader(tenant: shop.tenant, transaction: transaction).timeline(of: purchase).map(\.title)
      }
      #expect(story.contains { $0.hasPrefix("Gone at LicenseKit, and made anew: customer") }, "\(story)")
    }
    try await Shop.open(mapped: false) { shop in
      try await shop.map { $0.policy = "00000000-0000-0000-0000-000000000000" }
      try await sell(shop, 1)
      try await shop.settle()
      let left = try #require(try await shop.purchases().first)
      #expect(left.status == "failed")
      #expect(left.reason?.contains("policy") == true && left.reason?.contains("replay") == true, "\(left)")
      #expect(try await shop.licenses().isEmpty)
    }
  }

  @Test("when one purchase blocks the account, those that run beside it lose no attempt and are told nothing of it")
  func blockedBeside() async throws {
    try await Shop.open { shop in
      try await sell(shop, 4)
      let stop = RefusingStripe(objects: shop.stripe, refused: "cs_test_1")
      let logger = Logger(label: "parked", factory: { _ in SwiftLogNoOpLogHandler() })
      let workers = Workers(
        router: shop.router, queue: PurchaseQueue(database: shop.database),
        breaker: CircuitBreaker(database: shop.database), thinEvents: shop.thinEvents,
        reconciler: Reconciler(
          database: shop.database, stripe: stop, licenseKit: FixedLicenseKit(client: shop.licenseKit),
          vault: shop.vault, redis: nil, recent: RecentEvents(redis: nil), listeners: IntegrationServer.stepListeners,
          clock: { Date() }, logger: logger),
        blocking: shop.connections, wakeUp: WakeUp(), concurrencyPerTenant: 4, concurrency: 1,
        pollInterval: .milliseconds(10), logger: logger)
      #expect(try await workers.serveNextTenant())
      let rows: [(status: String, reason: String, attempts: Int)] = try await shop.database.transaction(
        for: shop.tenant
      ) { transaction in
        try await transaction.query(
          "SELECT status, coalesce(reason, '') AS reason, attempts FROM stripe_integration.purchases"
        ).map { row in (try row.get("status"), try row.get("reason"), try row.get("attempts")) }
      }
      #expect(rows.count == 4)
      #expect(rows.allSatisfy { $0.attempts == 0 }, "\(rows)")
      #expect(rows.count { $0.status == "fulfilled" } == 3, "\(rows)")
      for word in ["cancel", "database", "stopped"] {
        #expect(!rows.contains { $0.reason.localizedCaseInsensitiveContains(word) }, "\(rows)")
      }
      let told: [String] = try await shop.database.transaction(for: shop.tenant) { transaction in
        try await transaction.query("SELECT title || coalesce(detail, '') AS text FROM stripe_integration.timeline")
          .map { row in try row.get("text") }
      }
      #expect(!told.contains { $0.localizedCaseInsensitiveContains("cancel") })
    }
  }
}

/// A Stripe that refuses one object for lack of a permission, at once, and answers about the others a little later.
private struct RefusingStripe: StripeAccess {
  let objects: StripeObjects
  let refused: String

  private struct Line: HTTPSending {
    let objects: StripeObjects
    let refused: String

    func send(_ request: HTTPTransportRequest) async throws(HTTPTransportError) -> HTTPTransportResponse {
      if request.url.contains(refused) {
        return HTTPTransportResponse(
          status: 403, body: Array(#"{"error":{"type":"invalid_request_error","message":"no permission"}}"#.utf8))
      }
      do { try await Task.sleep(for: .milliseconds(300)) } catch { throw .cancelled }
      return try await objects.send(request)
    }
  }

  func session(for tenant: Tenant, replacing rejected: StripeSession?) async throws -> StripeSession {
    StripeClient(
      apiBaseURL: "http://127.0.0.1:1", transport: Line(objects: objects, refused: refused), userAgent: "test"
    ).session(.accessToken("access"))
  }
}
