package import Foundation
import Identity
package import Postgres
package import StripeAPI
package import Tenancy

/// A queue of tenants that have work of one kind. Each is claimed for a bounded piece of it and goes to the end of the queue
/// afterwards, so that the flood of one tenant delays no other by more than one claim.
///
/// The row of a tenant says when it is due and until when it is claimed. A replica that dies leaves a claim that ends by
/// itself; one that lives extends it in time.
package struct TenantQueue: Sendable {
  /// What waits. Each kind has a table with one row a tenant.
  package enum Kind: Sendable, CaseIterable {
    /// Purchases to reconcile, and objects of thin events to ask for.
    case purchases
    /// Long work that a person or a schedule asked for.
    case jobs

    fileprivate var table: PostgresQuery {
      switch self {
      case .purchases: "stripe_integration.turns"
      case .jobs: "stripe_integration.job_turns"
      }
    }

    /// How long a replica that dies keeps the tenant waiting.
    package var claim: Duration {
      switch self {
      case .purchases: .seconds(20)
      case .jobs: .seconds(30)
      }
    }

    fileprivate var claimText: String { "\(claim.components.seconds) seconds" }

    /// Until when the circuit breaker is open for the tenant in row `t` (``CircuitBreaker``): nothing is due before.
    fileprivate var openUntil: PostgresQuery {
      switch self {
      case .purchases: "t.paused_until"
      case .jobs: "'-infinity'::timestamptz"
      }
    }
  }

  package let kind: Kind
  package let database: TenantDatabase

  package init(_ kind: Kind, database: TenantDatabase) {
    self.kind = kind
    self.database = database
  }

  /// Claims the tenant that waits longest; nil when none is due.
  package func claim() async throws -> Tenant? {
    try await database.transaction(as: .worker) { transaction in
      try await transaction.query(
        """
        WITH next AS (
          SELECT account_id, livemode
            FROM \(fragment: kind.table)
           WHERE due_at        <= now()
             AND claimed_until <= now()
           ORDER BY due_at
           LIMIT 1
             FOR UPDATE SKIP LOCKED
        )
        UPDATE \(fragment: kind.table) t
           SET claimed_until = now() + \(kind.claimText)::text::interval
          FROM next n
         WHERE t.account_id = n.account_id
           AND t.livemode   = n.livemode
        RETURNING t.account_id, t.livemode
        """
      ).first.map { row in Tenant(account: try row.get("account_id"), livemode: try row.get("livemode")) }
    }
  }

  /// Keeps the claim for another while.
  package func extend(_ tenant: Tenant) async throws {
    try await database.transaction(for: tenant) { transaction in
      try await Self.extend(kind, tenant, in: transaction)
    }
  }

  /// Keeps the claim for another while, within a transaction of the tenant.
  package static func extend(_ kind: Kind, _ tenant: Tenant, in transaction: PostgresTransaction) async throws {
    try await transaction.query(
      """
      UPDATE \(fragment: kind.table)
         SET claimed_until = now() + \(kind.claimText)::text::interval
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
      """)
  }

  /// Makes the tenant due, within a transaction of the tenant; not while the circuit breaker is open.
  /// - Parameter moment: now when nil. A tenant that is due sooner stays so.
  package static func enqueue(
    _ tenant: Tenant, in kind: Kind, at moment: Date? = nil, _ transaction: PostgresTransaction
  ) async throws {
    try await transaction.query(
      """
      INSERT INTO \(fragment: kind.table) AS t (account_id, livemode, due_at)
      VALUES (\(tenant.account), \(tenant.livemode), COALESCE(\(moment)::timestamptz, now()))
      ON CONFLICT (account_id, livemode) DO UPDATE
         SET due_at = GREATEST(\(fragment: kind.openUntil), LEAST(t.due_at, excluded.due_at))
      """)
  }

  /// Ends the claim: the tenant is due again when its next piece of work is, behind those that wait now.
  ///
  /// The row is locked before the work is looked at, so that what is enqueued meanwhile is either seen here or makes the tenant
  /// due after this.
  /// - Parameters:
  ///   - isBlocked: a condition: nothing can be done for the tenant, so that it is not due until somebody enqueues it.
  ///   - nextDue: an expression: when the next piece of its work is due, NULL when there is none.
  package func release(_ tenant: Tenant, isBlocked: PostgresQuery, nextDue: PostgresQuery) async throws {
    try await database.transaction(for: tenant) { transaction in
      try await transaction.query(
        """
        SELECT FROM \(fragment: kind.table)
         WHERE account_id = \(tenant.account)
           AND livemode   = \(tenant.livemode)
           FOR UPDATE
        """)
      try await transaction.query(
        """
        UPDATE \(fragment: kind.table) t
           SET claimed_until = '-infinity',
               due_at = CASE
                 WHEN \(fragment: isBlocked)
                 THEN 'infinity'
                 ELSE GREATEST(now(), \(fragment: kind.openUntil), COALESCE(\(fragment: nextDue), 'infinity'))
               END
         WHERE account_id = \(tenant.account)
           AND livemode   = \(tenant.livemode)
        """)
    }
  }
}

extension TenantQueue {
  /// A condition: the tenant's connection is there and in order.
  package static func isConnected(_ tenant: Tenant) -> PostgresQuery {
    """
    EXISTS (SELECT FROM stripe_integration.connections c
             WHERE c.account_id = \(tenant.account)
               AND c.livemode   = \(tenant.livemode)
               AND c.parked_reason IS NULL
               AND c.status     = 'connected')
    """
  }

  /// A condition: the tenant has a connection that only a person can mend. One that was never connected is not blocked: its
  /// work says so itself.
  package static func isBlocked(_ tenant: Tenant) -> PostgresQuery {
    """
    EXISTS (SELECT FROM stripe_integration.connections c
             WHERE c.account_id = \(tenant.account)
               AND c.livemode   = \(tenant.livemode)
               AND (c.parked_reason IS NOT NULL OR c.status <> 'connected'))
    """
  }
}
