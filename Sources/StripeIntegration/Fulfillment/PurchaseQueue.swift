import Foundation
import Identity
import Postgres
import Purchases
import Queue
import StripeAPI
import Tenancy

/// The queue of tenants whose purchases are due, and what each claim has to do.
struct PurchaseQueue: Sendable {
  let database: TenantDatabase
  let tenants: TenantQueue

  init(database: TenantDatabase) {
    self.database = database
    tenants = TenantQueue(.purchases, database: database)
  }

  /// How many purchases one claim may take.
  static let length = 20
  /// How many times a claim is extended, each time after a quarter of it. If a single purchase takes longer, another worker
  /// joins in, and the leases keep the two apart.
  static let mostExtensions = 12

  /// What a claim has to do.
  struct Work: Sendable {
    let purchases: [PurchaseID]
    /// The first claim after a pause: one purchase tries whether the trouble is over.
    let isHalfOpen: Bool
    /// Whether there are thin events whose objects must be asked for.
    let hasThinEvents: Bool
  }

  /// The purchases of the tenant that are due, oldest first; none while the tenant is blocked, one after a pause.
  ///
  /// After a rush many purchases that have their licenses are still due for the write-back. A buyer without a license does
  /// not wait behind them: while others wait, purchases with licenses get at most every fourth place.
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
             AND NOT \(fragment: TenantQueue.isBlocked(tenant))
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
        (purchase: try row.get("purchase_id", as: PurchaseID.self), isHalfOpen: try row.get("is_probe", as: Bool.self))
      }
      return (rows, try await ThinEventQueue(tenant: tenant, transaction: transaction).isAnyDue())
    }
    return Work(
      purchases: rows.map(\.purchase), isHalfOpen: rows.first?.isHalfOpen ?? false, hasThinEvents: hasThinEvents)
  }

  /// Ends the claim: the tenant is due again when its next purchase or thin event is.
  func release(_ tenant: Tenant) async throws {
    try await tenants.release(
      tenant, isBlocked: TenantQueue.isBlocked(tenant),
      nextDue: """
        LEAST((
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
             AND fetch_at IS NOT NULL))
        """)
  }
}
