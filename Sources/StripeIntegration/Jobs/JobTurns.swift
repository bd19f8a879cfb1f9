import Foundation
import Identity
import Postgres

/// Whose turn of long work it is: tenants are served one after another, each for a few seconds, as `Turns` does it for
/// purchases. A tenant's jobs take turns within its own.
struct JobTurns: Sendable {
  let database: TenantDatabase
  /// The kinds of job that this replica knows. Another kind is left to a newer replica.
  let kinds: [JobKind]

  /// A replica that dies in a turn keeps the tenant's jobs waiting for this long; one that lives asks for more in time.
  static let claim: Duration = .seconds(30)

  private static var claimText: String { "\(claim.components.seconds) seconds" }

  /// Claims the turn of the tenant that waits longest.
  func claim() async throws -> Tenant? {
    try await database.transaction(as: .worker) { transaction in
      try await transaction.query(
        """
        WITH next AS (
          SELECT account_id, livemode
            FROM stripe_integration.job_turns
           WHERE due_at        <= now()
             AND claimed_until <= now()
           ORDER BY due_at
           LIMIT 1
             FOR UPDATE SKIP LOCKED
        )
        UPDATE stripe_integration.job_turns t
           SET claimed_until = now() + \(Self.claimText)::text::interval
          FROM next n
         WHERE t.account_id = n.account_id
           AND t.livemode   = n.livemode
        RETURNING t.account_id, t.livemode
        """
      ).first.map { row in Tenant(account: try row.get("account_id"), livemode: try row.get("livemode")) }
    }
  }

  /// Keeps the turn for another while.
  static func hold(_ tenant: Tenant, in transaction: PostgresTransaction) async throws {
    try await transaction.query(
      """
      UPDATE stripe_integration.job_turns
         SET claimed_until = now() + \(claimText)::text::interval
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
      """)
  }

  /// Puts the tenant in line.
  static func give(to tenant: Tenant, in transaction: PostgresTransaction) async throws {
    try await transaction.query(
      """
      INSERT INTO stripe_integration.job_turns AS t (account_id, livemode, due_at)
      VALUES (\(tenant.account), \(tenant.livemode), now())
      ON CONFLICT (account_id, livemode) DO UPDATE
         SET due_at = LEAST(t.due_at, excluded.due_at)
      """)
  }

  /// Ends the turn: the tenant is due again when its next job is, behind those that wait now. One that is parked or not
  /// connected is not due until that has changed.
  ///
  /// The row is locked before the jobs are looked at, so that a job made meanwhile is either seen here or moves the turn
  /// after this.
  func end(of tenant: Tenant) async throws {
    try await database.transaction(for: tenant) { transaction in
      try await transaction.query(
        """
        SELECT FROM stripe_integration.job_turns
         WHERE account_id = \(tenant.account)
           AND livemode   = \(tenant.livemode)
           FOR UPDATE
        """)
      try await transaction.query(
        """
        UPDATE stripe_integration.job_turns
           SET claimed_until = '-infinity',
               due_at = CASE
                 WHEN NOT EXISTS (SELECT FROM stripe_integration.connections c
                                   WHERE c.account_id = \(tenant.account)
                                     AND c.livemode   = \(tenant.livemode)
                                     AND c.parked_reason IS NULL
                                     AND c.status     = 'connected')
                 THEN 'infinity'
                 ELSE GREATEST(now(), COALESCE((
                   SELECT min(CASE WHEN kind = ANY(\(kinds.map(\.rawValue))) THEN GREATEST(due_at, lease_until)
                                   ELSE now() + interval '30 seconds' END)
                     FROM stripe_integration.jobs
                    WHERE account_id = \(tenant.account)
                      AND livemode   = \(tenant.livemode)
                      AND state IN ('queued', 'running')), 'infinity'))
               END
         WHERE account_id = \(tenant.account)
           AND livemode   = \(tenant.livemode)
        """)
    }
  }
}
