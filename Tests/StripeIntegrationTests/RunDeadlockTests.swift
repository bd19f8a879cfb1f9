import Foundation
import Identity
import Postgres
import Tenancy
import Testing

@testable import Purchases
@testable import StripeIntegration

@Suite("A run whose transaction the database undoes for the sake of another")
struct RunDeadlockTests {
  @Test("is not left with its lease: what was undone is done again")
  func deadlock() async throws {
    try await Shop.open { shop in
      shop.stripe.setList("checkout/sessions/cs_test_1/line_items", [StripeFixture.lineItem()])
      try await shop.deliver([
        .init("evt_1", "checkout.session.completed", at: 1_799_999_001, StripeFixture.session())
      ])
      try await shop.route()
      shop.line.cut()
      let purchase = try #require(try await shop.purchases().first).id
      // The database may choose the other side: then the same is tried again.
      for _ in 0..<20 {
        if try await collides(shop, purchase) { break }
      }
      #expect(try await leases(shop) == ["-infinity"])
      _ = shop.line.restore()
      try await shop.settle()
      #expect(try await shop.purchases().map(\.status) == ["fulfilled"])
      #expect(try await shop.usableLicenses().count == 1)
    }
  }

  /// Holds the row of the tenant's queue that the run writes at its end, and wants the purchase that the run holds by then.
  /// - Returns: whether the run was the one that was undone.
  private func collides(_ shop: Shop, _ purchase: PurchaseID) async throws -> Bool {
    try await withThrowingTaskGroup(of: Void.self) { group in
      var isThrough = true
      do {
        try await shop.database.transaction(for: shop.tenant) { transaction in
          try await transaction.query("SELECT FROM stripe_integration.turns FOR UPDATE")
          group.addTask { try await shop.reconciler.reconcile(purchase, of: shop.tenant) }
          while try await !somebodyWaits(transaction) { try await Task.sleep(for: .milliseconds(5)) }
          try await transaction.query(
            "UPDATE stripe_integration.purchases SET updated_at = now() WHERE purchase_id = \(purchase)")
        }
      } catch let error as PostgresError where error.isRetryable {
        isThrough = false
      }
      try await group.waitForAll()
      return isThrough
    }
  }

  /// Locks are looked at and not activities: of those a transaction goes on seeing what was when it first looked.
  private func somebodyWaits(_ transaction: PostgresTransaction) async throws -> Bool {
    try await !transaction.query(
      """
      SELECT pid
        FROM pg_locks
       WHERE NOT granted
         AND pg_backend_pid() = ANY(pg_blocking_pids(pid))
      """
    ).isEmpty
  }

  private func leases(_ shop: Shop) async throws -> [String] {
    try await shop.database.transaction(for: shop.tenant) { transaction in
      try await transaction.query("SELECT lease_until::text AS text FROM stripe_integration.purchases")
        .map { row in try row.get("text") }
    }
  }
}
