import Cryptography
import Delivery
import Foundation
import Identity
import JSON
import Postgres
import StripeAPI
import Tenancy

/// Deliveries as people see them, within a transaction of their tenant.
struct DeliveryLog {
  enum State: String, CaseIterable, Sendable, Encodable { case pending, succeeded, failed, cancelled }

  struct Filter: Sendable {
    var state: State?
    /// An endpoint's id, or `email`.
    var queue: String?
    var type: String?
    var purchase: String?
    var createdFrom: Date?
    var createdTo: Date?
  }

  struct Row: Sendable {
    let view: DeliveryView
    let cursor: TimeCursor
  }

  let tenant: Tenant
  let transaction: PostgresTransaction

  private var messages: MessageLog<Tenant> { MessageLog(of: tenant, queues: .ofVendors, in: transaction) }

  /// The most deliveries that one call replays.
  static let mostReplayed = 10_000
  /// A mail is replayed so often at most: whom it goes to cannot send it back.
  static let mostReplaysOfMail = 5

  /// Newest first.
  func page(_ filter: Filter, after cursor: TimeCursor?, limit: Int) async throws -> [Row] {
    var conditions = Self.conditions(filter)
    if let cursor {
      conditions.append(
        """
        AND (d.created_at, d.delivery_id)
            < (timestamptz 'epoch' + \(cursor.microseconds) * interval '1 microsecond', \(cursor.id))
        """)
    }
    return try await transaction.query(
      """
      SELECT \(fragment: Self.columns)
        FROM stripe_integration.deliveries d
       WHERE d.account_id = \(tenant.account)
         AND d.livemode   = \(tenant.livemode)
             \(fragment: conditions)
       ORDER BY d.created_at DESC, d.delivery_id DESC
       LIMIT \(limit)
      """
    ).map(Self.row)
  }

  private static func conditions(_ filter: Filter) -> PostgresQuery {
    var conditions: PostgresQuery = ""
    // Written out, not bound, so that the index of what failed is found; it is one of our own words.
    if let state = filter.state { conditions.append("AND d.state = \(unescaped: "'\(state.rawValue)'") ") }
    if let queue = filter.queue { conditions.append("AND d.lane_id = \(queue) ") }
    if let type = filter.type { conditions.append("AND d.type = \(type) ") }
    if let purchase = filter.purchase { conditions.append("AND d.purchase_id = \(purchase) ") }
    if let from = filter.createdFrom { conditions.append("AND d.created_at >= \(from) ") }
    if let to = filter.createdTo { conditions.append("AND d.created_at < \(to) ") }
    return conditions
  }

  func delivery(_ id: String) async throws -> DeliveryView? {
    let row = try await transaction.query(
      """
      SELECT \(fragment: Self.columns)
        FROM stripe_integration.deliveries d
       WHERE d.account_id  = \(tenant.account)
         AND d.livemode    = \(tenant.livemode)
         AND d.delivery_id = \(id)
      """
    ).first.map(Self.row)
    guard var view = row?.view else { return nil }
    view.log = try await messages.attempts(of: MessageDeliveryID(id)).map { attempt in
      DeliveryView.Attempt(
        attempt: attempt.attempt, at: attempt.at, durationMs: attempt.durationMs, status: attempt.status,
        error: attempt.error)
    }
    return view
  }

  /// Makes a test message and enqueues it.
  func addTest(to endpoint: MessageEndpoint) async throws -> DeliveryView? {
    let id = Random.id(prefix: "dlv_")
    try await transaction.query(
      """
      INSERT INTO stripe_integration.deliveries (account_id, livemode, delivery_id, lane_id, type, destination)
      VALUES (\(tenant.account), \(tenant.livemode), \(id), \(endpoint.id), \(MessageType.test),
              substring(\(endpoint.url)::text FROM '^[A-Za-z]+://[^/?#]+'))
      """)
    try await EndpointQueues.ofVendors.resume(EndpointQueue(of: tenant, id: endpoint.id.rawValue), in: transaction)
    return try await delivery(id)
  }

