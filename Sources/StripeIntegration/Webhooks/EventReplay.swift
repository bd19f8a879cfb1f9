import Foundation
import Identity
import JSON
import Postgres
import StripeAPI
import Tenancy

/// Which stored events to route again. A field left out matches everything; at least one must be given.
struct EventFilter: Codable, Hashable, Sendable {
  var state: InboxReader.State?
  var type: String?
  /// By Stripe's clock.
  var from: Date?
  /// Up to, and not including.
  var to: Date?

  var isEmpty: Bool { state == nil && type == nil && from == nil && to == nil }
}

/// Finds the events of a filter and has them routed again, within a transaction of their tenant.
struct EventReplay {
  struct Found: Sendable {
    let id: String
    let type: String
    let state: String
    let outcome: String?
    let cursor: TimeCursor
  }

  let filter: EventFilter
  let tenant: Tenant
  let transaction: PostgresTransaction

  /// Newest first, by Stripe's clock.
  func page(after cursor: TimeCursor?, limit: Int) async throws -> [Found] {
    var conditions = conditions
    if let cursor {
      conditions.append(
        """
        AND (created, event_id)
            < (timestamptz 'epoch' + \(cursor.microseconds) * interval '1 microsecond', \(cursor.id))
        """)
    }
    return try await transaction.query(
      """
      SELECT event_id, type, state, outcome, (extract(epoch FROM created) * 1000000)::bigint AS created_us
        FROM stripe_integration.inbox
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
             \(fragment: conditions)
       ORDER BY created DESC, event_id DESC
       LIMIT \(limit)
      """
    ).map { row in
      let id: String = try row.get("event_id")
      return Found(
        id: id, type: try row.get("type"), state: try row.get("state"), outcome: try row.get("outcome"),
        cursor: TimeCursor(microseconds: try row.get("created_us"), id: id))
    }
  }

  /// How many match; counting stops at `limit`.
  func count(upTo limit: Int) async throws -> Int {
    try await transaction.query(
      """
      SELECT count(*) AS n
        FROM (SELECT FROM stripe_integration.inbox
               WHERE account_id = \(tenant.account)
                 AND livemode   = \(tenant.livemode)
                     \(fragment: conditions)
               LIMIT \(limit)) matching
      """
    ).first?.get("n") ?? 0
  }

  func reopen(_ events: [String]) async throws {
    guard !events.isEmpty else { return }
    try await transaction.query(
      """
      UPDATE stripe_integration.inbox
         SET state      = 'new',
             outcome    = NULL,
             handled_at = NULL
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
         AND event_id   = ANY(\(events))
      """)
  }

  private var conditions: PostgresQuery {
    var conditions: PostgresQuery = ""
    // In the text and not bound, so that the indexes of rare states are used. It is one of our own words.
    if let state = filter.state { conditions.append("AND state = \(unescaped: "'\(state.rawValue)'") ") }
    if let type = filter.type { conditions.append("AND type = \(type) ") }
    if let from = filter.from { conditions.append("AND created >= \(from) ") }
    if let to = filter.to { conditions.append("AND created < \(to) ") }
    return conditions
  }
}
