package import Foundation
import Identity
package import JSON
package import Postgres
package import StripeAPI

/// What people did by hand. Each entry is written in the transaction that does it.
package struct AuditLog {
  package struct Entry: Sendable {
    package let actor: String
    /// A stable word, such as `license.reveal`.
    package let action: String
    /// The id of the object that was changed or read.
    package let target: String
    package let requestID: String?
    package let detail: String?

    package init(actor: String, action: String, target: String, requestID: String?, detail: String?) {
      self.actor = actor
      self.action = action
      self.target = target
      self.requestID = requestID
      self.detail = detail
    }
  }

  /// An entry in the form that is shown.
  package struct Shown: Encodable, Sendable {
    package let id: Int64
    package let at: Date
    package let actor: String
    package let action: String
    package let target: String
    @OrNull package var requestID: String?
    @OrNull package var detail: String?

    package init(
      id: Int64, at: Date, actor: String, action: String, target: String, requestID: String? = nil,
      detail: String? = nil
    ) {
      self.id = id
      self.at = at
      self.actor = actor
      self.action = action
      self.target = target
      self.requestID = requestID
      self.detail = detail
    }
  }

  package let tenant: Tenant
  package let transaction: PostgresTransaction

  package init(tenant: Tenant, transaction: PostgresTransaction) {
    self.tenant = tenant
    self.transaction = transaction
  }

  package func add(_ entry: Entry) async throws {
    try await transaction.query(
      """
      INSERT INTO stripe_integration.audit (account_id, livemode, actor, action, target, request_id, detail)
      VALUES (\(tenant.account), \(tenant.livemode), \(entry.actor), \(entry.action), \(entry.target),
              \(entry.requestID), \(entry.detail))
      """)
  }

  /// Newest first, beginning before a given entry.
  package func page(before id: Int64?, limit: Int) async throws -> [Shown] {
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
