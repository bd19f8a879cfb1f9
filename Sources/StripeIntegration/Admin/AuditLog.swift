import Foundation
import Identity
import Postgres
import StripeAPI

/// Who did what by hand, written in the transaction that does it.
struct AuditLog {
  struct Entry: Sendable {
    let actor: String
    /// A stable word, such as `license.reveal`.
    let action: String
    /// The id of what was acted on.
    let target: String
    let requestID: String?
    let detail: String?
  }

  /// An entry as it is shown.
  struct Shown: Encodable, Sendable {
    let id: Int64
    let at: Date
    let actor: String
    let action: String
    let target: String
    @OrNull var requestID: String?
    @OrNull var detail: String?
  }

  let tenant: Tenant
  let transaction: PostgresTransaction

  func add(_ entry: Entry) async throws {
    try await transaction.query(
      """
      INSERT INTO stripe_integration.audit (account_id, livemode, actor, action, target, request_id, detail)
      VALUES (\(tenant.account), \(tenant.livemode), \(entry.actor), \(entry.action), \(entry.target),
              \(entry.requestID), \(entry.detail))
      """)
  }

  /// Newest first, from before an entry.
  func page(before id: Int64?, limit: Int) async throws -> [Shown] {
    try await transaction.query(
      """
      SELECT entry_id, at, actor, action, target, request_id, detail
        FROM stripe_integration.audit
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
         AND entry_id   < \(id ?? Int64.max)
       ORDER BY entry_id DESC
       LIMIT \(limit)
      """
    ).map { row in
      Shown(
        id: try row.get("entry_id"), at: try row.get("at"), actor: try row.get("actor"),
        action: try row.get("action"), target: try row.get("target"), requestID: try row.get("request_id"),
        detail: try row.get("detail"))
    }
  }
}
