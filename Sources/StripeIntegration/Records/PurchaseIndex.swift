import Cryptography
import Foundation
import Identity
import LicenseKitAPI
import Postgres
import Purchases
import Queue
import StripeAPI

/// Which purchase a Stripe id belongs to, within a transaction of one tenant.
struct PurchaseIndex {
  let tenant: Tenant
  let transaction: PostgresTransaction

  /// The purchase that any of the ids leads to. If they lead to several purchases, those are one, and are merged.
  /// - Parameter creating: whether to create a purchase if no id is known.
  func purchase(of aliases: [String], creating: Bool) async throws -> PurchaseID? {
    guard let first = aliases.first else { return nil }
    let found = try await transaction.query(
      """
      SELECT DISTINCT purchase_id
        FROM stripe_integration.aliases
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
         AND stripe_id  = ANY(\(aliases))
      """
    ).map { row in try row.get("purchase_id", as: PurchaseID.self) }
    let purchase: PurchaseID
    switch found.count {
    case 0:
      guard creating else { return nil }
      purchase = try await create(named: first)
    case 1: purchase = found[0]
    default: purchase = try await merge(found)
    }
    try await transaction.query(
      """
      INSERT INTO stripe_integration.aliases (account_id, livemode, stripe_id, purchase_id)
      SELECT \(tenant.account)::text, \(tenant.livemode)::boolean, stripe_id, \(purchase)::text
        FROM unnest(\(aliases)::text[]) AS stripe_id
          ON CONFLICT DO NOTHING
      """)
    return purchase
  }

  /// Links what was found out about a purchase to the purchase that it belongs to.
  /// - Parameter knowledge: what is known of the purchase that it was found out about.
  /// - Returns: the purchase that the snapshot belongs to, and whether that is the same one under another name; nil if it
  ///   belongs to none.
  func link(
    _ snapshot: Snapshot, to purchase: PurchaseID, knowing knowledge: Knowledge
  ) async throws -> (purchase: PurchaseID, isOwn: Bool)? {
    guard let link = knowledge.link(of: snapshot, askedBy: purchase.rawValue),
      let linked = try await self.purchase(of: link.ids, creating: link.begins)
    else { return nil }
    return (linked, link.isOwn)
  }

  /// The purchase that a license was issued for; nil if this tenant has no such license.
  func purchase(ofLicense license: LicenseID) async throws -> PurchaseID? {
    try await transaction.query(
      """
      SELECT purchase_id
        FROM stripe_integration.units
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
         AND license_id = \(license)
      """
    ).first?.get("purchase_id")
  }

  private func create(named stripeID: String) async throws -> PurchaseID {
    let purchase = PurchaseID(Random.id(prefix: "ful_"))
    try await transaction.query(
      """
      INSERT INTO stripe_integration.purchases (account_id, livemode, purchase_id, stripe_id)
      VALUES (\(tenant.account), \(tenant.livemode), \(purchase), \(stripeID))
      """)
    // A purchase's own id is one of its aliases too: Stripe's answer to a purchase's question belongs to the purchase even if
    // it contains no known id.
    try await transaction.query(
      """
      INSERT INTO stripe_integration.aliases (account_id, livemode, stripe_id, purchase_id)
      VALUES (\(tenant.account), \(tenant.livemode), \(purchase), \(purchase))
      """)
    return purchase
  }

  /// Merges several purchases into one: the one that has licenses stays, or else the oldest.
  private func merge(_ purchases: [PurchaseID]) async throws -> PurchaseID {
    let ordered = try await transaction.query(
      """
      SELECT p.purchase_id
        FROM stripe_integration.purchases p
       WHERE p.account_id  = \(tenant.account)
         AND p.livemode    = \(tenant.livemode)
         AND p.purchase_id = ANY(\(purchases.map(\.rawValue)))
       ORDER BY EXISTS (SELECT FROM stripe_integration.units u
                         WHERE u.account_id  = p.account_id
                           AND u.livemode    = p.livemode
                           AND u.purchase_id = p.purchase_id) DESC,
                p.created_at, p.purchase_id
         FOR UPDATE OF p
      """
    ).map { row in try row.get("purchase_id", as: PurchaseID.self) }
    guard let kept = ordered.first else { return purchases[0] }
    for merged in ordered.dropFirst() { try await move(merged, into: kept) }
    return kept
  }

  private func move(_ merged: PurchaseID, into kept: PurchaseID) async throws {
    for table in ["aliases", "units", "lines", "licensekit_records", "write_backs", "timeline"] {
      try await transaction.query(
        """
        UPDATE stripe_integration.\(unescaped: table)
           SET purchase_id = \(kept)
         WHERE account_id  = \(tenant.account)
           AND livemode    = \(tenant.livemode)
           AND purchase_id = \(merged)
        """)
    }
    try await transaction.query(
      """
      DELETE FROM stripe_integration.unmapped
       WHERE account_id  = \(tenant.account)
         AND livemode    = \(tenant.livemode)
         AND purchase_id = \(merged)
      """)
    // A run that still holds the merged purchase finds that its fence is outdated, and stops.
    try await transaction.query(
      """
      UPDATE stripe_integration.purchases
         SET merged_into  = \(kept),
             attention_at = NULL,
             fence        = fence + 1,
             updated_at   = now()
       WHERE account_id  = \(tenant.account)
         AND livemode    = \(tenant.livemode)
         AND purchase_id = \(merged)
      """)
  }

  /// Makes a reconcile request for a purchase, and makes its tenant due.
  /// - Parameter inspecting: whether its licenses are to be looked at in LicenseKit.
  func requestReconcile(of purchase: PurchaseID, at moment: Date? = nil, inspecting: Bool = false) async throws {
    try await transaction.query(
      """
      UPDATE stripe_integration.purchases
         SET attention_at  = LEAST(attention_at, COALESCE(\(moment)::timestamptz, now())),
             attention_seq = attention_seq + 1,
             attempts      = 0,
             inspect       = inspect OR \(inspecting)
       WHERE account_id  = \(tenant.account)
         AND livemode    = \(tenant.livemode)
         AND purchase_id = \(purchase)
      """)
    try await TenantQueue.enqueue(tenant, in: .purchases, at: moment, transaction)
  }

  /// Makes reconcile requests for the purchases of these subscriptions, as far as they are known.
  func requestReconcile(of subscriptions: [Stripe.SubscriptionID], besides purchase: PurchaseID) async throws {
    let concerned = try await transaction.query(
      """
      SELECT DISTINCT purchase_id
        FROM stripe_integration.aliases
       WHERE account_id   = \(tenant.account)
         AND livemode     = \(tenant.livemode)
         AND stripe_id    = ANY(\(subscriptions.map(\.rawValue)))
         AND purchase_id <> \(purchase)
       ORDER BY purchase_id
      """
    ).map { row in try row.get("purchase_id", as: PurchaseID.self) }
    for purchase in concerned { try await requestReconcile(of: purchase) }
  }

  /// Makes a run under way lose its lease, so that nothing is done from its outdated knowledge.
  func interrupt(_ purchase: PurchaseID) async throws {
    try await transaction.query(
      """
      UPDATE stripe_integration.purchases
         SET fence       = fence + 1,
             lease_until = '-infinity'
       WHERE account_id  = \(tenant.account)
         AND livemode    = \(tenant.livemode)
         AND purchase_id = \(purchase)
      """)
  }
}
