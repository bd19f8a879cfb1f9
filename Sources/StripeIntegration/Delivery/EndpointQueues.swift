import Delivery
import Foundation
import Identity
import Postgres
import StripeAPI
import Tenancy

/// One receiver of one tenant: an endpoint, or the tenant's mail.
struct EndpointQueue: Hashable, Sendable {
  let tenant: Tenant
  /// The endpoint's id, or `email`.
  let id: String

  var isMail: Bool { id == MessageOutbox.mailQueue }
}

/// Which queue is served next. Each receiver has a queue of its own, so that one that is slow or dead holds
/// up nobody else, and a tenant has two of them served at a time, so that its dead ones hold up no other tenant.
struct EndpointQueues: Sendable {
  let database: TenantDatabase

  /// Receivers of one tenant that are served at the same time.
  static let queuesPerTenant = 2
  /// Deliveries that one claim takes.
  static let length = 20
  /// A claim takes nothing more after this.
  static let time: Duration = .seconds(5)

  /// How long a claim holds; a replica that dies in a claim keeps the receiver waiting for as long.
  static func claim(mail: Bool) -> Duration { mail ? .seconds(45) : .seconds(20) }

  typealias Summary = DeliveryClaim.Summary

  func claimNext() async throws -> EndpointQueue? {
    try await database.transaction(as: .worker) { transaction in
      try await transaction.query(
        """
        WITH next AS (
          SELECT account_id, livemode, lane_id
            FROM stripe_integration.delivery_lanes l
           WHERE due_at        <= now()
             AND claimed_until <= now()
             AND (SELECT count(*)
                    FROM stripe_integration.delivery_lanes o
                   WHERE o.account_id    = l.account_id
                     AND o.livemode      = l.livemode
                     AND o.claimed_until > now()) < \(Self.queuesPerTenant)
           ORDER BY due_at
           LIMIT 1
             FOR UPDATE SKIP LOCKED
        )
        UPDATE stripe_integration.delivery_lanes l
           SET claimed_until = now() + CASE WHEN l.lane_id = 'email' THEN \(Self.seconds(mail: true))::text::interval
                                            ELSE \(Self.seconds(mail: false))::text::interval END
          FROM next n
         WHERE l.account_id = n.account_id
           AND l.livemode   = n.livemode
           AND l.lane_id    = n.lane_id
        RETURNING l.account_id, l.livemode, l.lane_id
        """
      ).first.map { row in
        EndpointQueue(
          tenant: Tenant(account: try row.get("account_id"), livemode: try row.get("livemode")),
          id: try row.get("lane_id"))
      }
    }
  }

  static func seconds(mail: Bool) -> String { "\(claim(mail: mail).components.seconds) seconds" }

  /// What is due, the longest waiting first.
  func due(_ queue: EndpointQueue) async throws -> [DeliveryID] {
    try await database.transaction(for: queue.tenant) { transaction in
      try await transaction.query(
        """
        SELECT delivery_id
          FROM stripe_integration.deliveries
         WHERE account_id       = \(queue.tenant.account)
           AND livemode         = \(queue.tenant.livemode)
           AND lane_id          = \(queue.id)
           AND state            = 'pending'
           AND next_attempt_at <= now()
           AND claimed_until   <= now()
         ORDER BY next_attempt_at
         LIMIT \(Self.length)
        """
      ).map { row in try row.get("delivery_id") }
    }
  }

  /// Ends a claim: the receiver is due again when its next delivery is. One that took nothing is left alone for a while, and
  /// an endpoint that has taken nothing for days is disabled.
  ///
  /// The row is locked before the deliveries are looked at, so that one that is put in line meanwhile is either seen here
  /// or moves the receiver after this.
  /// - Returns: why the endpoint is disabled now, if it is by this.
  @discardableResult
  func end(_ queue: EndpointQueue, _ summary: Summary) async throws -> String? {
    try await database.transaction(for: queue.tenant) { transaction in
      let failures: Int? = try await transaction.query(
        """
        SELECT failures
          FROM stripe_integration.delivery_lanes
         WHERE account_id = \(queue.tenant.account)
           AND livemode   = \(queue.tenant.livemode)
           AND lane_id    = \(queue.id)
           FOR UPDATE
        """
      ).first?.get("failures")
      guard let failures else { return nil }
      var now = failures
      var backoff: Double?
      var disabled: String?
      if summary.arrived > 0 {
        now = 0
        if !queue.isMail { try await Self.isWell(queue, in: transaction) }
      } else if summary.failed > 0 {
        now += 1
        backoff = DeliverySchedule.delay(afterFailures: now, spread: .random(in: 0...1))
        if !queue.isMail { disabled = try await Self.failed(queue, summary, in: transaction) }
      }
      if let asked = summary.retryAfter {
        backoff = max(backoff ?? 0, DeliverySchedule.obeyed(asked, spread: .random(in: 0...1)))
      }
      if summary.isBroken { backoff = max(backoff ?? 0, DeliverySchedule.brokenBackoff) }
      try await transaction.query(
        """
        UPDATE stripe_integration.delivery_lanes
           SET failures      = \(now),
               claimed_until = '-infinity',
               paused_until  = CASE WHEN \(disabled != nil) THEN 'infinity'
                                    WHEN paused_until = 'infinity' THEN paused_until
                                    WHEN \(backoff != nil) THEN now() + \(backoff ?? 0) * interval '1 second'
                                    ELSE '-infinity' END
         WHERE account_id = \(queue.tenant.account)
           AND livemode   = \(queue.tenant.livemode)
           AND lane_id    = \(queue.id)
        """)
      try await Self.setDue(queue, in: transaction)
      return disabled
    }
  }

