import Foundation
import Identity
import JSON
import Logging
import Postgres
import Redis
import StripeAPI
import Tenancy
import TestSupport
import Testing

@testable import StripeIntegration

private typealias Event = StripeFixture.Event

@Suite("Work during which a process ended")
struct SetAsideTests {
  private let sale = Event("evt_1", "checkout.session.completed", at: 1_799_999_001, StripeFixture.session())
  private let other = Event(
    "evt_2", "customer.updated", at: 1_799_999_002, ["id": "cus_9", "object": "customer", "email": "a@example.com"])

  private func change(_ shop: Shop, _ statement: PostgresQuery) async throws {
    try await shop.database.transaction(for: shop.tenant) { _ = try await $0.query(statement) }
  }

  /// State, outcome and how often begun, by event.
  private func events(_ shop: Shop) async throws -> [String: (state: String, outcome: String?, begun: Int)] {
    let rows = try await shop.database.transaction(for: shop.tenant) { transaction in
      try await transaction.query("SELECT event_id, state, outcome, begun FROM stripe_integration.inbox").map { row in
        (
          try row.get("event_id", as: String.self),
          (
            try row.get("state", as: String.self), try row.get("outcome", as: String?.self),
            try row.get("begun", as: Int.self)
          )
        )
      }
    }
    return Dictionary(uniqueKeysWithValues: rows)
  }

  @Test("a cautious router notes each event before it begins, and leaves no trace of what went well")
  func cautious() async throws {
    try await Shop.open { shop in
      shop.stripe.setList("checkout/sessions/cs_test_1/line_items", [StripeFixture.lineItem()])
      var router = shop.router
      router.caution = .from(for: .seconds(600))
      try await shop.deliver([sale, other])
      #expect(try await router.routeBatch(of: shop.tenant) == 2)
      #expect(try await events(shop).values.allSatisfy { $0.state == "done" && $0.begun == 0 })
      try await shop.settle()
      #expect(try await shop.usableLicenses().count == 1)
    }
  }

  @Test("an event over which a process ended once is handled again; over which two did, it is set aside alone")
  func events() async throws {
    try await Shop.open { shop in
      shop.stripe.setList("checkout/sessions/cs_test_1/line_items", [StripeFixture.lineItem()])
      try await shop.deliver([sale, other])
      try await change(
        shop,
        """
        UPDATE stripe_integration.inbox
           SET begun    = CASE event_id WHEN 'evt_2' THEN 2 ELSE 1 END,
               begun_at = now() - interval '2 minutes'
        """)
      try await shop.settle()
      #expect(try await shop.usableLicenses().count == 1)
      let ended = try await events(shop)
      #expect(ended["evt_1"]?.state == "done")
      #expect(ended["evt_2"]?.state == "failed" && ended["evt_2"]?.outcome == Caution.reasonOfEvent)

      // Delivered again, it is tried again.
      try await shop.deliver([other])
      try await shop.route()
      #expect(try await events(shop)["evt_2"]?.state == "done")
    }
  }

  @Test("what was set aside is not taken as known when it is delivered again", .timeLimit(.minutes(1)))
  func resent() async throws {
    try await Shop.open { shop in
      let test = try TestRedis.make()
      var configuration = try RedisConfiguration(url: test.url)
      configuration.keyPrefix = test.keyPrefix
      let redis = RedisClient(configuration, logger: Logger(label: "test"))
      while (try? await redis.ping()) == nil { await Task.yield() }
      let recent = RecentEvents(redis: redis)
      let router = EventRouter(
        database: shop.database, application: shop.router.application, alerts: shop.router.alerts,
        recent: recent, logger: shop.router.logger)
      let body = other.json(account: shop.tenant.account.rawValue).encoded()
      let item = InboxItem(
        tenant: shop.tenant, envelope: try EventEnvelope(scanning: body), body: String(decoding: body, as: UTF8.self))

      try await shop.deliver([other])
      await recent.remember(item)
      #expect(await recent.isKnown(item, now: Shop.now.addingTimeInterval(600)))
      try await change(
        shop, "UPDATE stripe_integration.inbox SET begun = 2, begun_at = now() - interval '2 minutes'")
      while try await router.routeBatch(of: shop.tenant) > 0 {}
      #expect(try await events(shop)["evt_2"]?.state == "failed")
      #expect(await !recent.isKnown(item, now: Shop.now.addingTimeInterval(600)))
    }
  }

