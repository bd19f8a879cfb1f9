import Foundation
import Identity
import JSON
import LicenseKitAPI
import Logging
import Postgres
import Purchases
import Redis
import StripeAPI
import StripeHTTP
import Tenancy
import TestSupport
import Testing

@testable import StripeIntegration

@Suite("A backfill ingests what was sold before")
struct BackfillTests {
  private static let lately = Date(timeIntervalSince1970: TimeInterval(FakeAccount.lately))
  private static let everything = BackfillChoice(
    subscriptions: .active, paidSessionsSince: lately.addingTimeInterval(-10 * 86_400), paidInvoices: true)

  private static func dry(_ choice: BackfillChoice) -> BackfillChoice {
    var choice = choice
    choice.dryRun = true
    return choice
  }

  /// An account with everything that may have happened to a sale. Of the sales, so many licenses follow.
  private func history(_ account: FakeAccount) -> Int {
    // One-time sales.
    account.sell("paid", quantity: 3)
    account.sell("unpaid", paid: false)
    account.sell("old", at: FakeAccount.lately - 20 * FakeAccount.day)
    account.sell("refunded", refunded: 4900)
    account.sell("refunding", refunded: 4900, refund: "pending")
    account.sell("partly", refunded: 1000)
    account.sell("disputed", dispute: "needs_response")
    account.sell("lost", dispute: "lost")
    account.sell("won", dispute: "won")
    account.sell("inquiry", dispute: "warning_needs_response")
    account.sell("unmapped", product: "prod_else")
    // Subscriptions.
    account.subscribe("active")
    account.subscribe("many", items: 12)
    account.subscribe("trial", status: "trialing", invoice: nil)
    account.subscribe("canceled", status: "canceled")
    account.subscribe("incomplete", status: "incomplete", invoice: "open")
    account.subscribe("unpaid", status: "unpaid", invoice: "open")
    account.subscribe("subrefunded", refunded: 4900)
    account.subscribe("subdisputed", dispute: "under_review")
    // Invoices.
    account.invoice("oneoff")
    account.invoice("offrefunded", refunded: 4900)
    return 3 + 1 + 1 + 1 + 1 + 12 + 1 + 1
  }

  private static let outcomes: [String: BackfillOutcome] = [
    "cs_test_paid": .licensed, "cs_test_unpaid": .nothing, "cs_test_refunded": .nothing,
    "cs_test_refunding": .suspended,
    "cs_test_partly": .licensed, "cs_test_disputed": .suspended, "cs_test_lost": .nothing, "cs_test_won": .licensed,
    "cs_test_inquiry": .licensed, "cs_test_unmapped": .noMapping,
    "sub_active": .licensed, "sub_many": .licensed, "sub_trial": .licensed, "sub_canceled": .nothing,
    "sub_incomplete": .nothing, "sub_unpaid": .waiting, "sub_subrefunded": .suspended, "sub_subdisputed": .suspended,
    "in_oneoff": .licensed, "in_offrefunded": .nothing,
  ]

  @Test("exactly what is paid and was not paid back is licensed; the report says what became of each object")
  func history() async throws {
    try await OldShop.open { old in
      let expected = history(old.account)
      let job = try await old.backfill(Self.everything)
      #expect(job.state == .succeeded)
      let report = try await old.report(job.id)
      #expect(report.mapValues(\.outcome) == Self.outcomes.mapValues(\.rawValue))
      #expect(job.progress["licenses"] == expected)
      #expect(job.progress["subscriptions"] == 8)
      #expect(job.progress["checkout_sessions"] == 10, "the one from before is not read")
      #expect(job.progress["invoices"] == 2, "those of subscriptions are not looked at by themselves")
      #expect(try await old.shop.usableLicenses().count == expected)
      #expect(try await old.shop.licenses().count == expected, "nothing is issued to be taken back")
      #expect(try await old.shop.connections.connection(of: old.shop.tenant)?.backfilledAt != nil)
      #expect(report["cs_test_refunded"]?.detail["reason"]?.string == "The payment was refunded in full.")
    }
  }

