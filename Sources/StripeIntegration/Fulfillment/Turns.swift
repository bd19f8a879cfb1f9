import Foundation
import Identity
import Postgres

/// Whose turn it is: tenants with something to do are served one after another, each for a bounded piece of work, and go
/// to the end of the line after it. So a flood of one tenant delays no other by more than a turn.
struct Turns: Sendable {
  let database: TenantDatabase

  /// Purchases that one turn may take up.
  static let length = 20
  /// A turn takes up nothing more after this, so that a tenant whose calls all hang gives its place away soon.
  static let time: Duration = .seconds(5)
  /// A replica that dies in a turn keeps the tenant waiting for this long. One that lives asks for more in time.
  static let claim: Duration = .seconds(20)
  /// How often it asks, each time after a quarter of the claim. If a single purchase takes longer, another worker joins in, and
  /// the leases keep the two apart.
  static let longestHeld = 12

  /// Claims the turn of the tenant that waits longest.
  func claim() async throws -> Tenant? {
    try await database.transaction(as: .worker) { transaction in
      try await transaction.query(
        """
        WITH next AS (
          SELECT account_id, livemode
            FROM stripe_integration.turns
           WHERE due_at       <= now()
             AND claimed_until <= now()
           ORDER BY due_at
           LIMIT 1
             FOR UPDATE SKIP LOCKED
        )
        UPDATE stripe_integration.turns t
           SET claimed_until = now() + \(Self.claimText)::text::interval
          FROM next n
         WHERE t.account_id = n.account_id
           AND t.livemode   = n.livemode
        RETURNING t.account_id, t.livemode
        """
      ).first.map { row in Tenant(account: try row.get("account_id"), livemode: try row.get("livemode")) }
    }
  }

  private static var claimText: String { "\(claim.components.seconds) seconds" }

  /// Keeps the turn for another while.
  func hold(_ tenant: Tenant) async throws {
    try await database.transaction(for: tenant) { transaction in
      _ = try await transaction.query(
        """
        UPDATE stripe_integration.turns
           SET claimed_until = now() + \(Self.claimText)::text::interval
         WHERE account_id = \(tenant.account)
           AND livemode   = \(tenant.livemode)
        """)
    }
  }

  /// What a turn has to do.
  struct Work: Sendable {
    let purchases: [PurchaseID]
    /// The first turn after a pause: one purchase tells whether the trouble is over.
    let isProbe: Bool
    /// Whether objects of thin events are to be asked for.
    let hasThinEvents: Bool
  }

  /// The purchases of the tenant that are due, oldest first; none while the tenant is parked, one after a pause.
  ///
  /// After a rush many purchases that have their licenses are due for what is left (see the write-back). A buyer without a
  /// license does not wait behind them: of those that have theirs every fourth place is taken at most, while others wait.
  func work(of tenant: Tenant) async throws -> Work {
    let (rows, hasThinEvents) = try await database.transaction(for: tenant) { transaction in
      let rows = try await transaction.query(
        """
        WITH turn AS (
          SELECT paused_until > '-infinity' AS is_probe
            FROM stripe_integration.turns
           WHERE account_id = \(tenant.account)
             AND livemode   = \(tenant.livemode)
        ), due AS NOT MATERIALIZED (
          SELECT purchase_id, attention_at, status = 'fulfilled' AS is_served
            FROM stripe_integration.purchases
           WHERE account_id    = \(tenant.account)
             AND livemode      = \(tenant.livemode)
             AND attention_at <= now()
             AND lease_until  <= now()
             AND merged_into IS NULL
             AND NOT EXISTS (SELECT FROM stripe_integration.connections c
                              WHERE c.account_id = \(tenant.account)
                                AND c.livemode   = \(tenant.livemode)
                                AND (c.parked_reason IS NOT NULL OR c.status <> 'connected'))
        ), waiting AS (
          SELECT purchase_id, attention_at FROM due WHERE NOT is_served ORDER BY attention_at LIMIT \(Self.length)
        ), served AS (
          SELECT purchase_id, attention_at FROM due WHERE is_served ORDER BY attention_at LIMIT \(Self.length)
        )
        SELECT purchase_id, COALESCE((SELECT is_probe FROM turn), false) AS is_probe
          FROM (SELECT purchase_id, attention_at, row_number() OVER (ORDER BY attention_at) * 4 AS place FROM waiting
                UNION ALL
                SELECT purchase_id, attention_at, row_number() OVER (ORDER BY attention_at) * 12 AS place FROM served) p
         ORDER BY place, attention_at
         LIMIT CASE WHEN (SELECT is_probe FROM turn) THEN 1 ELSE \(Self.length)::bigint END
        """
      ).map { row in
        (purchase: try row.get("purchase_id", as: PurchaseID.self), isProbe: try row.get("is_probe", as: Bool.self))
      }
      return (rows, try await ThinEventQueue(tenant: tenant, transaction: transaction).isAnyDue())
    }
    return Work(
      purchases: rows.map(\.purchase), isProbe: rows.first?.isProbe ?? false, hasThinEvents: hasThinEvents)
  }

