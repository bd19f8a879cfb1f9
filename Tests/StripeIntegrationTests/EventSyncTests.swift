import Foundation
import Identity
import JSON
import Logging
import Postgres
import Purchases
import StripeAPI
import Tenancy
import TestSupport
import Testing

@testable import StripeIntegration

@Suite("An event sync finds the events that no webhook has brought")
struct EventSyncTests {
  /// Three sales that Stripe has events of.
  private func sales(_ old: OldShop) -> [StripeFixture.Event] {
    let first = old.account.event("evt_1", "checkout.session.completed", old.account.sell("1"))
    let second = old.account.event(
      "evt_2", "checkout.session.completed", old.account.sell("2", quantity: 2))
    old.account.subscribe("3")
    let invoice = old.account.event("evt_3", "invoice.paid", old.account.newest("invoices"))
    return [first, second, invoice]
  }

  @Test("lost webhooks end in the same licenses as delivered ones")
  func lost() async throws {
    let delivered = LicenseNote()
    try await OldShop.open { old in
      try await old.shop.deliver(sales(old))
      try await old.settle()
      try await delivered.note(old.shop)
    }
    #expect(await delivered.texts.count == 4)
    let synced = LicenseNote()
    try await OldShop.open { old in
      _ = sales(old)
      try await old.connected(daysAgo: 1)
      let job = try await old.syncEvents()
      #expect(job.state == .succeeded)
      #expect(job.progress["found"] == 3)
      try await old.settle()
      try await synced.note(old.shop)
      #expect(try await old.state()?.found == 3)
      #expect(try await old.shop.connections.connection(of: old.shop.tenant)?.eventSync?.found == 3)
    }
    #expect(await synced.texts == delivered.texts)
  }

  @Test("a webhook that comes after all changes nothing, nor does one that came before")
  func late() async throws {
    try await OldShop.open { old in
      let events = sales(old)
      try await old.connected(daysAgo: 1)
      try await old.shop.deliver([events[0]])
      try await old.settle()
      let job = try await old.syncEvents()
      #expect(job.progress["found"] == 2, "one was there already")
      try await old.shop.deliver(events)
      try await old.settle()
      try await old.shop.deliver(events)
      try await old.settle()
      #expect(try await old.shop.licenses().count == 4)
      #expect(try await old.syncEvents().progress["found"] == 0)
    }
  }

