import Cryptography
import Foundation
import Identity
import JSON
import LicenseKitAPI
import LicenseKitHTTP
import Postgres
import StripeAPI
import Testing

@testable import Purchases
@testable import Queue
@testable import StripeIntegration
@testable import Tenancy

private typealias Event = StripeFixture.Event

@Suite("Fulfilment of a paid one-time Checkout")
struct FulfillmentTests {
  private func sell(_ shop: Shop, quantity: Int64 = 1) {
    shop.stripe.setList("checkout/sessions/cs_test_1/line_items", [StripeFixture.lineItem(quantity: quantity)])
  }

  private let completed = Event(
    "evt_1", "checkout.session.completed", at: 1_799_999_001, StripeFixture.session())

  @Test("gives one license for each unit, with its key kept encrypted")
  func issues() async throws {
    try await Shop.open { shop in
      sell(shop, quantity: 3)
      try await shop.deliver([completed])
      try await shop.settle()
      let licenses = try await shop.licenses()
      #expect(licenses.count == 3)
      for license in licenses {
        let key = try #require(try await shop.key(of: license.id))
        #expect(key.hasSuffix(license.licenseKeyLast4))
      }
      #expect(try await shop.purchases().map(\.status) == ["fulfilled"])
      #expect(shop.stripe.questions.contains { $0.hasPrefix("POST checkout/sessions/cs_test_1") })
    }
  }

  @Test("keeps its key readable when everything is re-encrypted and the old encryption key is taken away")
  func reencrypts() async throws {
    try await Shop.open { shop in
      sell(shop, quantity: 2)
      try await shop.deliver([completed])
      try await shop.settle()
      let license = try #require(try await shop.licenses().first)
      let key = try await shop.key(of: license.id)
      let newEntry = try KeyRing.newEntry(id: "k2")
      let both = KeyVault(keyRing: try KeyRing(parsing: "\(newEntry),\(shop.keyEntry)"))
      #expect(try await both.reencrypt(shop.tenant, in: shop.database) == 2)
      #expect(try await both.reencrypt(shop.tenant, in: shop.database) == 0)
      let onlyNew = KeyVault(keyRing: try KeyRing(parsing: newEntry))
      let revealed = try await shop.database.transaction(for: shop.tenant) { transaction in
        try await onlyNew.reveal(license.id, of: shop.tenant, in: transaction)
      }
      #expect(revealed == key)
    }
  }

  @Test("gives no second license when its event comes again, or another event tells of the same sale")
  func repeats() async throws {
    try await Shop.open { shop in
      sell(shop)
      for _ in 0..<3 {
        try await shop.deliver([
          completed, Event("evt_2", "charge.updated", at: 1_799_999_002, StripeFixture.charge()),
          Event("evt_3", "checkout.session.async_payment_succeeded", at: 1_799_999_003, StripeFixture.session()),
        ])
        try await shop.settle()
      }
      #expect(try await shop.licenses().count == 1)
      #expect(try await shop.purchases().count == 1)
    }
  }

  @Test(
    "ends in the same one usable license wherever the way to LicenseKit breaks",
    arguments: [FaultyLine.Break.before, .after])
  func survivesEveryBreak(mode: FaultyLine.Break) async throws {
    // Customer, order, license, order status: as many calls as there are, and one beyond.
    for call in 1...5 {
      try await Shop.open { shop in
        sell(shop)
        try await shop.deliver([completed])
        try await shop.route()
        shop.line.breakOnce(at: call, mode)
        try await shop.settle()
        #expect(shop.line.mend() == (call < 5))
        let usable = try await shop.usableLicenses()
        #expect(usable.count == 1, "broken \(mode) call \(call)")
        let license = try #require(usable.first)
        let key = try #require(try await shop.key(of: license.id), "broken \(mode) call \(call)")
        #expect(key.hasSuffix(license.licenseKeyLast4))
        #expect(try await shop.purchases().map(\.status) == ["fulfilled"])
      }
    }
  }

