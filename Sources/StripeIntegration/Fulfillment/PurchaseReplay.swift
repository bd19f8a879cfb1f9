import Foundation
import Identity
import JSON
import Postgres
import Purchases
import Queue
import StripeAPI
import Tenancy

/// Which purchases to look at again. A field left out matches everything; at least one must be given.
struct PurchaseFilter: Codable, Hashable, Sendable {
  var status: PurchaseStatus?
  /// A part of the reason, in upper or lower case.
  var reasonContains: String?
  var createdFrom: Date?
  /// Up to, and not including.
  var createdTo: Date?
  /// Any Stripe id of the purchase, its customer's, or the id of the fulfillment.
  var object: String?
  /// A mapping that a line of it was sold under.
  var mappingID: String?

  var isEmpty: Bool {
    status == nil && reasonContains == nil && createdFrom == nil && createdTo == nil && object == nil
      && mappingID == nil
  }
}

/// Finds the purchases of a filter and has them looked at again, within a transaction of their tenant.
struct PurchaseReplay {
  struct Found: Sendable {
    let id: PurchaseID
    let stripeID: String
    let status: String
    let reason: String?
    let cursor: TimeCursor
  }

  let filter: PurchaseFilter
  let tenant: Tenant
  let transaction: PostgresTransaction

  /// Newest first.
  func page(after cursor: TimeCursor?, limit: Int) async throws -> [Found] {
    guard let conditions = try await conditions() else { return [] }
    return try await transaction.query(
      """
      SELECT p.purchase_id, p.stripe_id, p.status, p.reason,
             (extract(epoch FROM p.created_at) * 1000000)::bigint AS created_us
        FROM stripe_integration.purchases p
       WHERE p.account_id = \(tenant.account)
         AND p.livemode   = \(tenant.livemode)
         AND p.merged_into IS NULL
             \(fragment: conditions) \(fragment: Self.after(cursor))
       ORDER BY p.created_at DESC, p.purchase_id DESC
       LIMIT \(limit)
      """
    ).map { row in
      let id: PurchaseID = try row.get("purchase_id")
      return Found(
        id: id, stripeID: try row.get("stripe_id"), status: try row.get("status"), reason: try row.get("reason"),
        cursor: TimeCursor(microseconds: try row.get("created_us"), id: id.rawValue))
    }
  }

  /// How many match; counting stops at `limit`.
  func count(upTo limit: Int) async throws -> Int {
    guard let conditions = try await conditions() else { return 0 }
    return try await transaction.query(
      """
      SELECT count(*) AS n
        FROM (SELECT FROM stripe_integration.purchases p
               WHERE p.account_id = \(tenant.account)
                 AND p.livemode   = \(tenant.livemode)
                 AND p.merged_into IS NULL
                     \(fragment: conditions)
               LIMIT \(limit)) matching
      """
    ).first?.get("n") ?? 0
  }

  /// Requests a look at each of them, and notes in its timeline who asked.
  func requestReconcile(of purchases: [PurchaseID], by actor: String) async throws {
    guard !purchases.isEmpty else { return }
    let ids = purchases.map(\.rawValue)
    try await transaction.query(
      """
      UPDATE stripe_integration.purchases
         SET attention_at  = LEAST(attention_at, now()),
             attention_seq = attention_seq + 1,
             attempts      = 0,
             inspect       = true
       WHERE account_id  = \(tenant.account)
         AND livemode    = \(tenant.livemode)
         AND purchase_id = ANY(\(ids))
      """)
    try await transaction.query(
      """
      INSERT INTO stripe_integration.timeline (account_id, livemode, purchase_id, kind, title, detail)
      SELECT \(tenant.account)::text, \(tenant.livemode)::boolean, purchase_id, 'note', 'Replay requested.', \(actor)::text
        FROM unnest(\(ids)::text[]) AS purchase_id
      """)
    try await TenantQueue.enqueue(tenant, in: .purchases, transaction)
  }

  /// Nil if nothing can match.
  private func conditions() async throws -> PostgresQuery? {
    var conditions: PostgresQuery = ""
    if let status = filter.status { conditions.append("AND p.status = \(status.rawValue) ") }
    if let part = filter.reasonContains { conditions.append("AND strpos(lower(p.reason), lower(\(part))) > 0 ") }
    if let from = filter.createdFrom { conditions.append("AND p.created_at >= \(from) ") }
    if let to = filter.createdTo { conditions.append("AND p.created_at < \(to) ") }
    if let object = filter.object {
      if object.hasPrefix("cus_") {
        conditions.append("AND p.customer_id = \(object) ")
      } else {
        let reader = FulfillmentReader(tenant: tenant, transaction: transaction)
        guard let purchase = try await reader.purchase(of: object) else { return nil }
        conditions.append("AND p.purchase_id = \(purchase) ")
      }
    }
    if let mapping = filter.mappingID {
      conditions.append(
        """
        AND p.purchase_id IN (SELECT l.purchase_id
                                FROM stripe_integration.lines l
                               WHERE l.account_id = \(tenant.account)
                                 AND l.livemode   = \(tenant.livemode)
                                 AND l.mapping_id = \(mapping))
        """)
    }
    return conditions
  }

  static func after(_ cursor: TimeCursor?) -> PostgresQuery {
    guard let cursor else { return "" }
    return """
      AND (p.created_at, p.purchase_id)
          < (timestamptz 'epoch' + \(cursor.microseconds) * interval '1 microsecond', \(cursor.id))
      """
  }
}
