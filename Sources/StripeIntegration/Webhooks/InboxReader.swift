import Foundation
import Identity
import JSON
import Postgres
import StripeAPI
import Tenancy

/// The events of one tenant that Stripe has delivered, within a transaction of that tenant.
struct InboxReader {
  enum State: String, CaseIterable, Sendable, Codable { case new, waiting, done, ignored, failed }

  struct Filter: Sendable {
    var state: State?
    var type: String?
  }

  struct Row: Sendable {
    let view: EventView
    let cursor: TimeCursor
  }

  let tenant: Tenant
  let transaction: PostgresTransaction

  /// Newest first, by Stripe's clock.
  func page(_ filter: Filter, after cursor: TimeCursor?, limit: Int) async throws -> [Row] {
    var conditions: PostgresQuery = ""
    // In the text and not bound, so that the indexes of rare states are used. It is one of our own words.
    if let state = filter.state { conditions.append("AND state = \(unescaped: "'\(state.rawValue)'") ") }
    if let type = filter.type { conditions.append("AND type = \(type) ") }
    if let cursor {
      conditions.append(
        """
        AND (created, event_id)
            < (timestamptz 'epoch' + \(cursor.microseconds) * interval '1 microsecond', \(cursor.id))
        """)
    }
    return try await transaction.query(
      """
      SELECT \(fragment: Self.columns)
        FROM stripe_integration.inbox
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
             \(fragment: conditions)
       ORDER BY created DESC, event_id DESC
       LIMIT \(limit)
      """
    ).map(Self.row)
  }

  func event(_ id: String) async throws -> Row? {
    try await transaction.query(
      """
      SELECT \(fragment: Self.columns)
        FROM stripe_integration.inbox
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
         AND event_id   = \(id)
      """
    ).first.map(Self.row)
  }

  /// Sets an event back to new.
  func reopen(_ id: String) async throws -> Row? {
    try await transaction.query(
      """
      UPDATE stripe_integration.inbox
         SET state      = 'new',
             outcome    = NULL,
             handled_at = NULL
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
         AND event_id   = \(id)
      RETURNING \(fragment: Self.columns)
      """
    ).first.map(Self.row)
  }

  private static let columns: PostgresQuery = """
    event_id, type, created, received_at, state, attempts, handled_at, outcome,
    (extract(epoch FROM created) * 1000000)::bigint AS created_us
    """

  private static func row(_ row: PostgresRow) throws -> Row {
    let id: String = try row.get("event_id")
    return Row(
      view: EventView(
        id: id, type: try row.get("type"), state: try row.get("state"), outcome: try row.get("outcome"),
        created: try row.get("created"), receivedAt: try row.get("received_at"),
        handledAt: try row.get("handled_at"), attempts: try row.get("attempts")),
      cursor: TimeCursor(microseconds: try row.get("created_us"), id: id))
  }
}

/// An event as the admin routes show it. Its content stays in the inbox, because it is about buyers.
struct EventView: Encodable, Sendable {
  let id: String
  let type: String
  let state: String
  /// The result of handling it.
  @OrNull var outcome: String?
  let created: Date
  let receivedAt: Date
  @OrNull var handledAt: Date?
  let attempts: Int
}