  @Test(
    "a cautious router that is stopped leaves no event behind as if the process had ended over it",
    .timeLimit(.minutes(1)))
  func stopped() async throws {
    try await Shop.open { shop in
      var router = shop.router
      router.caution = .from(for: .seconds(600))
      let events = (1...40).map { number in
        Event(
          "evt_\(number)", "customer.updated", at: 1_799_999_000 + number,
          ["id": .string("cus_\(number)"), "object": "customer"])
      }
      try await shop.deliver(events)
      let (tenant, cautious) = (shop.tenant, router)
      while true {
        let open = try await self.events(shop).values.filter { $0.state == "new" }.count
        guard open > 0 else { break }
        let routing = Task { try await cautious.routeBatch(of: tenant) }
        while try await self.events(shop).values.allSatisfy({ $0.begun == 0 }),
          try await self.events(shop).values.filter({ $0.state == "new" }).count == open
        {
          await Task.yield()
        }
        routing.cancel()
        _ = try? await routing.value
        let left = try await self.events(shop).filter { $0.value.begun > 0 }.keys.sorted()
        try #require(left == [])
      }
    }
  }

  @Test("an event that another process has begun on is left to it")
  func begunElsewhere() async throws {
    try await Shop.open { shop in
      try await shop.deliver([other])
      try await change(shop, "UPDATE stripe_integration.inbox SET begun = 1, begun_at = now()")
      #expect(try await shop.router.routeBatch(of: shop.tenant) == 0)
      #expect(try await events(shop)["evt_2"]?.state == "new")
    }
  }

  @Test("a purchase whose lease was left behind twice is set aside for a while, and heals by itself")
  func purchase() async throws {
    try await Shop.open { shop in
      shop.stripe.setList("checkout/sessions/cs_test_1/line_items", [StripeFixture.lineItem()])
      try await shop.deliver([sale])
      try await shop.route()
      let purchase = try #require(try await shop.purchases().first?.id)

      // As a process leaves it that ends in the middle of a run.
      let leave: PostgresQuery = "UPDATE stripe_integration.purchases SET lease_until = now() - interval '1 second'"
      _ = try #require(try await shop.lease(purchase))
      try await change(shop, leave)
      let second = try #require(try await shop.lease(purchase))
      #expect(second.wasAbandoned && second.abandoned == 1)
      try await change(shop, leave)

      try await shop.reconciler.reconcile(purchase, of: shop.tenant)
      let aside = try await shop.purchases()[0]
      #expect(aside.status == "failed" && aside.reason == Caution.reasonOfPurchase)
      #expect(try await shop.licenses().isEmpty)

      try await shop.reconciler.reconcile(purchase, of: shop.tenant)
      #expect(try await shop.purchases()[0].status == "fulfilled")
      let third = try #require(try await shop.lease(purchase))
      #expect(!third.wasAbandoned && third.abandoned == 0)
    }
  }

  @Test("a run that has its lease in a transaction of its own ends the same")
  func apart() async throws {
    try await Shop.open { shop in
      shop.stripe.setList("checkout/sessions/cs_test_1/line_items", [StripeFixture.lineItem()])
      var reconciler = shop.reconciler
      reconciler.caution = .from(for: .seconds(600))
      try await shop.deliver([sale])
      try await shop.route()
      try await reconciler.reconcile(try #require(try await shop.purchases().first?.id), of: shop.tenant)
      #expect(try await shop.purchases()[0].status == "fulfilled")
      #expect(try await shop.usableLicenses().count == 1)
    }
  }

  @Test("the pause grows to a day and no further, whatever the count")
  func pauses() {
    let pauses = [2, 3, 4, 5, 6, 7, 30_000].map { Caution.delay(afterEnds: $0) }
    #expect(pauses == [300, 1_200, 4_800, 19_200, 76_800, 86_400, 86_400])
    #expect(Caution.delay(afterEnds: 0) == 300)
  }
}
