import Foundation
import Identity
import JSON
import LicenseKitAPI
import LicenseKitHTTP
import Postgres
import ServerKit
import StripeAPI
import Tenancy
import Testing

@testable import StripeIntegration

private typealias Event = StripeFixture.Event

@Suite("What must not hold up anybody else")
struct ChaosTests {
  private let completed = Event(
    "evt_1", "checkout.session.completed", at: 1_799_999_001, StripeFixture.session())

  /// No index holds it.
  private let tooLong = "cus_" + (0..<2_000).map { String(UInt64($0) &* 0x9E37_79B9_7F4A_7C15, radix: 36) }.joined()

  @Test("an event whose content cannot be stored is marked as failed by itself, and those around it are handled")
  func poison() async throws {
    try await Shop.open { shop in
      shop.stripe.setList("checkout/sessions/cs_test_1/line_items", [StripeFixture.lineItem()])
      let poison = Event(
        "evt_0", "customer.updated", at: 1_799_999_000,
        ["id": .string(tooLong), "object": "customer", "email": "a@example.com"])
      try await shop.deliver([poison, completed])
      try await shop.settle()
      #expect(try await shop.usableLicenses().count == 1)
      let states = try await shop.database.transaction(for: shop.tenant) { transaction in
        try await transaction.query("SELECT state, outcome FROM stripe_integration.inbox ORDER BY event_id").map {
          row in
          [try row.get("state", as: String.self), try row.get("outcome", as: String.self)]
        }
      }
      #expect(states.map { $0[0] } == ["failed", "done"])
      #expect(states[0][1].hasPrefix("The event's content cannot be stored"))
    }
  }

  @Test("tenants beyond the first round get theirs: the next look begins behind the last tenant")
  func rounds() async throws {
    try await Shop.open { shop in
      for account in ["acct_a", "acct_b", "acct_c"] {
        let body = completed.json(account: account).encoded()
        try await shop.inbox.store(
          InboxItem(
            tenant: Tenant(account: .init(account), livemode: false), envelope: try EventEnvelope(scanning: body),
            body: String(decoding: body, as: UTF8.self)))
      }
      let first = try await shop.router.tenantsWithWork(limit: 2)
      #expect(first.map(\.account.rawValue) == ["acct_a", "acct_b"])
      #expect(try await shop.router.tenantsWithWork(after: first.last, limit: 2).map(\.account.rawValue) == ["acct_c"])
    }
  }

  @Test("a tenant whose events cannot be routed is left out for a while, longer each time, and no other with it")
  func leftOut() {
    var rounds = FairRounds<Tenant>()
    let (troubled, other) = (Tenant(account: "acct_1", livemode: false), Tenant(account: "acct_1", livemode: true))
    let now = ContinuousClock.now
    rounds.failed(troubled, now: now)
    #expect(rounds.isLeftOut(troubled, now: now + .milliseconds(199)))
    #expect(!rounds.isLeftOut(troubled, now: now + .milliseconds(200)))
    #expect(!rounds.isLeftOut(other, now: now))
    for _ in 0..<40 { rounds.failed(troubled, now: now) }
    #expect(rounds.isLeftOut(troubled, now: now + .seconds(59)))
    #expect(!rounds.isLeftOut(troubled, now: now + .seconds(60)))
    rounds.succeeded(troubled)
    #expect(!rounds.isLeftOut(troubled, now: now))
  }

  @Test("a round that routed something is followed by another, and one that did not is not")
  func goesOn() {
    let tenants = [Tenant(account: "acct_1", livemode: false)]
    var rounds = FairRounds<Tenant>()
    rounds.advance(past: tenants, isFull: true)
    let afterFull = rounds.goesOn(afterDoing: 1)
    #expect(afterFull && rounds.last == tenants.last)
    rounds.advance(past: [], isFull: false)
    let afterWork = rounds.goesOn(afterDoing: 0)
    #expect(afterWork && rounds.last == nil)
    rounds.advance(past: tenants, isFull: false)
    let afterNothing = rounds.goesOn(afterDoing: 0)
    #expect(!afterNothing)
  }

  @Test(
    "a customer made by an attempt whose answer was lost does not stop the sale, even when it cannot be found again")
  func lostCustomer() async throws {
    try await Shop.open { shop in
      shop.stripe.setList("checkout/sessions/cs_test_1/line_items", [StripeFixture.lineItem()])
      try await shop.deliver([completed])
      try await shop.route()
      shop.line.breakOnce(at: 1, .after)
      let purchase = try #require(try await shop.purchases().first).id
      try await shop.reconciler.reconcile(purchase, of: shop.tenant)
      #expect(shop.line.mend())
      // The list of customers ends with the newest 200.
      for number in 0..<200 {
        _ = try await shop.licenseKit.createCustomer(CustomerCreateRequest(name: "Other", code: "other-\(number)"))
      }
      try await shop.settle()
      #expect(try await shop.usableLicenses().count == 1)
      #expect(try await shop.purchases().map(\.status) == ["fulfilled"])
    }
  }
}
