import Foundation
import Identity
import JSON
import LicenseKitAPI
import LicenseKitHTTP
import Logging
import Postgres
import ServerKit
import Synchronization
import Tenancy
import Testing

@testable import Queue
@testable import StripeIntegration

private typealias Event = StripeFixture.Event

@Suite("The transactions of a run")
struct RunTransactionsTests {
  private func workers(_ shop: Shop) -> Workers {
    Workers(
      router: shop.router, queue: PurchaseQueue(database: shop.database),
      breaker: CircuitBreaker(database: shop.database), thinEvents: shop.thinEvents,
      reconciler: shop.reconciler,
      blocking: shop.connections, wakeUp: WakeUp(), concurrencyPerTenant: 4, concurrency: 1,
      pollInterval: .milliseconds(10), logger: Logger(label: "run", factory: { _ in SwiftLogNoOpLogHandler() }))
  }

  /// A run commits before each call outside and after it, and what is written between two calls is one transaction. For a
  /// first sale to a Stripe customer there are eight calls, so nine transactions:
  ///
  ///      1  lease, load                      then Stripe is asked for the line items
  ///      2  learn, load, adopt, begin        then the customer
  ///      3  record, begin                    then the order
  ///      4  record, begin                    then the license
  ///      5  record with its key, begin       then the order is fulfilled
  ///      6  record, show, begin              then ids go to the session
  ///      7  record, begin                    then to the payment
  ///      8  record, begin                    then to the customer
  ///      9  record, end
  ///
  /// Besides: one that routes the event, and three of the claim (claim, what is due, end).
  @Test("a first one-time sale takes thirteen, from its event to the last write-back")
  func firstSale() async throws {
    try await Shop.open { shop in
      shop.stripe.setList("checkout/sessions/cs_test_1/line_items", [StripeFixture.lineItem()])
      try await shop.deliver([
        Event(
          "evt_1", "checkout.session.completed", at: 1_799_999_001, StripeFixture.session(customer: "cus_1"))
      ])
      shop.transactions.reset()
      #expect(try await shop.router.routeBatch(of: shop.tenant) == 1)
      // As `Workers` serve a claim; on a busy machine those hold it for longer in between.
      let queue = PurchaseQueue(database: shop.database)
      let tenant = try #require(try await queue.tenants.claim())
      for purchase in try await queue.work(of: tenant).purchases {
        try await shop.reconciler.reconcile(purchase, of: tenant)
      }
      try await queue.release(tenant)
      #expect(shop.transactions.value == 13)
      #expect(try await shop.purchases().map(\.status) == ["fulfilled"])
      #expect(try await shop.usableLicenses().count == 1)
      let posts = shop.stripe.questions.filter { $0.hasPrefix("POST ") }
      #expect(posts.count == 3, "\(posts)")
      #expect(
        try await shop.database.transaction(for: shop.tenant) { transaction in
          try await transaction.query("SELECT FROM stripe_integration.purchases WHERE attention_at <= now()").count
        } == 0)
    }
  }

  @Test("a look at what is as it should be takes one")
  func nothingToDo() async throws {
    try await Shop.open { shop in
      shop.stripe.setList("checkout/sessions/cs_test_1/line_items", [StripeFixture.lineItem()])
      try await shop.deliver([
        Event("evt_1", "checkout.session.completed", at: 1_799_999_001, StripeFixture.session())
      ])
      try await shop.settle()
      let purchase = try #require(try await shop.purchases().first?.id)
      shop.transactions.reset()
      try await shop.reconciler.reconcile(purchase, of: shop.tenant)
      #expect(shop.transactions.value == 1)
    }
  }

  @Test("what cannot be read of a purchase is recorded with it, and stops nobody else")
  func unreadable() async throws {
    try await Shop.open { shop in
      for number in 1...2 {
        shop.stripe.setList("checkout/sessions/cs_test_\(number)/line_items", [StripeFixture.lineItem(number)])
        try await shop.deliver([
          Event(
            "evt_\(number)", "checkout.session.completed", at: 1_799_999_001, StripeFixture.session(number))
        ])
      }
      try await shop.route()
      try await shop.database.transaction(for: shop.tenant) { transaction in
        _ = try await transaction.query(
          "UPDATE stripe_integration.facts SET snapshot = '{}' WHERE fact_key = 'cs_test_1'")
      }
      _ = try await workers(shop).serveNextTenant()
      #expect(Set(try await shop.purchases().map(\.status)) == ["pending", "fulfilled"])
      let left = try #require(try await shop.purchases().first { $0.status == "pending" })
      #expect(left.reason?.hasPrefix("An unexpected failure") == true, "\(left)")
    }
  }
}