  @Test("webhooks and an event sync at the same time make each sale once")
  func atOnce() async throws {
    try await OldShop.open { old in
      let events = sales(old)
      try await old.connected(daysAgo: 1)
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { _ = try await old.syncEvents(pageSize: 1) }
        for event in events { group.addTask { try await old.shop.deliver([event]) } }
        group.addTask { try await old.shop.route() }
        try await group.waitForAll()
      }
      try await old.settle()
      #expect(try await old.shop.licenses().count == 4)
    }
  }

  @Test("at rest it is one call")
  func oneCall() async throws {
    try await OldShop.open { old in
      try await old.connected(daysAgo: 0)
      old.account.event("evt_1", "balance.available", ["id": "b", "object": "balance"])
      #expect(try await old.syncEvents().progress.object == ["pages": 1, "events": 0, "found": 0, "reopened": 0])
      #expect(old.account.requests.count == 1)
      #expect(old.account.requests[0].hasPrefix("GET events?created[gte]="))
    }
  }

  @Test("where there is more than a page, only what has an effect is read, each page once, and counted once")
  func manyPages() async throws {
    try await OldShop.open { old in
      try await old.connected(daysAgo: 1)
      for number in 0..<7 {
        old.account.event("evt_noise\(number)", "balance.available", ["id": "b", "object": "balance"])
        old.account.event(
          "evt_\(number)", "checkout.session.completed", old.account.sell("\(number)"))
      }
      old.account.event("evt_customer", "customer.created", ["id": "cus_1", "object": "customer"])
      let job = try await old.syncEvents(pageSize: 3)
      #expect(job.progress["found"] == 8)
      let filtered = old.account.requests("GET events?types")
      #expect(filtered.count == old.account.requests("GET events").count - 1)
      #expect(filtered.allSatisfy { $0.components(separatedBy: "types[").count - 1 <= 20 })
      try await old.settle()
      #expect(try await old.shop.licenses().count == 7)
    }
  }

  @Test("an interrupted event sync goes on where it was; what it has found counts once")
  func resumes() async throws {
    try await OldShop.open { old in
      try await old.connected(daysAgo: 1)
      for number in 0..<9 {
        old.account.event(
          "evt_\(number)", "checkout.session.completed", old.account.sell("\(number)"))
      }
      let id = try await old.shop.create(
        .eventSync, EventSyncWork.parameters.asked, counting: EventSyncWork.counts
      ).id
      // The replica dies after a piece took effect and before that is recorded.
      let work = try #require(old.works(pageSize: 2)[.eventSync])
      for _ in 0..<4 {
        let lease = try #require(try await JobLease.take([.eventSync], of: old.shop.tenant, in: old.shop.database))
        _ = try await work.step(lease.job)
        try await old.shop.makeJobsDue()
        // Another does that piece again, and records it.
        let other = try #require(try await JobLease.take([.eventSync], of: old.shop.tenant, in: old.shop.database))
        guard case .more(let cursor, let counts) = try await work.step(other.job) else { break }
        try await old.shop.database.transaction(for: old.shop.tenant) { transaction in
          _ = try await other.advance(to: cursor, counts, in: transaction)
        }
        try await old.shop.makeJobsDue()
      }
      try await old.shop.work(old.works(pageSize: 2))
      #expect(try await old.shop.job(id)?.state == .succeeded)
      #expect(try await old.shop.job(id)?.progress["found"] == 9)
      #expect(try await old.state()?.found == 9)
      try await old.settle()
      #expect(try await old.shop.licenses().count == 9)
    }
  }

  @Test("what was sold before the first installation is not touched: that is for a backfill, and the vendor to choose")
  func beforeInstallation() async throws {
    try await OldShop.open { old in
      old.account.event("evt_1", "checkout.session.completed", old.account.sell("1"))
      let events = try await old.syncEvents().progress["events"]
      #expect(events == 0)
      let purchases = try await old.shop.purchases()
      #expect(purchases.isEmpty)
    }
  }

  @Test("an event that failed is tried again")
  func reopens() async throws {
    try await OldShop.open { old in
      try await old.connected(daysAgo: 1)
      let event = old.account.event("evt_1", "checkout.session.completed", old.account.sell("1"))
      try await old.shop.deliver([event])
      try await old.shop.database.transaction(for: old.shop.tenant) { transaction in
        _ = try await transaction.query("UPDATE stripe_integration.inbox SET state = 'failed'")
      }
      #expect(try await old.syncEvents().progress["reopened"] == 1)
      try await old.settle()
      #expect(try await old.shop.licenses().count == 1)
    }
  }

  @Test("a planned event sync leaves the newest events to their webhooks, and finds them the next time")
  func patience() async throws {
    try await OldShop.open { old in
      try await old.connected(daysAgo: 1)
      old.account.event(
        "evt_1", "checkout.session.completed", at: Int64(Date().timeIntervalSince1970) - 5, old.account.sell("1"))
      #expect(try await old.syncEvents(asked: false).progress["found"] == 0)
      let state = try #require(try await old.state())
      #expect(state.readUpTo < Date().addingTimeInterval(-100))
      #expect(try await old.syncEvents().progress["found"] == 1)
    }
  }

  @Test("without the permission it says so, and live work goes on")
  func notPermitted() async throws {
    try await OldShop.open { old in
      old.account.refuse("events")
      let job = try await old.syncEvents()
      #expect(job.state == .failed)
      #expect(job.reason?.contains("event_read") == true)
      let connection = try #require(try await old.shop.connections.connection(of: old.shop.tenant))
      #expect(connection.blockedReason == nil)
      #expect(connection.eventSync?.problem?.contains("event_read") == true)
    }
  }

  @Test("a time that Stripe lists no more is caught up with by a backfill of that time")
  func gap() async throws {
    try await OldShop.open { old in
      try await old.connected(daysAgo: 45)
      let (within, before) = (FakeAccount.lately - 40 * FakeAccount.day, FakeAccount.lately - 50 * FakeAccount.day)
      old.account.sell("before", at: before)
      old.account.sell("within", at: within)
      old.account.subscribe("older", at: before)
      old.account.subscribe("newer", at: within)
      old.account.event("evt_1", "checkout.session.completed", old.account.sell("1"))
      try await old.syncEvents()
      for _ in 0..<5 {
        try await old.settle()
        try await old.shop.makeJobsDue()
        try await old.shop.work(old.works)
      }
      try await old.settle()
      let sold = try await old.shop.database.transaction(for: old.shop.tenant) { transaction in
        try await transaction.query(
          "SELECT stripe_id FROM stripe_integration.purchases WHERE status = 'fulfilled' ORDER BY stripe_id"
        ).map { row in try row.get("stripe_id", as: String.self) }
      }
      #expect(sold == ["cs_test_1", "cs_test_within", "sub_newer"])
      #expect(try await old.state()?.gap != nil)
      let state = try #require(try await old.state())
      #expect(state.readUpTo > Date().addingTimeInterval(-60))
    }
  }

  @Test(
    "the schedule makes one job of a tenant that is due, whatever the number of replicas, and none of a blocked one")
  func schedule() async throws {
    try await OldShop.open { old in
      let schedule = EventSyncSchedule(
        database: old.shop.database, interval: .seconds(3_600), pollInterval: .seconds(1),
        logger: Logger(label: "sweep", factory: { _ in SwiftLogNoOpLogHandler() }))
      let planned = try await withThrowingTaskGroup(of: Int.self) { group in
        for _ in 0..<4 { group.addTask { try await schedule.plan() } }
        return try await group.reduce(0, +)
      }
      #expect(planned == 1, "the connection asked for it")
      #expect(try await schedule.plan() == 0)
      let next = try #require(try await old.state()?.dueAt)
      #expect(next > Date().addingTimeInterval(2_600) && next < Date().addingTimeInterval(4_600))

      // It found nothing, so the next takes its place in the list of jobs.
      try await old.shop.work(old.works)
      try await makeDue(old)
      #expect(try await schedule.plan() == 1)
      try await old.shop.work(old.works)
      #expect(try await jobs(old).count == 1)

      try await old.shop.connections.block(old.shop.tenant, .stripeCredential, detail: "expired")
      try await makeDue(old)
      #expect(try await schedule.plan() == 0)
      #expect(try await old.state()?.dueAt == nil)
      // What was sold meanwhile is looked for as soon as the tenant is back.
      try await old.shop.connections.unblock(old.shop.tenant)
      #expect(try await schedule.plan() == 1)
    }
  }

  @Test("a tenant that was connected before there were event syncs gets them")
  func adopts() async throws {
    try await OldShop.open { old in
      try await old.shop.database.transaction(for: old.shop.tenant) { transaction in
        _ = try await transaction.query("DELETE FROM stripe_integration.sweeps")
      }
      try await EventSyncSchedule(
        database: old.shop.database, interval: .seconds(3_600), pollInterval: .seconds(1),
        logger: Logger(label: "sweep", factory: { _ in SwiftLogNoOpLogHandler() })
      ).adopt()
      #expect(try await old.state() != nil)
    }
  }

  @Test("what event sync looks for is what docs/events.md says has an effect, but for the installation itself")
  func types() throws {
    let text = try String(contentsOfFile: PackageRoot.path + "/docs/events.md", encoding: .utf8)
    var documented: Set<String> = []
    var isUnder = false
    for line in text.split(separator: "\n") {
      if line.hasPrefix("## ") { isUnder = line == "## Events with an effect" }
      guard isUnder, line.hasPrefix("| `") else { continue }
      documented.formUnion(line.dropFirst(2).prefix { $0 != "|" }.matches(of: /`([^`]+)`/).map { String($0.1) })
    }
    // What tells of the installation, and of the list itself, is in no list that only an installed app may read.
    let others = ["account.application.", "apps.install.", "v2.core.health."]
    documented = documented.filter { type in !others.contains { type.hasPrefix($0) } }
    let listed = EventTable.syncCalls.flatMap(\.self)
    #expect(Set(listed.map(\.rawValue)) == documented)
    #expect(listed.count == documented.count)
    #expect(EventTable.syncCalls.allSatisfy { $0.count <= 20 })
  }

  private func makeDue(_ old: OldShop) async throws {
    try await old.shop.database.transaction(for: old.shop.tenant) { transaction in
      _ = try await transaction.query("UPDATE stripe_integration.sweeps SET due_at = now()")
    }
  }

  private func jobs(_ old: OldShop) async throws -> [JobStore.Listed] {
    try await old.shop.database.transaction(for: old.shop.tenant) { transaction in
      try await JobStore(tenant: old.shop.tenant, transaction: transaction).list(limit: 100)
    }
  }
}
