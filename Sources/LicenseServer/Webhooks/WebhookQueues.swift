import Delivery
import Foundation
import Identity
import LicenseKitAPI
import Postgres

/// One endpoint of one tenant, as something that is served.
struct WebhookQueue: Hashable, Sendable {
  let tenant: TenantID
  let endpoint: WebhookEndpointID
}

/// Which queue is served next. Each endpoint has a queue of its own, so that one that is slow or dead holds up nobody else, and
/// a tenant has a few of them served at a time, so that its dead ones hold up no other tenant.
struct WebhookQueues: Sendable {
  let store: TenantStore

  /// Endpoints of one tenant that are served at the same time.
  static let queuesPerTenant = 4
  /// Deliveries that one claim takes.
  static let length = 20
  /// A claim takes nothing more after this.
  static let time: Duration = .seconds(5)
  /// How long a claim of a queue, or of an attempt, holds: longer than the work under it and the deadline of its last attempt.
  /// A replica that dies in a claim keeps the endpoint waiting for as long.
  static let claim = "20 seconds"
  /// Deliveries given up in one claim because their time is over.
  private static let mostGivenUp = 1_000

  /// The endpoint that has been due the longest, which is this worker's until the claim is released or runs out.
  func claimNext() async throws -> WebhookQueue? {
    try await store.transaction(as: .dispatcher) { transaction in
      try await transaction.query(
        """
        WITH next AS (
          SELECT tenant_id, endpoint_id
            FROM license_server.webhook_lanes l
           WHERE due_at        <= now()
             AND claimed_until <= now()
             AND (SELECT count(*)
                    FROM license_server.webhook_lanes o
                   WHERE o.tenant_id = l.tenant_id AND o.claimed_until > now()) < \(Self.queuesPerTenant)
           ORDER BY due_at
           LIMIT 1
             FOR NO KEY UPDATE SKIP LOCKED
        )
        UPDATE license_server.webhook_lanes l
           SET claimed_until = now() + \(Self.claim)::text::interval
          FROM next n
         WHERE l.tenant_id = n.tenant_id AND l.endpoint_id = n.endpoint_id
        RETURNING l.tenant_id, l.endpoint_id
        """
      ).first.map { row in WebhookQueue(tenant: try row.get("tenant_id"), endpoint: try row.get("endpoint_id")) }
    }
  }

  /// What is due, the longest waiting first, and of those that wait equally long the oldest event.
  func due(_ queue: WebhookQueue) async throws -> [WebhookDeliveryID] {
    try await store.transaction(queue.tenant, readOnly: true) { transaction in
      try await transaction.query(
        """
        SELECT id
          FROM license_server.webhook_deliveries
         WHERE tenant_id        = \(queue.tenant)
           AND endpoint_id      = \(queue.endpoint)
           AND state            = 'pending'
           AND next_attempt_at <= now()
           AND claimed_until   <= now()
         ORDER BY next_attempt_at, id
         LIMIT \(Self.length)
        """
      ).all { row in try row.get("id") }
    }
  }

  /// Ends a claim: the endpoint is due again when its next delivery is. One that took nothing is left alone for a while.
  ///
  /// The row is locked before the deliveries are looked at, so that one that is put in line meanwhile is either seen here
  /// or makes the endpoint due after this.
  func end(_ queue: WebhookQueue, _ summary: DeliveryClaim.Summary) async throws {
    try await store.transaction(queue.tenant) { transaction in
      let failures: Int? = try await transaction.query(
        """
        SELECT failures
          FROM license_server.webhook_lanes
         WHERE tenant_id = \(queue.tenant) AND endpoint_id = \(queue.endpoint)
           FOR NO KEY UPDATE
        """
      ).first?.get("failures")
      guard var failures else { return }
      var backoff: Double?
      if summary.arrived > 0 {
        failures = 0
      } else if summary.failed > 0 {
        failures += 1
        backoff = DeliverySchedule.delay(afterFailures: failures, spread: .random(in: 0...1))
        try await Self.giveUp(queue, in: transaction)
      }
      if let asked = summary.retryAfter {
        backoff = max(backoff ?? 0, DeliverySchedule.obeyed(asked, spread: .random(in: 0...1)))
      }
      if summary.isBroken { backoff = max(backoff ?? 0, DeliverySchedule.brokenBackoff) }
      try await transaction.query(
        """
        UPDATE license_server.webhook_lanes
           SET failures        = \(failures),
               claimed_until   = '-infinity',
               last_success_at = CASE WHEN \(summary.arrived > 0) THEN now() ELSE last_success_at END,
               last_failure_at = CASE WHEN \(summary.failed > 0)  THEN now() ELSE last_failure_at END,
               paused_until    = CASE WHEN paused_until = 'infinity' THEN paused_until
                                      WHEN \(backoff != nil) THEN now() + \(backoff ?? 0) * interval '1 second'
                                      ELSE '-infinity' END
         WHERE tenant_id = \(queue.tenant) AND endpoint_id = \(queue.endpoint)
        """)
      try await Self.setDue(queue, in: transaction)
    }
  }

