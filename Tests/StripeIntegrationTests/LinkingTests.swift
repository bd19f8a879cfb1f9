import Foundation
import Identity
import Postgres
import Postgres
import StripeAPI
import Tenancy
import Testing

@testable import StripeIntegration

@Suite("Stripe's ids of one sale")
struct LinkingTests {
  @Test("lead to it, whichever of them is heard of first", arguments: [[0, 1], [1, 0]])
  func chargeBeforeSale(order: [Int]) async throws {
    try await Shop.open { shop in
      shop.stripe.setList("checkout/sessions/cs_test_1/line_items", [StripeFixture.lineItem()])
      let events = [
        StripeFixture.Event("evt_1", "charge.succeeded", at: 1_799_999_001, StripeFixture.charge()),
        StripeFixture.Event("evt_2", "checkout.session.completed", at: 1_799_999_001, StripeFixture.session()),
      ]
      for place in order {
        try await shop.deliver([events[place]])
        try await shop.settle()
      }
      try await shop.database.transaction(for: shop.tenant) { transaction in
        let reader = FulfillmentReader(tenant: shop.tenant, transaction: transaction)
        let sale = try await reader.purchase(of: "cs_test_1")
        #expect(sale != nil)
        for id in ["pi_1", "ch_1"] {
          let found = try await reader.purchase(of: id)
          #expect(found == sale, "\(id)")
        }
      }
    }
  }

  @Test("are found by an index, however many facts there are")
  func usesIndex() async throws {
    try await Shop.open { shop in
      try await shop.database.transaction(for: shop.tenant) { transaction in
        _ = try await transaction.query(
          """
          INSERT INTO stripe_integration.facts
                 (account_id, livemode, fact_key, subject, as_of, source, snapshot, payment_id)
          SELECT \(shop.tenant.account)::text, false, 'ch_' || n, 'ch_' || n, now(), 'event', '{}', 'pi_' || n
            FROM generate_series(1, 5000) AS n
          """)
      }
      _ = try await shop.database.client.query("ANALYZE stripe_integration.facts")
      let plan = try await shop.database.transaction(for: shop.tenant) { transaction in
        try await transaction.query(
          """
          EXPLAIN SELECT subject
            FROM stripe_integration.facts
           WHERE account_id = \(shop.tenant.account)
             AND livemode   = false
             AND payment_id = 'pi_7'
          """
        ).map { row in try row.get("QUERY PLAN", as: String.self) }
      }
      #expect(plan.joined(separator: "\n").contains("facts_by_payment"), "\(plan)")
    }
  }
}