  /// Enqueues deliveries that match once more, whatever their result was; those of endpoints that are gone or not active
  /// stay as they are.
  /// - Returns: how many they are.
  func replay(_ filter: Filter, id: String? = nil) async throws -> Int {
    var conditions = Self.conditions(filter)
    if let id { conditions.append("AND d.delivery_id = \(id) ") }
    return try await messages.replay(
      where: """
        (d.lane_id = 'email'
         OR EXISTS (SELECT FROM stripe_integration.notice_endpoints e
                     WHERE e.account_id  = d.account_id
                       AND e.livemode    = d.livemode
                       AND e.endpoint_id = d.lane_id
                       AND e.is_active
                       AND e.disabled_at IS NULL))
        AND NOT (d.state = 'pending' AND d.lane_id = 'email' AND d.attempts = 0)
        AND NOT (d.lane_id = 'email' AND d.replays >= \(Self.mostReplaysOfMail))
        \(fragment: conditions)
        """, atMost: Self.mostReplayed)
  }

  private static let columns: PostgresQuery = """
    d.delivery_id, d.lane_id, d.type, d.notice_id, d.purchase_id, d.destination, d.state, d.attempts, d.error,
    d.created_at, d.finished_at, CASE WHEN d.state = 'pending' THEN d.next_attempt_at END AS next_attempt_at,
    (extract(epoch FROM d.created_at) * 1000000)::bigint AS created_us,
    (SELECT n.license_id
       FROM stripe_integration.notices n
      WHERE n.account_id = d.account_id
        AND n.livemode   = d.livemode
        AND n.notice_id  = d.notice_id) AS license_id,
    ARRAY(SELECT m.license_id
            FROM stripe_integration.mailed_licenses m
           WHERE m.account_id  = d.account_id
             AND m.livemode    = d.livemode
             AND m.delivery_id = d.delivery_id
           ORDER BY m.license_id
           LIMIT 100) AS mailed
    """

  private static func row(_ row: PostgresRow) throws -> Row {
    let id: String = try row.get("delivery_id")
    let queue: String = try row.get("lane_id")
    let isMail = queue == MessageOutbox.mailQueue
    let license: String? = try row.get("license_id")
    return Row(
      view: DeliveryView(
        id: id, channel: isMail ? "email" : "endpoint", endpointID: isMail ? nil : queue, type: try row.get("type"),
        noticeID: try row.get("notice_id"), fulfillmentID: try row.get("purchase_id"),
        licenseIds: try license.map { [$0] } ?? row.get("mailed"), destination: try row.get("destination"),
        state: try row.get("state"), attempts: try row.get("attempts"), error: try row.get("error"),
        createdAt: try row.get("created_at"), nextAttemptAt: try row.get("next_attempt_at"),
        finishedAt: try row.get("finished_at")),
      cursor: TimeCursor(microseconds: try row.get("created_us"), id: id))
  }
}

/// A delivery as the admin routes show it. Neither the message's body nor the buyer's address is in it.
struct DeliveryView: Encodable, Sendable {
  struct Attempt: Encodable, Sendable {
    let attempt: Int
    let at: Date
    @OrNull var durationMs: Int?
    @OrNull var status: Int?
    @OrNull var error: String?
  }

  let id: String
  let channel: String
  @OrNull var endpointID: String?
  let type: String
  @OrNull var noticeID: String?
  @OrNull var fulfillmentID: String?
  let licenseIds: [String]
  @OrNull var destination: String?
  let state: String
  let attempts: Int
  @OrNull var error: String?
  let createdAt: Date
  @OrNull var nextAttemptAt: Date?
  @OrNull var finishedAt: Date?
  /// Each attempt; only where one delivery is shown.
  var log: [Attempt]?
}