@Suite("A dry run of the reconciler")
struct RehearsalTests {
  private final class Printed: Sendable {
    private let lines = Mutex<[String]>([])
    func add(_ line: String) { lines.withLock { $0.append(line) } }
    var text: String { lines.withLock { $0.joined(separator: "\n") } }
  }

  private func tools(_ shop: Shop) -> OperatorTools {
    OperatorTools(
      database: shop.database, stripe: FixedStripe(objects: shop.stripe), router: shop.router,
      reconciler: shop.reconciler, clock: { Shop.now })
  }

  /// Everything that is stored of purchases.
  private func stored(_ shop: Shop) async throws -> [String] {
    var rows: [String] = []
    for table in ["purchases", "facts", "aliases", "lines", "units", "licensekit_records", "timeline", "write_backs"] {
      rows += try await shop.database.transaction(for: shop.tenant) { transaction in
        try await transaction.query("SELECT to_jsonb(t)::text AS row FROM stripe_integration.\(unescaped: table) t")
          .map { row in try row.get("row", as: String.self) }
      }.sorted()
    }
    return rows
  }

  @Test("tells of each purchase what would be done and why, and writes nothing")
  func writesNothing() async throws {
    try await Shop.open { shop in
      shop.stripe.setList("checkout/sessions/cs_test_1/line_items", [StripeFixture.lineItem()])
      try await shop.deliver([
        Event("evt_1", "checkout.session.completed", at: 1_799_999_001, StripeFixture.session())
      ])
      try await shop.route()
      let before = try await stored(shop)
      let first = Printed()
      #expect(try await tools(shop).rehearse(shop.tenant, all: true) { first.add($0) } == .done)
      #expect(try await stored(shop) == before)
      #expect(try await shop.licenses().isEmpty)
      #expect(!shop.stripe.questions.contains { $0.hasPrefix("POST") })
      for part in [
        "pending -> fulfilled", "Create customer", "Issue license 1 of line li_1", "why: ", "1 would change",
      ] {
        #expect(first.text.contains(part), "\(part) in\n\(first.text)")
      }

      // It tells the very steps that a run takes.
      try await shop.settle()
      let purchase = try #require(try await shop.purchases().first?.id)
      let taken = try await shop.database.transaction(for: shop.tenant) { transaction in
        try await FulfillmentReader(tenant: shop.tenant, transaction: transaction).timeline(of: purchase)
          .filter { $0.kind == "step" && !$0.title.hasPrefix("Write the LicenseKit ids") }.map(\.title)
      }
      #expect(!taken.isEmpty)
      for title in taken { #expect(first.text.contains(title), "\(title)") }

      // Nothing is left to do then; what a person changed is seen.
      let second = Printed()
      #expect(try await tools(shop).rehearse(shop.tenant, all: true) { second.add($0) } == .done)
      #expect(second.text == "1 looked at, 0 would change. Nothing was written.")
    }
  }

  @Test("sees a license that a person has changed before it would change it")
  func byHand() async throws {
    try await Shop.open { shop in
      shop.stripe.setList("checkout/sessions/cs_test_1/line_items", [StripeFixture.lineItem()])
      try await shop.deliver([
        Event("evt_1", "checkout.session.completed", at: 1_799_999_001, StripeFixture.session())
      ])
      try await shop.settle()
      let license = try #require(try await shop.licenses().first?.id)
      _ = try await shop.licenseKit.suspendLicense(license)
      try await shop.deliver([
        Event("evt_2", "charge.refunded", at: 1_799_999_900, StripeFixture.charge(refunded: 4900))
      ])
      try await shop.route()
      let printed = Printed()
      #expect(try await tools(shop).rehearse(shop.tenant, all: false) { printed.add($0) } == .done)
      #expect(printed.text.contains("suspended by hand"), "\(printed.text)")
      #expect(printed.text.contains("Revoke license 1 of line li_1"), "\(printed.text)")
      #expect(try await shop.licenses().map(\.status) == [.suspended])
    }
  }
}
