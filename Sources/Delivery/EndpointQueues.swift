import Foundation
package import Postgres
import Storage

/// The queues of endpoints. Each endpoint has a queue of its own, so that one that is slow or dead holds up no other, and an
/// owner has only a few of them served at a time, so that its dead ones hold up no other owner.
///
/// All functions run in a transaction of the caller: of the owner, or, to claim, of a role that sees the queues of all.
package struct EndpointQueues<Owner: MessageOwner>: Sendable {
  package typealias Queue = EndpointQueue<Owner>

  /// Endpoints of one owner that are served at the same time.
  let perOwner: Int
  /// An expression over the queue's row `q`: how long a claim holds. It is longer than the work under it and the deadline of its
  /// last attempt. A replica that dies in a claim keeps the endpoint waiting for as long.
  let claim: PostgresQuery

  /// Deliveries that one claim takes.
  static var length: Int { 20 }
  /// A claim takes nothing more after this.
  static var time: Duration { .seconds(5) }
  /// Deliveries given up in one claim because their time is over.
  private static var mostGivenUp: Int { 1_000 }
  private static var tables: MessageTables { Owner.messageTables }

  /// - Parameters:
  ///   - perOwner: endpoints of one owner that are served at the same time.
  ///   - claim: an expression over the queue's row `q`: how long a claim holds.
  package init(perOwner: Int, claim: PostgresQuery) {
    self.perOwner = perOwner
    self.claim = claim
  }

  private var queue: ClaimQueue<Queue> {
    ClaimQueue(
      table: Self.tables.queues, claim: .held(claim), notBefore: "q.paused_until",
      admits: """
        (SELECT count(*)
           FROM \(fragment: Self.tables.queues) o
          WHERE \(fragment: Owner.areEqual("o", "q"))
            AND o.claimed_until > now()) < \(perOwner)
        """)
  }

  /// Claims the endpoint that has been due longest; nil if none is due.
  package func claimNext(in transaction: PostgresTransaction) async throws -> Queue? {
    try await queue.claimNext(in: transaction)
  }

  /// The deliveries that are due, the longest waiting first, and of those that wait equally long the oldest.
  package func due(_ queue: Queue, in transaction: PostgresTransaction) async throws -> [MessageDeliveryID] {
    try await transaction.query(
      """
      SELECT d.\(unescaped: Self.tables.deliveryID) AS id
        FROM \(fragment: Self.tables.deliveries) d
       WHERE \(fragment: queue.isKey(of: "d"))
         AND d.state            = 'pending'
         AND d.next_attempt_at <= now()
         AND d.claimed_until   <= now()
       ORDER BY d.next_attempt_at, d.\(unescaped: Self.tables.deliveryID)
       LIMIT \(Self.length)
      """
    ).map { row in try row.get("id") }
  }

  /// Ends a claim: the endpoint is due again when its next delivery is. One that took nothing is left alone for a while.
  ///
  /// - Parameter health: called while the queue is locked, if something is now known about the endpoint: whether something
  ///   arrived, or failures only. It returns whether the endpoint is held from now on.
  package func end(
    _ queue: Queue, _ summary: DeliveryClaim.Summary, in transaction: PostgresTransaction,
    health: (_ isWell: Bool) async throws -> Bool
  ) async throws {
    let row = try await self.queue.lock(queue, reading: "q.failures", in: transaction)
    guard var failures = try row?.get("failures", as: Int.self) else { return }
    var isHeld = false
    if summary.arrived > 0 {
      failures = 0
      isHeld = try await health(true)
    } else if summary.failed > 0 {
      failures = min(failures, Int(Int32.max) - 1) + 1
      isHeld = try await health(false)
    }
    let pause = DeliverySchedule.pause(after: summary, failures: failures, spread: .random(in: 0...1))
    try await transaction.query(
      """
      UPDATE \(fragment: Self.tables.queues) q
         SET failures     = \(failures)\(fragment: Self.times(summary)),
             paused_until = CASE WHEN \(isHeld) OR q.paused_until = 'infinity' THEN 'infinity'
                                 WHEN \(pause != nil) THEN now() + \(pause ?? 0) * interval '1 second'
                                 ELSE '-infinity' END
       WHERE \(fragment: queue.isKey(of: "q"))
      """)
    try await self.queue.release(queue, nextDue: Self.nextDue(queue), in: transaction)
  }

  private static func times(_ summary: DeliveryClaim.Summary) -> PostgresQuery {
    guard tables.extras.contains(.times) else { return "" }
    return """
      ,
      last_success_at = CASE WHEN \(summary.arrived > 0) THEN now() ELSE q.last_success_at END,
      last_failure_at = CASE WHEN \(summary.failed > 0)  THEN now() ELSE q.last_failure_at END
      """
  }

  /// When the first of the endpoint's deliveries is due. Those that are under way are due when their attempt's claim ends.
  private static func nextDue(_ queue: Queue) -> PostgresQuery {
    """
    (SELECT min(GREATEST(w.next_attempt_at, w.claimed_until))
       FROM (SELECT d.next_attempt_at, d.claimed_until
               FROM \(fragment: tables.deliveries) d
              WHERE \(fragment: queue.isKey(of: "d"))
                AND d.state = 'pending'
              ORDER BY d.next_attempt_at, d.\(unescaped: tables.deliveryID)
              LIMIT \(length * 2)) w)
    """
  }
}

