import Identity
package import Postgres
package import StripeAPI
import Tenancy

/// When the events of a tenant are next read from Stripe's own list.
package enum EventSyncQueue {
  /// Has the tenant's events read soon: it was connected, or can be served again.
  ///
  /// What a first installation finds before itself is no gap: whether that is licensed is the vendor's choice, by a
  /// backfill. After a later one the reading goes on where it stopped.
  package static func enqueue(_ tenant: Tenant, in transaction: PostgresTransaction) async throws {
    try await transaction.query(
      """
      INSERT INTO stripe_integration.sweeps AS s (account_id, livemode, due_at, read_up_to)
      SELECT account_id, livemode, now(), COALESCE(installed_at, now())
        FROM stripe_integration.connections
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
         AND status     = 'connected'
      ON CONFLICT (account_id, livemode) DO UPDATE
         SET due_at  = LEAST(s.due_at, excluded.due_at),
             problem = NULL
      """)
  }
}
