import Foundation
import Identity
import Postgres
import Purchases
import StripeAPI
import Tenancy

/// The facts of one tenant, within a transaction of that tenant.
struct FactStore {
  let tenant: Tenant
  let transaction: PostgresTransaction

  func fact(_ key: FactKey) async throws -> Fact? {
    try await transaction.query(
      """
      SELECT snapshot::text AS snapshot, as_of, source, contested
        FROM stripe_integration.facts
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
         AND fact_key   = \(key.rawValue)
         FOR UPDATE
      """
    ).first.map(Self.fact(from:))
  }

  /// Stores one more version of a fact. The order of the calls does not matter.
  /// - Returns: whether that added anything new.
  @discardableResult
  func learn(_ fact: Fact) async throws -> Bool {
    let known = try await self.fact(fact.key)
    let joined = known.map { $0.joined(with: fact) } ?? fact
    guard joined != known else { return false }
    try await store(joined)
    return known?.snapshot != joined.snapshot || joined.isContested
  }

  /// Stores Stripe's answer. What was learned after the question was asked is joined with it, not replaced.
  /// - Parameter newestKnown: the newest second of anything that was known of the purchase when Stripe was asked.
  /// - Returns: whether that told anything new.
  @discardableResult
  func learnAnswer(_ answer: Snapshot, answeredAt: Date, knowing: Fact?, newestKnown: Date?) async throws -> Bool {
    let known = try await fact(answer.key)
    let fetched = Fact.fetched(
      answer, answeredAt: answeredAt, knowing: known == knowing ? known : nil, newestKnown: newestKnown)
    let joined = known == knowing ? fetched : known.map { $0.joined(with: fetched) } ?? fetched
    try await store(joined)
    return known?.snapshot != joined.snapshot
  }

  private func store(_ fact: Fact) async throws {
    let payment: Stripe.PaymentIntentID? =
      if case .charge(let charge) = fact.snapshot { charge.paymentIntent } else { nil }
    try await transaction.query(
      """
      INSERT INTO stripe_integration.facts
             (account_id, livemode, fact_key, subject, as_of, source, contested, snapshot, payment_id)
      VALUES (\(tenant.account), \(tenant.livemode), \(fact.key.rawValue), \(fact.key.subject), \(fact.asOf),
              \(fact.source.rawValue), \(fact.isContested), \(try StoredJSON.text(fact.snapshot))::text::jsonb, \(payment))
      ON CONFLICT (account_id, livemode, fact_key) DO UPDATE
         SET as_of      = excluded.as_of,
             source     = excluded.source,
             contested  = excluded.contested,
             snapshot   = excluded.snapshot,
             payment_id = excluded.payment_id,
             updated_at = now()
      """)
  }

  /// Adds charges to the purchase that were known before their payment was known to belong to it.
  func linkCharges(of purchase: PurchaseID) async throws {
    try await transaction.query(
      """
      INSERT INTO stripe_integration.aliases (account_id, livemode, stripe_id, purchase_id)
      SELECT a.account_id, a.livemode, f.subject, a.purchase_id
        FROM stripe_integration.aliases a
        JOIN stripe_integration.facts f
          ON f.account_id = a.account_id
         AND f.livemode   = a.livemode
         AND f.payment_id = a.stripe_id
       WHERE a.account_id  = \(tenant.account)
         AND a.livemode    = \(tenant.livemode)
         AND a.purchase_id = \(purchase)
          ON CONFLICT DO NOTHING
      """)
  }

  /// Everything known about a purchase, and about what it shares with others.
  func knowledge(of purchase: PurchaseID) async throws -> Knowledge {
    let own = try await transaction.query(
      """
      SELECT f.snapshot::text AS snapshot, f.as_of, f.source, f.contested
        FROM stripe_integration.aliases a
        JOIN stripe_integration.facts f
          ON f.account_id = a.account_id
         AND f.livemode   = a.livemode
         AND f.subject    = a.stripe_id
       WHERE a.account_id  = \(tenant.account)
         AND a.livemode    = \(tenant.livemode)
         AND a.purchase_id = \(purchase)
      """
    ).map(Self.fact(from:))
    var knowledge = Knowledge(own)
    let shared = Set(own.flatMap(\.snapshot.shared)).map(\.rawValue)
    guard !shared.isEmpty else { return knowledge }
    let others = try await transaction.query(
      """
      SELECT snapshot::text AS snapshot, as_of, source, contested
        FROM stripe_integration.facts
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
         AND fact_key   = ANY(\(shared))
      """
    ).map(Self.fact(from:))
    for fact in others { knowledge.learn(fact) }
    try await borrow(for: purchase, &knowledge)
    return knowledge
  }

  /// Reads what other purchases know about the payments of invoices that this one shares with them.
  private func borrow(for purchase: PurchaseID, _ knowledge: inout Knowledge) async throws {
    let ids = knowledge.sharedIDs.sorted()
    guard !ids.isEmpty else { return }
    let lenders = Knowledge(
      try await transaction.query(
        """
        SELECT f.snapshot::text AS snapshot, f.as_of, f.source, f.contested
          FROM (SELECT DISTINCT purchase_id
                  FROM stripe_integration.aliases
                 WHERE account_id   = \(tenant.account)
                   AND livemode     = \(tenant.livemode)
                   AND stripe_id    = ANY(\(ids))
                   AND purchase_id <> \(purchase)) l
          JOIN stripe_integration.aliases a
            ON a.account_id  = \(tenant.account)
           AND a.livemode    = \(tenant.livemode)
           AND a.purchase_id = l.purchase_id
          JOIN stripe_integration.facts f
            ON f.account_id = a.account_id
           AND f.livemode   = a.livemode
           AND f.subject    = a.stripe_id
        """
      ).map(Self.fact(from:)))
    knowledge.borrow(from: lenders)
  }

  private static func fact(from row: PostgresRow) throws -> Fact {
    Fact(
      try StoredJSON.value(Snapshot.self, from: row.get("snapshot")), asOf: try row.get("as_of"),
      source: try row.get("source", as: String.self) == "fetch" ? .fetch : .event,
      isContested: try row.get("contested"))
  }
}
