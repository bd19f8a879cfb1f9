import Identity
import Postgres
import StripeAPI
import Tenancy

/// Removes events that are so old that Stripe itself could not deliver them again.
///
/// Stripe lists and resends events for 30 days (Stripe docs, "Webhooks"), so an older id cannot come again. Events that wait
/// for an account to be connected expire after the same time. Facts, purchases and their timelines stay.
struct EventRetention: RetentionRule {
  static let age = "30 days"

  let database: TenantDatabase
  let subject = "events"

  func tenant(after last: Tenant?) async throws -> Tenant? {
    try await database.transaction(as: .worker) { transaction in
      try await transaction.query(
        """
        SELECT account_id, livemode
          FROM stripe_integration.inbox
         WHERE (account_id, livemode) > (\(last?.account.rawValue ?? "")::text, \(last?.livemode ?? false)::boolean)
         ORDER BY account_id, livemode
         LIMIT 1
        """
      ).first.map { row in Tenant(account: try row.get("account_id"), livemode: try row.get("livemode")) }
    }
  }

  func removeOld(of tenant: Tenant) async throws -> Int {
    try await inBatches { try await removeBatch(of: tenant) }
  }

  private func removeBatch(of tenant: Tenant) async throws -> Int {
    try await database.transaction(for: tenant) { transaction in
      try await transaction.query(
        """
        DELETE FROM stripe_integration.inbox i
         USING (SELECT event_id
                  FROM stripe_integration.inbox
                 WHERE account_id = \(tenant.account)
                   AND livemode   = \(tenant.livemode)
                   AND created    < now() - \(Self.age)::text::interval
                   AND state     <> 'new'
                 ORDER BY created, event_id
                 LIMIT \(Retention.batch)) old
         WHERE i.account_id = \(tenant.account)
           AND i.livemode   = \(tenant.livemode)
           AND i.event_id   = old.event_id
        """
      ).affectedRows
    }
  }
}
