import Foundation
import Identity
package import Postgres
package import Purchases
package import StripeAPI
package import Tenancy

/// Stops work on a tenant's purchases while Stripe or the tenant's LicenseKit does not answer: each purchase that asked would
/// find the same.
///
/// Half-open, one purchase tells whether the trouble is over; see ``Purchases/Outage``.
package struct CircuitBreaker: Sendable {
  package let database: TenantDatabase

  package init(database: TenantDatabase) { self.database = database }

  /// Opens the breaker. The longer the outage lasts, the longer it stays open.
  /// - Parameter jitter: 0 to 1, spreads the tenants of one outage.
  package func open(_ tenant: Tenant, for outage: Outage, jitter: Double = .random(in: 0..<1)) async throws {
    try await database.transaction(for: tenant) { transaction in
      guard
        let row = try await transaction.query(
          """
          SELECT pauses, COALESCE(paused_at > now() - \("\(OutageBackoff.memory) seconds")::text::interval, false) AS goes_on
            FROM stripe_integration.turns
           WHERE account_id = \(tenant.account)
             AND livemode   = \(tenant.livemode)
             FOR UPDATE
          """
        ).first
      else { return }
      let goesOn: Bool = try row.get("goes_on")
      let number = goesOn ? try row.get("pauses", as: Int.self) : 0
      let length = OutageBackoff.length(number, jitter: jitter, atLeast: outage.atLeast)
      try await transaction.query(
        """
        UPDATE stripe_integration.turns
           SET paused_until = now() + make_interval(secs => \(length)::double precision),
               paused_at    = now(),
               paused_since = CASE WHEN \(goesOn) THEN COALESCE(paused_since, now()) ELSE now() END,
               pauses       = \(number + 1),
               pause_reason = \(outage.sentence)
         WHERE account_id = \(tenant.account)
           AND livemode   = \(tenant.livemode)
        """)
    }
  }

  /// Closes the breaker, because a purchase went through. That purchase may have needed nothing of the side that does
  /// not answer, so if it opens again soon, it stays open for longer than the shortest time.
  package func close(_ tenant: Tenant) async throws {
    try await database.transaction(for: tenant) { transaction in
      _ = try await transaction.query(
        """
        UPDATE stripe_integration.turns
           SET paused_until = '-infinity',
               paused_since = NULL,
               pause_reason = NULL,
               pauses       = pauses / 2
         WHERE account_id = \(tenant.account)
           AND livemode   = \(tenant.livemode)
           AND paused_until > '-infinity'
        """)
    }
  }

  /// Closes the breaker, because a person says that the trouble is over, and makes the tenant due.
  package static func reset(_ tenant: Tenant, in transaction: PostgresTransaction) async throws {
    try await transaction.query(
      """
      UPDATE stripe_integration.turns
         SET paused_until = '-infinity',
             paused_since = NULL,
             pause_reason = NULL,
             pauses       = 0
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
      """)
    try await TenantQueue.enqueue(tenant, in: .purchases, transaction)
  }
}