  @Test("a dry run writes nothing but its report, and that tells what the real run then does")
  func dryRun() async throws {
    try await OldShop.open { old in
      _ = history(old.account)
      let dry = try await old.backfill(Self.dry(Self.everything))
      #expect(dry.state == .succeeded)
      #expect(try await old.shop.purchases().isEmpty)
      #expect(try await old.count("facts") == 0)
      #expect(try await old.count("aliases") == 0)
      #expect(try await old.shop.connections.connection(of: old.shop.tenant)?.backfilledAt == nil)
      let real = try await old.backfill(Self.everything)
      #expect(dry.progress == real.progress)
      let (before, after) = (try await old.report(dry.id), try await old.report(real.id))
      #expect(before.mapValues(\.outcome) == after.mapValues(\.outcome))
      #expect(before.mapValues { $0.detail["licenses"] } == after.mapValues { $0.detail["licenses"] })
      #expect(try await old.shop.usableLicenses().count == dry.progress["licenses"])
    }
  }

  @Test("a second backfill knows everything and changes nothing")
  func again() async throws {
    try await OldShop.open { old in
      let expected = history(old.account)
      try await old.backfill(Self.everything)
      let again = try await old.backfill(Self.everything)
      #expect(again.progress["licensed"] == 0)
      #expect(again.progress["known"] == 14)
      #expect(try await old.shop.licenses().count == expected)
    }
  }

  @Test("what has changed unseen about a known sale is taken in: a renewal, a refund")
  func heals() async throws {
    try await OldShop.open { old in
      old.account.sell("1")
      try await old.backfill(Self.everything)
      #expect(try await old.shop.usableLicenses().count == 1)
      let charge: JSONValue = [
        "id": "ch_1", "object": "charge", "amount": 4900, "amount_captured": 4900, "paid": true,
        "amount_refunded": 4900, "refunded": true, "disputed": false, "payment_intent": "pi_1",
        "created": .integer(FakeAccount.lately),
      ]
      try await Task.sleep(for: .seconds(1.1))  // Facts are ordered by Stripe's seconds.
      old.account.replace("charges", charge)
      let job = try await old.backfill(Self.everything)
      #expect(job.progress["known"] == 1)
      #expect(try await old.shop.usableLicenses().isEmpty)
    }
  }

