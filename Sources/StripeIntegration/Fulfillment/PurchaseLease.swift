import Foundation
import Identity
import Postgres
import Purchases
import Queue
import StripeAPI

/// The right to work on a purchase for some time. After it expires another worker can take it over, and the fencing number
/// then makes every later write of this worker fail.
struct PurchaseLease: Sendable {
  /// Longer than any single call may take, and no longer than a buyer should wait after a replica died.
  static let duration = "60 seconds"

  let tenant: Tenant
  let purchase: PurchaseID
  let fence: Int64
  /// The reconcile requests that this run answers; a later one starts another run.
  let generation: Int64
  let attempts: Int
  /// The state in which the previous run left the purchase.
  let status: String
  let reason: String?
  /// The licenses are to be looked at in LicenseKit, whether or not they need a change.
  let inspects: Bool
  /// The previous lease was abandoned: its worker crashed or lost the database.
  let wasAbandoned: Bool
  /// How many times that happened since a run last ended.
  let abandoned: Int

  /// Takes the lease, unless another worker has it.
  static func take(
    _ purchase: PurchaseID, of tenant: Tenant, in transaction: PostgresTransaction
  ) async throws -> PurchaseLease? {
    try await transaction.query(
      """
      WITH former AS (
        SELECT lease_until > '-infinity' AS was_abandoned
          FROM stripe_integration.purchases
         WHERE account_id   = \(tenant.account)
           AND livemode     = \(tenant.livemode)
           AND purchase_id  = \(purchase)
           AND merged_into IS NULL
           AND lease_until <= now()
           FOR UPDATE
      )
      UPDATE stripe_integration.purchases p
         SET lease_until = now() + \(Self.duration)::text::interval,
             fence       = p.fence + 1,
             abandoned   = p.abandoned + former.was_abandoned::integer
        FROM former
       WHERE p.account_id  = \(tenant.account)
         AND p.livemode    = \(tenant.livemode)
         AND p.purchase_id = \(purchase)
      RETURNING p.fence, p.attention_seq, p.attempts, p.status, p.reason, p.inspect, p.abandoned, former.was_abandoned
      """
    ).first.map { row in
      PurchaseLease(
        tenant: tenant, purchase: purchase, fence: try row.get("fence"), generation: try row.get("attention_seq"),
        attempts: try row.get("attempts"), status: try row.get("status"), reason: try row.get("reason"),
        inspects: try row.get("inspect"), wasAbandoned: try row.get("was_abandoned"),
        abandoned: try row.get("abandoned", as: Int.self))
    }
  }

  /// Sets the purchase aside for a while if its lease was abandoned too often: the purchase may be what crashes processes.
  /// - Returns: whether it was set aside.
  func setAside(at now: Date, in transaction: PostgresTransaction) async throws -> Bool {
    guard wasAbandoned, abandoned >= Caution.mostEnds else { return false }
    try await end(
      Ending(
        status: .failed, reason: Caution.reasonOfPurchase,
        nextLook: now.addingTimeInterval(Caution.delay(afterEnds: abandoned)), abandoned: abandoned),
      in: transaction)
    try await Timeline(tenant: tenant, purchase: purchase, transaction: transaction)
      .add(.note, "Set aside.", detail: Caution.reasonOfPurchase)
    return true
  }

  /// Extends the lease; every transaction of a run begins with it.
  /// - Throws: `LeaseLost`.
  func hold(in transaction: PostgresTransaction) async throws {
    let held = try await transaction.query(
      """
      UPDATE stripe_integration.purchases
         SET lease_until = now() + \(Self.duration)::text::interval
       WHERE account_id  = \(tenant.account)
         AND livemode    = \(tenant.livemode)
         AND purchase_id = \(purchase)
         AND fence       = \(fence)
      """)
    guard held.affectedRows == 1 else { throw LeaseLost() }
  }

  /// Shows the state of the purchase during the run.
  func show(_ decision: Decision, in transaction: PostgresTransaction) async throws {
    try await transaction.query(
      """
      UPDATE stripe_integration.purchases
         SET kind        = COALESCE(\(decision.root?.kind), kind),
             stripe_id   = COALESCE(\(decision.root?.stripeID), stripe_id),
             customer_id = COALESCE(\(decision.customer?.stripeCustomer), customer_id),
             status      = \(decision.status.rawValue),
             reason      = \(decision.reason),
             updated_at  = now()
       WHERE account_id  = \(tenant.account)
         AND livemode    = \(tenant.livemode)
         AND purchase_id = \(purchase)
         AND fence       = \(fence)
      """)
  }

  /// Whether other purchases of the tenant wait for their licenses.
  func othersWait(in transaction: PostgresTransaction) async throws -> Bool {
    try await transaction.query(
      """
      SELECT FROM stripe_integration.purchases
       WHERE account_id    = \(tenant.account)
         AND livemode      = \(tenant.livemode)
         AND attention_at <= now()
         AND lease_until  <= now()
         AND status        = 'pending'
         AND merged_into IS NULL
         AND purchase_id  <> \(purchase)
       LIMIT 1
      """
    ).first != nil
  }

  /// How a run leaves its purchase.
  struct Ending {
    var decision: Decision?
    var status: PurchaseStatus
    var reason: String?
    var attempts = 0
    /// When to look again; nil if nothing is known to change.
    var nextLook: Date?
    /// How many abandoned leases to remember; none after a run that ended.
    var abandoned = 0
  }

  /// Ends the run. A reconcile request that came meanwhile keeps the purchase due.
  func end(_ ending: Ending, in transaction: PostgresTransaction) async throws {
    let root = ending.decision?.root
    let customer = ending.decision?.customer?.stripeCustomer
    let ended = try await transaction.query(
      """
      UPDATE stripe_integration.purchases
         SET kind         = COALESCE(\(root?.kind), kind),
             stripe_id    = COALESCE(\(root?.stripeID), stripe_id),
             customer_id  = COALESCE(\(customer), customer_id),
             status       = \(ending.status.rawValue),
             reason       = \(ending.reason),
             attempts     = \(ending.attempts),
             abandoned    = \(ending.abandoned),
             inspect      = inspect AND attention_seq <> \(generation),
             attention_at = CASE WHEN attention_seq = \(generation) THEN \(ending.nextLook)::timestamptz ELSE now() END,
             lease_until  = '-infinity',
             updated_at   = now()
       WHERE account_id  = \(tenant.account)
         AND livemode    = \(tenant.livemode)
         AND purchase_id = \(purchase)
         AND fence       = \(fence)
      """)
    guard ended.affectedRows == 1 else { throw LeaseLost() }
    if let nextLook = ending.nextLook {
      try await TenantQueue.enqueue(tenant, in: .purchases, at: nextLook, transaction)
    }
  }

  /// Gives the purchase back unchanged, to be tried again at once or after a back-off.
  func release(retryAt: Date?, attempts: Int, reason: String?, in transaction: PostgresTransaction) async throws {
    try await transaction.query(
      """
      UPDATE stripe_integration.purchases
         SET lease_until  = '-infinity',
             attempts     = \(attempts),
             abandoned    = 0,
             reason       = COALESCE(\(reason), reason),
             attention_at = CASE WHEN attention_seq = \(generation) THEN COALESCE(\(retryAt)::timestamptz, now()) ELSE now() END,
             updated_at   = now()
       WHERE account_id  = \(tenant.account)
         AND livemode    = \(tenant.livemode)
         AND purchase_id = \(purchase)
         AND fence       = \(fence)
      """)
    try await TenantQueue.enqueue(tenant, in: .purchases, at: retryAt, transaction)
  }
}