  @Test("gives one license when many workers reconcile the purchase at once")
  func races() async throws {
    try await Shop.open { shop in
      sell(shop)
      try await shop.deliver([completed])
      try await shop.route()
      let purchase = try #require(try await shop.purchases().first?.id)
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<12 { group.addTask { try await shop.reconciler.reconcile(purchase, of: shop.tenant) } }
        try await group.waitForAll()
      }
      try await shop.settle()
      #expect(try await shop.licenses().count == 1)
    }
  }

  @Test("is refused its next write when its lease was taken over")
  func fences() async throws {
    try await Shop.open { shop in
      sell(shop)
      try await shop.deliver([completed])
      try await shop.route()
      let purchase = try #require(try await shop.purchases().first?.id)
      let lease = try #require(try await shop.lease(purchase))
      #expect(try await shop.lease(purchase) == nil)
      try await shop.database.transaction(for: shop.tenant) { transaction in
        _ = try await transaction.query("UPDATE stripe_integration.purchases SET lease_until = '-infinity'")
      }
      try await shop.settle()
      await #expect(throws: LeaseLost.self) {
        try await shop.database.transaction(for: shop.tenant) { try await lease.hold(in: $0) }
      }
      #expect(try await shop.licenses().count == 1)
    }
  }

  @Test("waits, visibly, for the money of a delayed payment method")
  func waitsForMoney() async throws {
    try await Shop.open { shop in
      sell(shop)
      try await shop.deliver([
        Event("evt_1", "checkout.session.completed", at: 1_799_999_001, StripeFixture.session(paid: false))
      ])
      try await shop.settle()
      #expect(try await shop.licenses().isEmpty)
      #expect(try await shop.purchases().map(\.status) == ["waiting_payment"])
      try await shop.deliver([
        Event("evt_2", "checkout.session.async_payment_succeeded", at: 1_799_999_900, StripeFixture.session())
      ])
      try await shop.settle()
      #expect(try await shop.licenses().count == 1)
    }
  }

  @Test("waits, visibly, for a mapping, and heals when it appears")
  func waitsForMapping() async throws {
    try await Shop.open(mapped: false) { shop in
      sell(shop)
      try await shop.deliver([completed])
      try await shop.settle()
      let waiting = try #require(try await shop.purchases().first)
      #expect(waiting.status == "waiting_mapping")
      #expect(waiting.reason?.contains("prod_once") == true)
      try await shop.map()
      try await shop.database.transaction(for: shop.tenant) { transaction in
        let found = try await transaction.query(
          "SELECT purchase_id FROM stripe_integration.unmapped WHERE stripe_id = 'prod_once'")
        #expect(found.count == 1)
        try await PurchaseIndex(tenant: shop.tenant, transaction: transaction).requestReconcile(of: waiting.id)
      }
      try await shop.settle()
      #expect(try await shop.licenses().count == 1)
      #expect(try await shop.purchases().map(\.status) == ["fulfilled"])
    }
  }

  @Test(
    "needs a person when the mapping asks for what LicenseKit refuses, and goes by the corrected mapping after that")
  func correctedMapping() async throws {
    try await Shop.open(mapped: false) { shop in
      sell(shop)
      try await shop.map { $0.policy = "pol_of_nobody" }
      try await shop.deliver([completed])
      try await shop.settle()
      let failed = try #require(try await shop.purchases().first)
      #expect(failed.status == "failed")
      #expect(failed.reason?.contains("mapping") == true)
      try await shop.database.transaction(for: shop.tenant) { transaction in
        _ = try await transaction.query("DELETE FROM stripe_integration.mappings")
      }
      try await shop.map()
      try await shop.database.transaction(for: shop.tenant) { transaction in
        try await PurchaseIndex(tenant: shop.tenant, transaction: transaction).requestReconcile(of: failed.id)
      }
      try await shop.settle()
      #expect(try await shop.purchases().map(\.status) == ["fulfilled"])
      #expect(try await shop.usableLicenses().count == 1)
    }
  }

  @Test("sells the part of a bundle that LicenseKit refused by the corrected mapping, beside the part that is there")
  func correctedPartOfBundle() async throws {
    try await Shop.open { shop in
      sell(shop)
      let other = try await shop.licenseKit.createProduct(ProductCreateRequest(name: "Zoo", code: "zoo"))
      let policy = try await shop.licenseKit.createPolicy(
        other.id, PolicyCreateRequest(name: "For ever", code: "zoo", licenseType: .perpetual))
      try await bundle(shop, other.id, "pol_of_nobody")
      try await shop.deliver([completed])
      try await shop.settle()
      let failed = try #require(try await shop.purchases().first)
      #expect(failed.status == "failed")
      // Begun, and so it stays.
      let begun = try await shop.usableLicenses().map(\.id)

      try await shop.database.transaction(for: shop.tenant) { transaction in
        _ = try await transaction.query(
          "DELETE FROM stripe_integration.mappings WHERE licensekit_product_id = \(other.id)")
      }
      try await bundle(shop, other.id, policy.id)
      try await shop.database.transaction(for: shop.tenant) { transaction in
        try await PurchaseIndex(tenant: shop.tenant, transaction: transaction).requestReconcile(of: failed.id)
      }
      try await shop.settle()
      #expect(try await shop.purchases().map(\.status) == ["fulfilled"])
      let usable = try await shop.usableLicenses()
      #expect(Set(usable.map(\.productID)) == [shop.product, other.id] && usable.count == 2)
      #expect(Set(begun).isSubset(of: usable.map(\.id)))
    }
  }

  private func bundle(_ shop: Shop, _ product: ProductID, _ policy: PolicyID) async throws {
    let terms = Terms(product: product, policy: policy, licenseType: .perpetual, quantity: .perUnit)
    let text = try StoredJSON.text(terms)
    try await shop.database.transaction(for: shop.tenant) { transaction in
      _ = try await transaction.query(
        """
        INSERT INTO stripe_integration.mappings
               (account_id, livemode, mapping_id, stripe_product_id, licensekit_product_id, licensekit_policy_id, terms)
        VALUES (\(shop.tenant.account), false, \("map_" + policy.rawValue), 'prod_once', \(product), \(policy),
                \(text)::text::jsonb)
        """)
    }
  }

  @Test("revokes the license when the payment is refunded in full, and not for a part of it")
  func refunds() async throws {
    try await Shop.open { shop in
      sell(shop)
      try await shop.deliver([completed])
      try await shop.settle()
      try await shop.deliver([
        Event("evt_2", "charge.refunded", at: 1_799_999_100, StripeFixture.charge(refunded: 1000))
      ])
      try await shop.settle()
      #expect(try await shop.usableLicenses().count == 1)
      try await shop.deliver([
        Event("evt_3", "charge.refunded", at: 1_799_999_200, StripeFixture.charge(refunded: 4900))
      ])
      try await shop.settle()
      #expect(try await shop.licenses().map(\.status) == [.revoked])
      #expect(try await shop.purchases().map(\.status) == ["ended"])
    }
  }

  @Test("gives nothing when the refund is heard of before the sale, and knows both as one purchase")
  func refundBeforeSale() async throws {
    try await Shop.open { shop in
      sell(shop)
      shop.stripe.setList("checkout/sessions?payment_intent=pi_1", [StripeFixture.session()])
      shop.stripe.set("checkout/sessions/cs_test_1", StripeFixture.session())
      try await shop.deliver([
        Event("evt_3", "charge.refunded", at: 1_799_999_200, StripeFixture.charge(refunded: 4900))
      ])
      try await shop.settle()
      try await shop.deliver([completed])
      try await shop.settle()
      #expect(try await shop.usableLicenses().isEmpty)
      #expect(try await shop.purchases().map(\.status) == ["ended"])
    }
  }

  @Test("makes one purchase of two that turn out to be the same")
  func merges() async throws {
    try await Shop.open { shop in
      // A dispute names a payment, and an invoice payment names an invoice: only the third event joins the two.
      let dispute: [Event] = [
        Event(
          "evt_1", "charge.dispute.created", at: 1_799_999_001,
          [
            "id": "du_1", "object": "dispute", "charge": "ch_1", "payment_intent": "pi_1", "amount": 1,
            "status": "needs_response", "created": 1_799_999_001,
          ])
      ]
      sell(shop)
      try await shop.deliver(dispute)
      try await shop.route()
      try await shop.deliver([
        Event(
          "evt_2", "refund.created", at: 1_799_999_002,
          [
            "id": "re_1", "object": "refund", "charge": "ch_9", "amount": 1, "status": "succeeded",
            "created": 1_799_999_002,
          ])
      ])
      try await shop.route()
      #expect(try await shop.purchases().count == 2)
      try await shop.deliver([
        Event(
          "evt_3", "refund.created", at: 1_799_999_003,
          [
            "id": "re_2", "object": "refund", "charge": "ch_9", "payment_intent": "pi_1", "amount": 1,
            "status": "succeeded", "created": 1_799_999_003,
          ])
      ])
      try await shop.route()
      #expect(try await shop.purchases().count == 1)
    }
  }
}

