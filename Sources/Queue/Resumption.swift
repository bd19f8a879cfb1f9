import Identity
package import Postgres
package import StripeAPI
import Tenancy

/// What a connection that comes back sets going.
package enum Resumption {
  /// Events that waited for the account are new again, and the tenant is due in every queue.
  package static func begin(for tenant: Tenant, in transaction: PostgresTransaction) async throws {
    try await transaction.query(
      """
      UPDATE stripe_integration.inbox
         SET state      = 'new',
             outcome    = NULL,
             handled_at = NULL
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
         AND state      = 'waiting'
         AND EXISTS (SELECT FROM stripe_integration.connections c
                      WHERE c.account_id = \(tenant.account)
                        AND c.livemode   = \(tenant.livemode)
                        AND c.status     = 'connected')
      """)
    try await CircuitBreaker.reset(tenant, in: transaction)
    try await TenantQueue.enqueue(tenant, in: .jobs, transaction)
    try await EventSyncQueue.enqueue(tenant, in: transaction)
  }
}
