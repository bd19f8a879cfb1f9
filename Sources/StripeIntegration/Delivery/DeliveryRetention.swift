import Identity
import Postgres
import StripeAPI
import Tenancy

/// Removes the log of deliveries whose time is over, and messages that nothing refers to any more.
struct DeliveryRetention: RetentionRule {
  static let age = "30 days"

  let database: TenantDatabase
  let subject = "deliveries"

  func removeOld(of tenant: Tenant) async throws -> Int {
    let removed = try await inBatches { try await removeDeliveries(of: tenant) }
    _ = try await inBatches { try await removeMessages(of: tenant) }
    return removed
  }

  func tenant(after last: Tenant?) async throws -> Tenant? {
    try await database.transaction(as: .worker) { transaction in
      try await transaction.query(
        """
        SELECT account_id, livemode
          FROM stripe_integration.deliveries
         WHERE (account_id, livemode) > (\(last?.account.rawValue ?? "")::text, \(last?.livemode ?? false)::boolean)
         ORDER BY account_id, livemode
         LIMIT 1
        """
      ).first.map { row in Tenant(account: try row.get("account_id"), livemode: try row.get("livemode")) }
    }
  }

  /// What was replayed lately is young again. What waits for an endpoint that is switched off goes with the rest.
  private func removeDeliveries(of tenant: Tenant) async throws -> Int {
    try await database.transaction(for: tenant) { transaction in
      try await transaction.query(
        """
        WITH old AS (
          DELETE FROM stripe_integration.deliveries d
           USING (SELECT delivery_id
                    FROM stripe_integration.deliveries
                   WHERE account_id   = \(tenant.account)
                     AND livemode     = \(tenant.livemode)
                     AND created_at   < now() - \(Self.age)::text::interval
                     AND series_since < now() - \(Self.age)::text::interval
                   ORDER BY created_at, delivery_id
                   LIMIT \(Retention.batch)) o
           WHERE d.account_id  = \(tenant.account)
             AND d.livemode    = \(tenant.livemode)
             AND d.delivery_id = o.delivery_id
          RETURNING d.delivery_id
        ), attempts AS (
          DELETE FROM stripe_integration.delivery_attempts a
           USING old
           WHERE a.account_id  = \(tenant.account)
             AND a.livemode    = \(tenant.livemode)
             AND a.delivery_id = old.delivery_id
        ), mailed AS (
          DELETE FROM stripe_integration.mailed_licenses m
           USING old
           WHERE m.account_id  = \(tenant.account)
             AND m.livemode    = \(tenant.livemode)
             AND m.delivery_id = old.delivery_id
        )
        SELECT delivery_id FROM old
        """
      ).count
    }
  }

  private func removeMessages(of tenant: Tenant) async throws -> Int {
    try await database.transaction(for: tenant) { transaction in
      try await transaction.query(
        """
        DELETE FROM stripe_integration.notices n
         USING (SELECT notice_id
                  FROM stripe_integration.notices t
                 WHERE account_id = \(tenant.account)
                   AND livemode   = \(tenant.livemode)
                   AND created_at < now() - \(Self.age)::text::interval
                   AND NOT EXISTS (SELECT FROM stripe_integration.deliveries d
                                    WHERE d.account_id = t.account_id
                                      AND d.livemode   = t.livemode
                                      AND d.notice_id  = t.notice_id)
                 ORDER BY created_at
                 LIMIT \(Retention.batch)) o
         WHERE n.account_id = \(tenant.account)
           AND n.livemode   = \(tenant.livemode)
           AND n.notice_id  = o.notice_id
        """
      ).affectedRows
    }
  }
}