@Suite("The inbox")
struct InboxTests {
  @Test("keeps an event once, opens it again when it is delivered again, and refuses other tenants' sight")
  func reopens() async throws {
    try await Shop.open { shop in
      let event = Event("evt_1", "invoice.created", at: 1, ["id": "in_1", "object": "invoice"])
      try await shop.deliver([event, event])
      try await shop.route()
      #expect(try await states(shop) == ["ignored"])
      try await shop.deliver([event])
      #expect(try await states(shop) == ["new"])
    }
  }

  @Test("holds the events of an account that is not connected until it is")
  func waitsForConnection() async throws {
    try await Shop.open { shop in
      try await shop.database.transaction(for: shop.tenant) { transaction in
        _ = try await transaction.query("UPDATE stripe_integration.connections SET status = 'pending'")
      }
      try await shop.deliver([
        Event("evt_1", "checkout.session.completed", at: 1_799_999_001, StripeFixture.session())
      ])
      try await shop.route()
      #expect(try await states(shop) == ["waiting"])
      #expect(try await shop.purchases().isEmpty)
    }
  }

  @Test("says of an event that cannot be read why, and goes on with the next")
  func unreadable() async throws {
    try await Shop.open { shop in
      try await shop.deliver([
        Event("evt_1", "checkout.session.completed", at: 1, ["id": "cs_1", "object": "checkout.session"]),
        Event("evt_2", "invoice.created", at: 2, ["id": "in_1", "object": "invoice"]),
        Event("evt_3", "ping", at: 3, nil),
        Event("evt_4", "charge.refunded", at: 4, ["object": "charge"]),
      ])
      try await shop.route()
      #expect(try await states(shop) == ["failed", "ignored", "ignored", "ignored"])
    }
  }

