import Foundation
import Identity
import LicenseKitAPI
import Postgres
import Purchases
import Queue
import StripeAPI
import Tenancy

/// Reads the purchases of one tenant in the form that people see.
struct FulfillmentReader: Sendable {
  struct Filter: Sendable {
    var status: PurchaseStatus?
    /// Any Stripe id of the purchase, its customer's id, or the fulfillment's own id.
    var object: String?
  }

  let tenant: Tenant
  let transaction: PostgresTransaction

  /// Newest first.
  func page(_ filter: Filter, after cursor: TimeCursor?, limit: Int) async throws -> [PurchaseRow] {
    var conditions: PostgresQuery = ""
    if let status = filter.status { conditions.append("AND status = \(status.rawValue) ") }
    if let object = filter.object {
      if object.hasPrefix("cus_") {
        conditions.append("AND customer_id = \(object) ")
      } else {
        guard let purchase = try await purchase(of: object) else { return [] }
        conditions.append("AND purchase_id = \(purchase) ")
      }
    }
    if let cursor {
      conditions.append(
        """
        AND (created_at, purchase_id)
            < (timestamptz 'epoch' + \(cursor.microseconds) * interval '1 microsecond', \(cursor.id))
        """)
    }
    let rows = try await transaction.query(
      """
      SELECT \(fragment: Self.columns)
        FROM stripe_integration.purchases
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
         AND merged_into IS NULL
             \(fragment: conditions)
       ORDER BY created_at DESC, purchase_id DESC
       LIMIT \(limit)
      """
    ).map(Self.purchase)
    return try await described(rows)
  }

  /// If the tenant is blocked, due purchases say that they wait for this: nobody looks at them meanwhile.
  private func described(_ rows: [PurchaseRow]) async throws -> [PurchaseRow] {
    guard rows.contains(where: \.isDue), let blockage = try await Blockage.of(tenant, in: transaction) else {
      return rows
    }
    return rows.map { row in
      guard row.isDue else { return row }
      var row = row
      row.reason = blockage.sentence
      return row
    }
  }

  /// The purchase that a Stripe id or a fulfillment's id leads to; merged purchases are followed.
  func purchase(of object: String) async throws -> PurchaseID? {
    guard object.hasPrefix("ful_") else {
      return try await transaction.query(
        """
        SELECT purchase_id
          FROM stripe_integration.aliases
         WHERE account_id = \(tenant.account)
           AND livemode   = \(tenant.livemode)
           AND stripe_id  = \(object)
        """
      ).first?.get("purchase_id")
    }
    return try await transaction.query(
      """
      WITH RECURSIVE path AS (
        SELECT purchase_id, merged_into, 1 AS step
          FROM stripe_integration.purchases
         WHERE account_id  = \(tenant.account)
           AND livemode    = \(tenant.livemode)
           AND purchase_id = \(object)
         UNION ALL
        SELECT p.purchase_id, p.merged_into, path.step + 1
          FROM path
          JOIN stripe_integration.purchases p
            ON p.account_id  = \(tenant.account)
           AND p.livemode    = \(tenant.livemode)
           AND p.purchase_id = path.merged_into
         WHERE path.step < 100
      )
      SELECT purchase_id FROM path WHERE merged_into IS NULL
      """
    ).first?.get("purchase_id")
  }

  func row(_ purchase: PurchaseID) async throws -> PurchaseRow? {
    let rows = try await transaction.query(
      """
      SELECT \(fragment: Self.columns)
        FROM stripe_integration.purchases
       WHERE account_id  = \(tenant.account)
         AND livemode    = \(tenant.livemode)
         AND purchase_id = \(purchase)
      """
    ).map(Self.purchase)
    return try await described(rows).first
  }

  /// The latest part of a purchase's timeline, oldest entry first, and what may hold it up.
  func timeline(of purchase: PurchaseID, limit: Int = 500) async throws -> [FulfillmentView.TimelineEntry] {
    let pending = try await InstallStore(tenant: tenant, transaction: transaction).pendingApproval().map { pending in
      FulfillmentView.TimelineEntry(
        at: pending.since, kind: Timeline.Kind.note.rawValue, title: pending.sentence, state: nil, detail: nil,
        finishedAt: nil)
    }
    let told = try await transaction.query(
      """
      SELECT at, kind, title, state, detail, finished_at
        FROM stripe_integration.timeline
       WHERE account_id  = \(tenant.account)
         AND livemode    = \(tenant.livemode)
         AND purchase_id = \(purchase)
       ORDER BY entry_id DESC
       LIMIT \(limit)
      """
    ).map { row in
      FulfillmentView.TimelineEntry(
        at: try row.get("at"), kind: try row.get("kind"), title: try row.get("title"), state: try row.get("state"),
        detail: try row.get("detail"), finishedAt: try row.get("finished_at"))
    }
    return told.reversed() + (pending.map { [$0] } ?? [])
  }

  private static let columns: PostgresQuery = """
    purchase_id, kind, stripe_id, customer_id, status, reason, attention_at, attempts, created_at, updated_at,
    COALESCE(attention_at <= now(), false) AS is_due,
    (extract(epoch FROM created_at) * 1000000)::bigint AS created_us
    """

  private static func purchase(_ row: PostgresRow) throws -> PurchaseRow {
    let id: PurchaseID = try row.get("purchase_id")
    return PurchaseRow(
      id: id, kind: try row.get("kind"), stripeID: try row.get("stripe_id"), customerID: try row.get("customer_id"),
      status: try row.get("status"), reason: try row.get("reason"), reconcileAt: try row.get("attention_at"),
      isDue: try row.get("is_due"), attempts: try row.get("attempts"), createdAt: try row.get("created_at"),
      updatedAt: try row.get("updated_at"),
      cursor: TimeCursor(microseconds: try row.get("created_us"), id: id.rawValue))
  }
}

/// The row of a purchase, as far as people see it.
struct PurchaseRow: Sendable {
  let id: PurchaseID
  let kind: String
  let stripeID: String
  let customerID: Stripe.CustomerID?
  let status: String
  /// The reason for the status, or what the purchase waits for.
  var reason: String?
  let reconcileAt: Date?
  /// The purchase is to be looked at now.
  let isDue: Bool
  let attempts: Int
  let createdAt: Date
  let updatedAt: Date
  let cursor: TimeCursor
}