  @Test("a subscription's session adds its ids to the subscription, and nothing when that is not ingested")
  func subscriptionSessions() async throws {
    try await OldShop.open { old in
      for (number, status) in [("1", "active"), ("2", "canceled")] {
        old.account.subscribe(number, status: status)
        old.account.add(
          "checkout/sessions",
          [
            "id": .string("cs_test_\(number)"), "object": "checkout.session", "mode": "subscription",
            "status": "complete", "payment_status": "paid", "subscription": .string("sub_\(number)"), "metadata": [:],
            "customer_details": ["email": "typed@example.com"], "created": .integer(FakeAccount.lately),
          ])
      }
      let dry = try await old.backfill(Self.dry(Self.everything))
      let real = try await old.backfill(Self.everything)
      for job in [dry, real] {
        #expect(
          try await old.report(job.id).mapValues(\.outcome) == [
            "sub_1": "licensed", "sub_2": "nothing", "cs_test_1": "linked", "cs_test_2": "nothing",
          ])
      }
      #expect(try await old.shop.purchases().count == 1)
      #expect(try await old.shop.usableLicenses().count == 1)
      #expect(try await old.aliases("cs_test_1") == old.aliases("sub_1"))
    }
  }

  @Test("a sale that waits for its mapping is licensed when the mapping comes")
  func waitsForMapping() async throws {
    try await OldShop.open(mapped: false) { old in
      old.account.sell("1")
      old.account.subscribe("2")
      let job = try await old.backfill(Self.everything)
      #expect(job.progress["no_mapping"] == 2)
      #expect(try await old.shop.purchases().map(\.status) == ["waiting_mapping", "waiting_mapping"])
      try await old.shop.map()
      try await old.shop.database.transaction(for: old.shop.tenant) { transaction in
        _ = try await transaction.query("UPDATE stripe_integration.purchases SET attention_at = now()")
      }
      try await old.settle()
      #expect(try await old.shop.usableLicenses().count == 2)
    }
  }

  @Test("events of the same sales may come at any moment of it")
  func besideEvents() async throws {
    try await OldShop.open { old in
      var events: [StripeFixture.Event] = []
      for number in 0..<12 {
        let session = old.account.sell("\(number)")
        events.append(.init("evt_\(number)", "checkout.session.completed", at: FakeAccount.lately, session))
      }
      let id = try await old.start(Self.everything)
      let all = events
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await old.shop.work(old.works) }
        group.addTask {
          for event in all.reversed() {
            try await old.shop.deliver([event])
            try await old.shop.route()
          }
        }
        group.addTask { try await old.settle() }
        try await group.waitForAll()
      }
      for _ in 0..<5 {
        try await old.settle()
        try await old.shop.makeJobsDue()
        try await old.shop.work(old.works)
      }
      try await old.settle()
      #expect(try await old.shop.job(id)?.state == .succeeded)
      #expect(try await old.shop.licenses().count == 12)
      #expect(try await old.shop.purchases().count == 12)
    }
  }

  @Test("killed in the middle of a page it goes on, and counts each object once")
  func resumes() async throws {
    try await OldShop.open { old in
      for number in 0..<8 { old.account.sell("\(number)", quantity: 2) }
      let id = try await old.start(Self.everything)
      // Dies with the connection, after three objects.
      for number in [5, 2] {
        old.account.interrupt("GET charges?payment_intent=pi_\(number)") { throw CancellationError() }
        old.account.interrupt("GET charges?payment_intent=pi_\(number)") { throw CancellationError() }
        old.account.interrupt("GET charges?payment_intent=pi_\(number)") { throw CancellationError() }
        try await old.shop.workUntilTrouble(of: id, old.works)
        #expect(try await old.shop.job(id)?.state == .running)
        #expect(try await old.count("job_reports") == 7 - number)
        try await old.shop.makeJobsDue()
      }
      old.account.forgetRequests()
      try await old.shop.work(old.works)
      try await old.settle()
      let job = try #require(try await old.shop.job(id))
      #expect(job.state == .succeeded)
      #expect(job.progress["checkout_sessions"] == 8)
      #expect(job.progress["licensed"] == 8)
      #expect(job.progress["licenses"] == 16)
      #expect(old.account.requests("GET charges").count == 3, "what was looked at is not asked for again")
      #expect(try await old.shop.licenses().count == 16)
    }
  }

  @Test("it goes on when the buyers before it have their licenses: no more wait than fit into a claim")
  func backPressure() async throws {
    try await OldShop.open { old in
      for number in 0..<35 { old.account.sell("\(number)") }
      let id = try await old.start(Self.everything)
      for _ in 0..<5 {
        try await old.shop.makeJobsDue()
        try await old.shop.work(old.works)
      }
      let waiting = try await old.shop.purchases().filter { $0.status == "pending" }.count
      #expect(waiting == BackfillWork.mostWaiting)
      #expect(waiting <= PurchaseQueue.length)
      try await old.settle()
      for _ in 0..<6 {
        try await old.shop.makeJobsDue()
        try await old.shop.work(old.works)
        try await old.settle()
      }
      #expect(try await old.shop.job(id)?.state == .succeeded)
      #expect(try await old.shop.licenses().count == 35)
    }
  }

  @Test("a blocked tenant's backfill waits, and a cancelled one stops; what was ingested stays")
  func blockedAndCancelled() async throws {
    try await OldShop.open { old in
      for number in 0..<25 { old.account.sell("\(number)") }
      let id = try await old.start(Self.everything)
      try await old.shop.connections.block(old.shop.tenant, .licensekitCredential, detail: "refused")
      try await old.shop.work(old.works)
      #expect(old.account.requests.isEmpty)
      try await old.shop.connections.unblock(old.shop.tenant)
      try await old.shop.work(old.works)
      #expect(try await old.shop.purchases().count == 10)
      try await old.shop.database.transaction(for: old.shop.tenant) { transaction in
        _ = try await JobStore(tenant: old.shop.tenant, transaction: transaction).cancel(id, by: "operator")
      }
      try await old.settle()
      try await old.shop.makeJobsDue()
      try await old.shop.work(old.works)
      #expect(try await old.shop.job(id)?.state == .cancelled)
      #expect(try await old.shop.licenses().count == 10)
      #expect(try await old.shop.connections.connection(of: old.shop.tenant)?.backfilledAt == nil)
    }
  }

  @Test("each object costs the calls it needs: a session two and its lines, a subscription three")
  func calls() async throws {
    try await OldShop.open { old in
      for number in 0..<4 { old.account.sell("\(number)") }
      old.account.subscribe("1")
      try await old.backfill(Self.dry(Self.everything))
      let reads = old.account.requests("GET")
      #expect(reads.filter { $0.contains("charges") }.count == 5)
      #expect(reads.filter { $0.contains("line_items") }.count == 4)
      // Besides: three lists, and for the subscription its newest invoice and what paid that.
      #expect(reads.count == 14)
    }
  }

  @Test("background work gets half of a tenant's calls, so that a sale finds the other half free")
  func budget() async throws {
    let redis = try TestRedis.make()
    let client = RedisClient(
      try RedisConfiguration(url: redis.url), logger: .init(label: "budget", factory: { _ in SwiftLogNoOpLogHandler() })
    )
    defer { client.shutdown() }
    let account = FakeAccount()
    let tenant = Tenant(account: "acct_1", livemode: false)
    let background = BackgroundStripe(FakeAccess(account: account), redis: client, keyPrefix: redis.keyPrefix)
    let begun = ContinuousClock.now
    let session = try await background.session(for: tenant, replacing: nil)
    // A second's worth at once, and then five in a second: half of the ten that a tenant has in test mode.
    for _ in 0..<10 { _ = try await session.subscriptions() }
    #expect(begun.duration(to: .now) > .milliseconds(900))
    #expect(account.requests.count == 10)
  }

  @Test("a permission that only a backfill needs fails it, and blocks nobody")
  func permission() async throws {
    try await OldShop.open { old in
      old.account.sell("1")
      old.account.refuse("charges")
      let job = try await old.backfill(Self.everything)
      #expect(job.state == .failed)
      #expect(job.reason?.contains("permission") == true)
      #expect(try await old.shop.connections.connection(of: old.shop.tenant)?.blockedReason == nil)
      #expect(try await old.shop.purchases().isEmpty)
    }
  }
}