extension EndpointQueues {
  /// The queue of a new endpoint.
  package func add(_ queue: Queue, isActive: Bool, in transaction: PostgresTransaction) async throws {
    try await transaction.query(
      """
      INSERT INTO \(fragment: Self.tables.queues) (\(fragment: Queue.columns()), due_at, paused_until)
      VALUES (\(fragment: queue.values), 'infinity', CASE WHEN \(isActive) THEN '-infinity' ELSE 'infinity' END::timestamptz)
      """)
  }

  /// Locks the queue until the end of the transaction. Whoever changes an endpoint locks its queue first, as a claim that ends
  /// does it: so neither waits for the other in a circle.
  package func lock(_ queue: Queue, in transaction: PostgresTransaction) async throws {
    _ = try await self.queue.lock(queue, in: transaction)
  }

  /// Makes the endpoint due when the first of its deliveries is.
  package func reschedule(_ queue: Queue, in transaction: PostgresTransaction) async throws {
    try await self.queue.reschedule(queue, nextDue: Self.nextDue(queue), in: transaction)
  }

  /// Serves an endpoint again at once, whatever it was like before.
  package func resume(_ queue: Queue, in transaction: PostgresTransaction) async throws {
    try await transaction.query(
      """
      INSERT INTO \(fragment: Self.tables.queues) (\(fragment: Queue.columns()), due_at)
      VALUES (\(fragment: queue.values), now())
      ON CONFLICT (\(fragment: Queue.columns())) DO UPDATE
         SET due_at       = now(),
             paused_until = '-infinity',
             failures     = 0
      """)
  }

  /// Keeps what waits for an endpoint where it is.
  package func hold(_ queue: Queue, in transaction: PostgresTransaction) async throws {
    try await transaction.query(
      """
      UPDATE \(fragment: Self.tables.queues) q
         SET due_at       = 'infinity',
             paused_until = 'infinity'
       WHERE \(fragment: queue.isKey(of: "q"))
      """)
  }

  /// Gives what waits for an endpoint its full time and its short waits again. What is under way is left alone.
  package func renew(_ queue: Queue, in transaction: PostgresTransaction) async throws {
    try await transaction.query(
      """
      UPDATE \(fragment: Self.tables.deliveries) d
         SET series_attempts = 0,
             series_since    = now(),
             next_attempt_at = now()
       WHERE \(fragment: queue.isKey(of: "d"))
         AND d.state          = 'pending'
         AND d.claimed_until <= now()
      """)
  }

  /// Ends what waits for an endpoint that is removed.
  package func cancel(_ queue: Queue, because reason: String, in transaction: PostgresTransaction) async throws {
    try await transaction.query(
      """
      UPDATE \(fragment: Self.tables.deliveries) d
         SET state       = \(Self.tables.endings.cancelled),
             error       = \(reason),
             finished_at = now()
       WHERE \(fragment: queue.isKey(of: "d"))
         AND d.state = 'pending'
      """)
  }

  /// Ends what has waited for its full time behind others at an endpoint that takes nothing: each would need an attempt of
  /// its own to find that out.
  package func giveUp(_ queue: Queue, in transaction: PostgresTransaction) async throws {
    try await transaction.query(
      """
      UPDATE \(fragment: Self.tables.deliveries) d
         SET state       = \(Self.tables.endings.failed),
             error       = COALESCE(d.error, 'The endpoint took nothing.'),
             finished_at = now()
        FROM (SELECT o.\(unescaped: Self.tables.deliveryID) AS old_id
                FROM \(fragment: Self.tables.deliveries) o
               WHERE \(fragment: queue.isKey(of: "o"))
                 AND o.state          = 'pending'
                 AND o.series_since   < now() - \("\(Int(DeliverySchedule.time)) seconds")::text::interval
                 AND o.claimed_until <= now()
               ORDER BY o.\(unescaped: Self.tables.deliveryID)
               LIMIT \(Self.mostGivenUp)) old
       WHERE \(fragment: queue.isKey(of: "d"))
         AND d.\(unescaped: Self.tables.deliveryID) = old.old_id
      """)
  }
}
