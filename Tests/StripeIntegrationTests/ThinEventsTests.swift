import Foundation
import Identity
import JSON
import Logging
import Postgres
import ServerKit
import StripeAPI
import StripeHTTP
import Tenancy
import TestSupport
import Testing

@testable import StripeIntegration

@Suite("Thin events")
struct ThinEventsTests {
  private typealias Event = StripeFixture.Event

  /// The thin form of an event, as an event destination delivers it.
  private func thin(_ event: Event, in old: OldShop, snapshot: Bool = true) -> JSONValue {
    let whole = event.json(account: old.shop.tenant.account.rawValue)
    let object = whole["data"]?["object"] ?? .null
    let created = Date(timeIntervalSince1970: TimeInterval(whole["created"]?.integer ?? 0) + 0.5)
    return [
      "id": .string("evt_thin_" + (whole["id"]?.string ?? "")), "object": "v2.core.event",
      "type": .string("v1." + (whole["type"]?.string ?? "")),
      "created": .string(RFC3339.string(from: created).replacing("Z", with: ".500Z")),
      "livemode": false, "context": .string(old.shop.tenant.account.rawValue),
      "related_object": ["id": object["id"] ?? .null, "type": object["object"] ?? .null, "url": "/v1/elsewhere"],
      "snapshot_event": snapshot ? whole["id"] ?? .null : .null, "reason": nil,
    ]
  }

  private func deliver(_ bodies: [JSONValue], to old: OldShop) async throws {
    for body in bodies {
      try await old.shop.inbox.store(
        InboxItem(
          tenant: old.shop.tenant, envelope: try EventEnvelope(scanning: body.encoded()), body: body.text()))
    }
  }

  private func thinEvents(_ old: OldShop) -> ThinEvents {
    ThinEvents(
      database: old.shop.database, stripe: FakeAccess(account: old.account), recent: RecentEvents(redis: nil),
      wakeUp: WakeUp(), logger: Logger(label: "thin", factory: { _ in SwiftLogNoOpLogHandler() }))
  }

  /// One claim of the tenant's queue; what waits for another attempt is due at once.
  @discardableResult
  private func fetch(_ old: OldShop) async throws -> ThinEvents.Served {
    try await old.shop.database.transaction(for: old.shop.tenant) { transaction in
      _ = try await transaction.query(
        "UPDATE stripe_integration.inbox SET fetch_at = now() WHERE fetch_at IS NOT NULL")
    }
    return try await thinEvents(old).serve(old.shop.tenant)
  }

  private func settle(_ old: OldShop) async throws {
    for _ in 0..<6 {
      try await old.settle()
      try await fetch(old)
    }
    try await old.settle()
  }

  private func events(_ old: OldShop) async throws -> [String: (state: String, outcome: String?)] {
    try await old.shop.database.transaction(for: old.shop.tenant) { transaction in
      let rows = try await transaction.query("SELECT event_id, state, outcome FROM stripe_integration.inbox")
        .map { row in
          (
            try row.get("event_id", as: String.self),
            (state: try row.get("state", as: String.self), outcome: try row.get("outcome", as: String?.self))
          )
        }
      return Dictionary(uniqueKeysWithValues: rows)
    }
  }

  private func sales(_ old: OldShop) -> [Event] {
    let first = old.account.event("evt_1", "checkout.session.completed", old.account.sell("1"))
    let second = old.account.event("evt_2", "checkout.session.completed", old.account.sell("2", quantity: 2))
    old.account.subscribe("3")
    return [first, second, old.account.event("evt_3", "invoice.paid", old.account.newest("invoices"))]
  }

  @Test("end in the licenses that snapshot events end in")
  func same() async throws {
    let told = LicenseNote()
    try await OldShop.open { old in
      try await old.shop.deliver(sales(old))
      try await old.settle()
      try await told.note(old.shop)
    }
    #expect(await told.texts.count == 4)
    let thinly = LicenseNote()
    try await OldShop.open { old in
      try await deliver(sales(old).map { thin($0, in: old) }, to: old)
      try await settle(old)
      try await thinly.note(old.shop)
      #expect(try await events(old).values.allSatisfy { $0.state == "done" })
    }
    #expect(await thinly.texts == told.texts)
  }

  @Test("and their snapshots are one event, whichever comes first")
  func deduplicated() async throws {
    for thinFirst in [true, false] {
      try await OldShop.open { old in
        let events = sales(old)
        if thinFirst {
          try await deliver(events.map { thin($0, in: old) }, to: old)
          try await settle(old)
          try await old.shop.deliver(events)
        } else {
          try await old.shop.deliver(events)
          try await settle(old)
          try await deliver(events.map { thin($0, in: old) }, to: old)
        }
        try await settle(old)
        #expect(try await self.events(old).keys.sorted() == ["evt_1", "evt_2", "evt_3"])
        #expect(try await old.shop.licenses().count == 4)
      }
    }
  }

