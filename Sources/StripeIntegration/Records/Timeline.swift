import Foundation
import Identity
import LicenseKitAPI
import Postgres
import Purchases
import StripeAPI

/// The timeline of a purchase, recorded as it happens, within a transaction of its tenant.
struct Timeline {
  enum Kind: String { case event, decision, step, note }
  enum State: String { case started, succeeded, failed }

  let tenant: Tenant
  let purchase: PurchaseID
  let transaction: PostgresTransaction

  @discardableResult
  func add(_ kind: Kind, _ title: String, state: State? = nil, detail: String? = nil) async throws -> Int64? {
    try await transaction.query(
      """
      INSERT INTO stripe_integration.timeline (account_id, livemode, purchase_id, kind, title, state, detail)
      VALUES (\(tenant.account), \(tenant.livemode), \(purchase), \(kind.rawValue), \(title), \(state?.rawValue),
              \(detail))
      RETURNING entry_id
      """
    ).first?.get("entry_id")
  }

  /// Adds a decision, unless it equals the last one.
  func addDecision(_ title: String, detail: String?) async throws {
    try await transaction.query(
      """
      INSERT INTO stripe_integration.timeline (account_id, livemode, purchase_id, kind, title, detail)
      SELECT \(tenant.account)::text, \(tenant.livemode)::boolean, \(purchase)::text, 'decision', \(title)::text,
             \(detail)::text
       WHERE NOT EXISTS (
             SELECT FROM (SELECT title, detail
                            FROM stripe_integration.timeline
                           WHERE account_id  = \(tenant.account)
                             AND livemode    = \(tenant.livemode)
                             AND purchase_id = \(purchase)
                             AND kind        = 'decision'
                           ORDER BY entry_id DESC
                           LIMIT 1) last
              WHERE last.title = \(title)
                AND last.detail IS NOT DISTINCT FROM \(detail))
      """)
  }

  func finish(_ entry: Int64, _ state: State, detail: String? = nil) async throws {
    try await transaction.query(
      """
      UPDATE stripe_integration.timeline
         SET state       = \(state.rawValue),
             detail      = \(detail),
             finished_at = clock_timestamp()
       WHERE account_id  = \(tenant.account)
         AND livemode    = \(tenant.livemode)
         AND purchase_id = \(purchase)
         AND entry_id    = \(entry)
      """)
  }
}

extension LicenseKitTrace {
  /// The note about a step, with the request ids of its LicenseKit calls.
  func described(after note: String?) -> String? {
    let ids = requestIDs.isEmpty ? nil : "LicenseKit: \(requestIDs.listed)"
    let parts = [note, ids].compactMap { $0 }
    return parts.isEmpty ? nil : parts.joined(separator: ". ")
  }
}