  private func states(_ shop: Shop) async throws -> [String] {
    try await shop.database.transaction(for: shop.tenant) { transaction in
      try await transaction.query("SELECT state FROM stripe_integration.inbox ORDER BY event_id")
        .map { row in try row.get("state") }
    }
  }
}

@Suite("Queue claims")
struct QueueClaimsTests {
  @Test("go round: a tenant that was served waits behind those that were not")
  func fairness() async throws {
    try await Shop.open { shop in
      let queue = PurchaseQueue(database: shop.database)
      // The shop's own tenant was made due when it was connected; it has nothing to do and is not due again.
      let own = try #require(try await queue.tenants.claim())
      try await queue.release(own)
      let tenants = ["acct_a", "acct_b", "acct_c"].map { Tenant(account: .init($0), livemode: false) }
      for tenant in tenants {
        try await shop.database.transaction(for: tenant) { transaction in
          let index = PurchaseIndex(tenant: tenant, transaction: transaction)
          let purchase = try #require(try await index.purchase(of: ["cs_of_\(tenant.account)"], creating: true))
          try await transaction.query(
            """
            INSERT INTO stripe_integration.connections (account_id, livemode, status, refresh_token)
            VALUES (\(tenant.account), false, 'connected', '\\x00')
            """)
          try await index.requestReconcile(of: purchase)
        }
      }
      var served: [String] = []
      for _ in 0..<6 {
        let tenant = try #require(try await queue.tenants.claim())
        served.append(tenant.account.rawValue)
        #expect(try await queue.work(of: tenant).purchases.count == 1)
        try await queue.release(tenant)
      }
      #expect(Set(served.prefix(3)).count == 3)
      #expect(Array(served.prefix(3)) == Array(served.suffix(3)))
    }
  }

  @Test("pass over a tenant that is blocked")
  func parked() async throws {
    try await Shop.open { shop in
      shop.stripe.setList("checkout/sessions/cs_test_1/line_items", [StripeFixture.lineItem()])
      try await shop.deliver([
        StripeFixture.Event("evt_1", "checkout.session.completed", at: 1_799_999_001, StripeFixture.session())
      ])
      try await shop.route()
      try await shop.database.transaction(for: shop.tenant) { transaction in
        _ = try await transaction.query("UPDATE stripe_integration.connections SET parked_reason = 'stripe_permission'")
      }
      let queue = PurchaseQueue(database: shop.database)
      let tenant = try #require(try await queue.tenants.claim())
      #expect(try await queue.work(of: tenant).purchases.isEmpty)
      try await queue.release(tenant)
      #expect(try await queue.tenants.claim() == nil)
    }
  }
}