  @Test("of one object are one question, and those without effect are none")
  func oneQuestion() async throws {
    try await OldShop.open { old in
      let subscription = old.account.subscribe("3")
      let updates = (1...5).map {
        Event("evt_u\($0)", "customer.subscription.updated", at: 1_799_999_000, subscription)
      }
      let noise = [
        Event("evt_n1", "balance.available", at: 1_799_999_000, ["id": "b_1", "object": "balance"]),
        Event("evt_n2", "invoice.created", at: 1_799_999_000, ["id": "in_3", "object": "invoice"]),
      ]
      try await deliver((updates + noise).map { thin($0, in: old) }, to: old)
      try await old.shop.route()
      old.account.forgetRequests()
      try await fetch(old)
      #expect(old.account.requests == ["GET subscriptions/sub_3"])
      let ended = try await events(old)
      #expect(ended["evt_n1"]?.state == "ignored" && ended["evt_n2"]?.state == "ignored")
    }
  }

  @Test("whose object is gone, or may not be read, are told by the snapshot event in Stripe's list")
  func gone() async throws {
    try await OldShop.open { old in
      let events = sales(old)
      old.account.refuse("checkout/sessions/cs_test_1")
      try await deliver([thin(events[0], in: old)], to: old)
      try await old.shop.route()
      try await fetch(old)
      #expect(old.account.requests.contains("GET events/evt_1"))
      #expect(try await self.events(old)["evt_1"]?.state == "new")
    }
  }

  @Test("whose object nobody can ask for fail with the reason, and are tried again when they are delivered again")
  func unreadable() async throws {
    try await OldShop.open { old in
      let event = Event("evt_9", "invoice.paid", at: 1_799_999_000, ["id": "in_9", "object": "invoice"])
      try await deliver([thin(event, in: old)], to: old)
      try await settle(old)
      let ended = try await events(old)["evt_9"]
      #expect(ended?.state == "failed")
      #expect(ended?.outcome?.hasPrefix("The object cannot be read from Stripe") == true)
      old.account.invoice("9")
      try await deliver([thin(event, in: old)], to: old)
      try await settle(old)
      #expect(try await events(old)["evt_9"]?.state == "done")
      #expect(try await old.shop.licenses().count == 1)
    }
  }

  @Test("wait where Stripe cannot be asked, and keep no other from being asked for")
  func away() async throws {
    try await OldShop.open { old in
      let events = sales(old)
      try await deliver(events.map { thin($0, in: old) }, to: old)
      try await old.shop.route()
      for _ in 0..<3 { old.account.interrupt("GET checkout/sessions/cs_test_1") { throw CancellationError() } }
      let served = try await fetch(old)
      #expect(served.completed == 2 && served.outage != nil, "what broke on the way says that Stripe is away")
      let after = try await self.events(old)
      #expect(after["evt_1"]?.state == "waiting")
      #expect(after["evt_2"]?.state == "new" && after["evt_3"]?.state == "new")
      try await settle(old)
      #expect(try await old.shop.licenses().count == 4)
    }
  }

  @Test("are asked for no further in a claim that finds Stripe away")
  func outage() async throws {
    try await OldShop.open { old in
      let events = (1...12).map { number in
        Event("evt_\(number)", "invoice.paid", at: 1_799_999_000, ["id": .string("in_\(number)"), "object": "invoice"])
      }
      try await deliver(events.map { thin($0, in: old) }, to: old)
      try await old.shop.route()
      for _ in 0..<100 { old.account.interrupt("GET ") { throw CancellationError() } }
      let served = try await fetch(old)
      #expect(served.outage != nil && served.completed == 0)
      #expect(Set(old.account.requests).count <= ThinEvents.width, "those that were begun, and no other")
      #expect(try await self.events(old).values.allSatisfy { $0.state == "waiting" })
    }
  }