  /// Ends the turn: the tenant is due again when its next purchase or thin event is, behind those that wait now. A parked tenant is not
  /// due until it is mended.
  ///
  /// The row is locked before the purchases are looked at, so that a mark made meanwhile is either seen here or moves the
  /// turn after this.
  func end(of tenant: Tenant) async throws {
    try await database.transaction(for: tenant) { transaction in
      try await transaction.query(
        """
        SELECT FROM stripe_integration.turns
         WHERE account_id = \(tenant.account)
           AND livemode   = \(tenant.livemode)
           FOR UPDATE
        """)
      try await transaction.query(
        """
        UPDATE stripe_integration.turns
           SET claimed_until = '-infinity',
               due_at = CASE
                 WHEN EXISTS (SELECT FROM stripe_integration.connections c
                               WHERE c.account_id = \(tenant.account)
                                 AND c.livemode   = \(tenant.livemode)
                                 AND (c.parked_reason IS NOT NULL OR c.status <> 'connected'))
                 THEN 'infinity'
                 ELSE GREATEST(now(), paused_until, COALESCE(LEAST((
                   SELECT min(GREATEST(attention_at, lease_until))
                     FROM stripe_integration.purchases
                    WHERE account_id = \(tenant.account)
                      AND livemode   = \(tenant.livemode)
                      AND attention_at IS NOT NULL
                      AND merged_into IS NULL), (
                   SELECT min(fetch_at)
                     FROM stripe_integration.inbox
                    WHERE account_id = \(tenant.account)
                      AND livemode   = \(tenant.livemode)
                      AND state      = 'waiting'
                      AND fetch_at IS NOT NULL)), 'infinity'))
               END
         WHERE account_id = \(tenant.account)
           AND livemode   = \(tenant.livemode)
        """)
    }
  }

  // MARK: Outages

  /// Leaves the tenant in peace: the other side is away, and each purchase that asked would only find the same. The longer
  /// it lasts, the longer the pause.
  func pause(_ tenant: Tenant, for outage: Outage, jitter: Double = .random(in: 0..<1)) async throws {
    try await database.transaction(for: tenant) { transaction in
      guard
        let row = try await transaction.query(
          """
          SELECT pauses, COALESCE(paused_at > now() - \("\(OutagePause.memory) seconds")::text::interval, false) AS goes_on
            FROM stripe_integration.turns
           WHERE account_id = \(tenant.account)
             AND livemode   = \(tenant.livemode)
             FOR UPDATE
          """
        ).first
      else { return }
      let goesOn: Bool = try row.get("goes_on")
      let number = goesOn ? try row.get("pauses", as: Int.self) : 0
      let length = OutagePause.length(number, jitter: jitter, atLeast: outage.atLeast)
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

  /// Ends the pauses: a purchase went through. It may be one that needed nothing of the side that is away: should there be
  /// another pause soon, it does not begin at the shortest.
  func resume(_ tenant: Tenant) async throws {
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

  /// Ends a pause because a person says that the trouble is over.
  static func endPause(of tenant: Tenant, in transaction: PostgresTransaction) async throws {
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
  }
}
