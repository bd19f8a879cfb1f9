import Identity
import Postgres
import StripeAPI
import Tenancy

/// The requests of the Dashboard app that changed something, within a transaction of their tenant.
///
/// A signed request can be sent again until its signature is too old. The row's key makes sure that each is carried out only
/// once, over all replicas and even if Redis is down.
struct AppRequestLog {
  let tenant: Tenant
  let transaction: PostgresTransaction

  /// Uses up a nonce.
  /// - Returns: false if it was used before. Of two requests at the same time one waits here for the other.
  func use(_ nonce: String) async throws -> Bool {
    try await transaction.query(
      """
      INSERT INTO stripe_integration.app_requests (account_id, livemode, nonce)
      VALUES (\(tenant.account), \(tenant.livemode), \(nonce))
      ON CONFLICT DO NOTHING
      """
    ).affectedRows == 1
  }
}

/// Removes nonces whose signatures are too old to be accepted.
struct AppRequestRetention: RetentionRule {
  /// A signature is accepted for five minutes; the rest allows for clocks that differ.
  static let age = "1 hour"

  let database: TenantDatabase
  let subject = "requests of the Dashboard app"

  func tenant(after last: Tenant?) async throws -> Tenant? {
    try await database.transaction(as: .worker) { transaction in
      try await transaction.query(
        """
        SELECT account_id, livemode
          FROM stripe_integration.app_requests
         WHERE (account_id, livemode) > (\(last?.account.rawValue ?? "")::text, \(last?.livemode ?? false)::boolean)
         ORDER BY account_id, livemode
         LIMIT 1
        """
      ).first.map { row in Tenant(account: try row.get("account_id"), livemode: try row.get("livemode")) }
    }
  }

  func removeOld(of tenant: Tenant) async throws -> Int {
    try await inBatches {
      try await database.transaction(for: tenant) { transaction in
        try await transaction.query(
          """
          DELETE FROM stripe_integration.app_requests r
           USING (SELECT nonce
                    FROM stripe_integration.app_requests
                   WHERE account_id = \(tenant.account)
                     AND livemode   = \(tenant.livemode)
                     AND at         < now() - \(Self.age)::text::interval
                   ORDER BY at
                   LIMIT \(Retention.batch)) old
           WHERE r.account_id = \(tenant.account)
             AND r.livemode   = \(tenant.livemode)
             AND r.nonce      = old.nonce
          """
        ).affectedRows
      }
    }
  }
}