  @Test("are read with permissions that the app asks for")
  func permissions() {
    for path in ThinEvents.collections.values { #expect(PermissionTable.reading[path.joined(separator: "/")] != nil) }
  }

  @Test("are due with the tenant's next claim, and not before their time")
  func claim() async throws {
    try await OldShop.open { old in
      let queue = PurchaseQueue(database: old.shop.database)
      func due() async throws -> Date? {
        try await old.shop.database.transaction(for: old.shop.tenant) { transaction in
          try await transaction.query("SELECT NULLIF(due_at, 'infinity') AS due_at FROM stripe_integration.turns")
            .first?.get("due_at")
        }
      }
      try await deliver([thin(sales(old)[0], in: old)], to: old)
      try await old.shop.route()
      #expect(try await due() ?? .distantFuture <= .now.addingTimeInterval(5))
      try await old.shop.database.transaction(for: old.shop.tenant) { transaction in
        _ = try await transaction.query("UPDATE stripe_integration.inbox SET fetch_at = now() + interval '1 hour'")
      }
      try await queue.release(old.shop.tenant)
      let later = try #require(try await due())
      #expect(later > .now.addingTimeInterval(3_000) && later < .now.addingTimeInterval(4_000))
      #expect(try await thinEvents(old).serve(old.shop.tenant).completed == 0)
    }
  }

  @Test("give way to the snapshot of the same happening, also where nobody could ask for their object")
  func replaced() async throws {
    try await OldShop.open { old in
      let event = Event("evt_9", "checkout.session.completed", at: 1_799_999_000, old.account.sell("9"))
      old.account.refuse("checkout/sessions/cs_test_9")
      try await deliver([thin(event, in: old)], to: old)
      try await settle(old)
      #expect(try await events(old)["evt_9"]?.state == "failed")
      old.account.allow("checkout/sessions/cs_test_9")
      try await old.shop.deliver([event])
      old.account.forgetRequests()
      try await old.shop.route()
      #expect(old.account.requests.isEmpty)
      try await settle(old)
      #expect(try await events(old)["evt_9"]?.state == "done")
      #expect(try await old.shop.licenses().count == 1)

      // The other way round it changes nothing.
      try await deliver([thin(event, in: old)], to: old)
      try await old.shop.route()
      #expect(try await events(old)["evt_9"]?.state == "done")
    }
  }

  @Test("wait for the account to be connected, and are asked for then")
  func unconnected() async throws {
    try await OldShop.open { old in
      try await old.shop.connections.disconnect(old.shop.tenant)
      try await deliver(sales(old).map { thin($0, in: old) }, to: old)
      try await settle(old)
      #expect(try await events(old).values.allSatisfy { $0.state == "waiting" })
      #expect(old.account.requests.isEmpty)
      try await old.shop.connections.connect(
        TokenGrant(
          accessToken: "access", refreshToken: "refresh", livemode: false, account: old.shop.tenant.account,
          publishableKey: nil, scope: "stripe_apps", tokenType: "bearer"))
      try await settle(old)
      #expect(try await old.shop.licenses().count == 4)
    }
  }

  @Test("that tell of failures to make events have Stripe's list read")
  func health() async throws {
    try await OldShop.open { old in
      try await old.connected(daysAgo: 1)
      old.account.event(
        "evt_1", "checkout.session.completed", at: Int64(Date().timeIntervalSince1970), old.account.sell("1"))
      let alert: JSONValue = [
        "id": "evt_h", "object": "v2.core.event", "type": "v2.core.health.event_generation_failure.raised",
        "created": "2026-11-30T12:00:00.000Z", "livemode": false,
        "context": .string(old.shop.tenant.account.rawValue),
      ]
      try await deliver([alert], to: old)
      try await old.shop.route()
      #expect(try await events(old)["evt_h"]?.state == "done")
      try await old.shop.work(old.works)
      try await old.settle()
      #expect(try await old.shop.licenses().count == 1, "as new as it is, nobody else brings it")
    }
  }

  @Test("that tell of failures and name no account have the lists of all accounts read, of that mode")
  func healthOfAll() async throws {
    try await OldShop.open { old in
      func due(_ moment: PostgresQuery) async throws {
        try await old.shop.database.transaction(for: old.shop.tenant) { transaction in
          _ = try await transaction.query("UPDATE stripe_integration.sweeps SET due_at = \(fragment: moment)")
        }
      }
      let alerts = HealthAlerts(
        database: old.shop.database, logger: Logger(label: "alerts", factory: { _ in SwiftLogNoOpLogHandler() }))
      try await due("now() + interval '1 hour'")
      try await alerts.raised(livemode: true)
      #expect(try await old.state()?.dueAt ?? .distantPast > Date().addingTimeInterval(1_800))
      try await alerts.raised(livemode: false)
      #expect(try await old.state()?.dueAt ?? .distantFuture < Date().addingTimeInterval(330))
      // One that cannot be served now stays as it is.
      try await due("'infinity'")
      try await alerts.raised(livemode: false)
      #expect(try await old.state()?.dueAt == nil)
    }
  }
}