  /// Makes the receiver due when the first of its deliveries is.
  static func setDue(_ queue: EndpointQueue, in transaction: PostgresTransaction) async throws {
    try await transaction.query(
      """
      UPDATE stripe_integration.delivery_lanes
         SET due_at = GREATEST(now(), paused_until, COALESCE((
               SELECT min(GREATEST(next_attempt_at, claimed_until))
                 FROM stripe_integration.deliveries
                WHERE account_id = \(queue.tenant.account)
                  AND livemode   = \(queue.tenant.livemode)
                  AND lane_id    = \(queue.id)
                  AND state      = 'pending'), 'infinity'))
       WHERE account_id = \(queue.tenant.account)
         AND livemode   = \(queue.tenant.livemode)
         AND lane_id    = \(queue.id)
      """)
  }

  /// Takes a receiver up again at once, whatever it was like before.
  static func resume(_ queue: EndpointQueue, in transaction: PostgresTransaction) async throws {
    try await transaction.query(
      """
      INSERT INTO stripe_integration.delivery_lanes (account_id, livemode, lane_id, due_at)
      VALUES (\(queue.tenant.account), \(queue.tenant.livemode), \(queue.id), now())
      ON CONFLICT (account_id, livemode, lane_id) DO UPDATE
         SET due_at = now(), paused_until = '-infinity', failures = 0
      """)
  }

  /// Gives what waits for a receiver its full time and its short waits again. What is under way is left alone.
  static func renew(_ queue: EndpointQueue, in transaction: PostgresTransaction) async throws {
    try await transaction.query(
      """
      UPDATE stripe_integration.deliveries
         SET series_attempts = 0,
             series_since    = now(),
             next_attempt_at = now()
       WHERE account_id     = \(queue.tenant.account)
         AND livemode       = \(queue.tenant.livemode)
         AND lane_id        = \(queue.id)
         AND state          = 'pending'
         AND claimed_until <= now()
      """)
  }

  private static func isWell(_ queue: EndpointQueue, in transaction: PostgresTransaction) async throws {
    try await transaction.query(
      """
      UPDATE stripe_integration.notice_endpoints
         SET failing_since = NULL
       WHERE account_id  = \(queue.tenant.account)
         AND livemode    = \(queue.tenant.livemode)
         AND endpoint_id = \(queue.id)
         AND failing_since IS NOT NULL
      """)
  }

  private static func failed(
    _ queue: EndpointQueue, _ summary: Summary, in transaction: PostgresTransaction
  ) async throws -> String? {
    let days = Int(DeliverySchedule.time / 86_400)
    let reason =
      summary.isGone
      ? "It answered 410 Gone."
      : "Nothing has arrived for \(days) days; the last attempt: \(summary.error ?? "failed")."
    return try await transaction.query(
      """
      UPDATE stripe_integration.notice_endpoints
         SET failing_since   = COALESCE(failing_since, now()),
             disabled_at     = CASE WHEN \(summary.isGone) OR failing_since < now() - \("\(days) days")::text::interval
                                    THEN now() ELSE disabled_at END,
             disabled_reason = CASE WHEN \(summary.isGone) OR failing_since < now() - \("\(days) days")::text::interval
                                    THEN \(reason)::text ELSE disabled_reason END
       WHERE account_id  = \(queue.tenant.account)
         AND livemode    = \(queue.tenant.livemode)
         AND endpoint_id = \(queue.id)
         AND disabled_at IS NULL
      RETURNING disabled_reason
      """
    ).first?.get("disabled_reason", as: String?.self) ?? nil
  }
}