  /// Makes the endpoint due when the first of its deliveries is.
  static func setDue(_ queue: WebhookQueue, in transaction: PostgresTransaction) async throws {
    try await transaction.query(
      """
      UPDATE license_server.webhook_lanes
         SET due_at = GREATEST(now(), paused_until, COALESCE((
               SELECT min(GREATEST(next_attempt_at, claimed_until))
                 FROM (SELECT next_attempt_at, claimed_until
                         FROM license_server.webhook_deliveries
                        WHERE tenant_id   = \(queue.tenant)
                          AND endpoint_id = \(queue.endpoint)
                          AND state       = 'pending'
                        ORDER BY next_attempt_at, id
                        LIMIT \(length * 2)) d), 'infinity'))
       WHERE tenant_id = \(queue.tenant) AND endpoint_id = \(queue.endpoint)
      """)
  }

  /// The place in the line of a new endpoint.
  static func begin(_ queue: WebhookQueue, isActive: Bool, in transaction: PostgresTransaction) async throws {
    try await transaction.query(
      """
      INSERT INTO license_server.webhook_lanes (tenant_id, endpoint_id, paused_until)
      VALUES (\(queue.tenant), \(queue.endpoint), CASE WHEN \(isActive) THEN '-infinity' ELSE 'infinity' END::timestamptz)
      """)
  }

  /// Takes an endpoint up again at once, whatever it was like before.
  static func resume(_ queue: WebhookQueue, in transaction: PostgresTransaction) async throws {
    try await transaction.query(
      """
      UPDATE license_server.webhook_lanes
         SET due_at = now(), paused_until = '-infinity', failures = 0
       WHERE tenant_id = \(queue.tenant) AND endpoint_id = \(queue.endpoint)
      """)
  }

  /// What waits for an endpoint stays where it is.
  static func hold(_ queue: WebhookQueue, in transaction: PostgresTransaction) async throws {
    try await transaction.query(
      """
      UPDATE license_server.webhook_lanes
         SET due_at = 'infinity', paused_until = 'infinity'
       WHERE tenant_id = \(queue.tenant) AND endpoint_id = \(queue.endpoint)
      """)
  }

  /// Gives what waits for an endpoint its full time and its short waits again. What is under way is left alone.
  static func renew(_ queue: WebhookQueue, in transaction: PostgresTransaction) async throws {
    try await transaction.query(
      """
      UPDATE license_server.webhook_deliveries
         SET series_attempts = 0,
             series_since    = now(),
             next_attempt_at = now()
       WHERE tenant_id      = \(queue.tenant)
         AND endpoint_id    = \(queue.endpoint)
         AND state          = 'pending'
         AND claimed_until <= now()
      """)
  }

  /// Ends what has waited for its full time behind others at an endpoint that takes nothing: each would need an attempt of
  /// its own to find that out.
  private static func giveUp(_ queue: WebhookQueue, in transaction: PostgresTransaction) async throws {
    let time = "\(Int(DeliverySchedule.time)) seconds"
    try await transaction.query(
      """
      UPDATE license_server.webhook_deliveries d
         SET state       = 'failed',
             error       = coalesce(d.error, 'The endpoint took nothing.'),
             finished_at = now()
        FROM (SELECT tenant_id, id
                FROM license_server.webhook_deliveries
               WHERE tenant_id      = \(queue.tenant)
                 AND endpoint_id    = \(queue.endpoint)
                 AND state          = 'pending'
                 AND series_since   < now() - \(time)::text::interval
                 AND claimed_until <= now()
               ORDER BY id
               LIMIT \(mostGivenUp)) o
       WHERE d.tenant_id = o.tenant_id AND d.id = o.id
      """)
  }
}