@Suite("Catching up over the admin routes")
struct CatchUpRouteTests {
  @Test("a backfill and an event sync are asked for, one at a time")
  func routes() async throws {
    try await Backend.open { backend in
      let path = "backfill?\(backend.named)"
      for (body, field) in [
        (["subscriptions": "all"], "subscriptions"),
        (["subscriptions": "none"], "subscriptions"),
        (["subscriptions": "active", "paid_invoices": true], "paid_invoices"),
        (["subscriptions": "active", "paid_sessions_since": "2100-01-01T00:00:00Z"], "paid_sessions_since"),
      ] as [(JSONValue, String)] {
        let refused = try await backend.admin("POST", path, body)
        #expect(refused.status == 422)
        #expect(refused.detail?.hasPrefix(field) == true, "\(refused.text)")
      }
      let started = try await backend.admin(
        "POST", path, ["subscriptions": "active", "paid_sessions_since": nil, "dry_run": true])
      #expect(started.status == 202)
      #expect(started.data?["kind"] == "backfill")
      #expect(started.data?["state"] == "queued")
      #expect(started.data?["requested_by"] == "operator")
      #expect(started.data?["parameters"]?["dry_run"] == true)
      #expect(started.data?["progress"]?["licenses"] == 0)
      let second = try await backend.admin("POST", path, ["subscriptions": "active"])
      #expect(second.status == 409)
      #expect(second.detail?.contains(started.data?["id"]?.string ?? "-") == true)

      let token = try await backend.token(of: backend.shop.tenant)
      let sync = try await backend.admin("POST", "sweep", token: token)
      #expect(sync.status == 202)
      #expect(sync.data?["kind"] == "sweep")
      #expect(try await backend.admin("POST", "sweep", token: token).status == 409)

      let connection = try await backend.admin("GET", "connections?\(backend.named)")
      #expect(connection.items.first?["backfilled_at"] == .null)
      #expect(connection.items.first?["sweep"]?["found"] == 0)
      let all = try await backend.admin("GET", "connections")
      #expect(all.items.contains { $0["sweep"]?["read_up_to"] != nil })

      let stranger = try await backend.admin(
        "POST", "backfill?account_id=acct_none&livemode=false", ["subscriptions": "active"])
      #expect(stranger.code == "ACCOUNT_NOT_CONNECTED")
    }
  }
}

extension OldShop {
  func count(_ table: String) async throws -> Int {
    try await shop.database.transaction(for: shop.tenant) { transaction in
      try await transaction.query("SELECT FROM stripe_integration.\(unescaped: table)").count
    }
  }

  func aliases(_ stripeID: String) async throws -> [String] {
    try await shop.database.transaction(for: shop.tenant) { transaction in
      try await transaction.query(
        "SELECT purchase_id FROM stripe_integration.aliases WHERE stripe_id = \(stripeID)"
      ).map { row in try row.get("purchase_id") }
    }
  }
}
