import Foundation
package import Postgres
import Storage

/// The records of attempts, within a transaction of the endpoint's owner. Each attempt is claimed before it is made and noted
/// after it, so that two workers never make the same one, and a crash leaves an entry that says so.
package struct MessageAttempts<Owner: MessageOwner>: Sendable {
  let queue: EndpointQueue<Owner>
  let transaction: PostgresTransaction

  private var tables: MessageTables { Owner.messageTables }

  package init(_ queue: EndpointQueue<Owner>, in transaction: PostgresTransaction) {
    self.queue = queue
    self.transaction = transaction
  }

  /// Claims the next attempt of a delivery.
  /// - Parameter claim: an expression over the queue's row `q`: how long the attempt is this worker's.
  /// - Returns: nil when the delivery is not due any more, or somebody else's.
  package func begin(_ delivery: MessageDeliveryID, claim: PostgresQuery) async throws -> MessageAttempt<Owner>? {
    let row = try await transaction.query(
      """
      UPDATE \(fragment: tables.deliveries) d
         SET attempts        = d.attempts + 1,
             series_attempts = d.series_attempts + 1,
             claimed_until   = now() + \(fragment: claim)
        FROM (SELECT \(queue.id)::text AS \(unescaped: tables.queueID)) q
       WHERE \(fragment: queue.isKey(of: "d"))
         AND d.\(unescaped: tables.deliveryID) = \(delivery)
         AND d.state            = 'pending'
         AND d.next_attempt_at <= now()
         AND d.claimed_until   <= now()
      RETURNING \(fragment: tables.subject), d.attempts, d.series_attempts, d.created_at,
                extract(epoch FROM now() - d.series_since)::double precision AS age
      """
    ).first
    guard let row else { return nil }
    let attempt = MessageAttempt(
      queue: queue, delivery: delivery, subject: try Owner.subject(of: row), number: try row.get("attempts"),
      seriesNumber: try row.get("series_attempts"), age: try row.get("age"), createdAt: try row.get("created_at"))
    try await add(attempt)
    return attempt
  }

  private func add(_ attempt: MessageAttempt<Owner>) async throws {
    let key: PostgresQuery =
      tables.extras.contains(.endpointOfAttempt)
      ? "\(fragment: EndpointQueue<Owner>.columns())" : "\(fragment: Owner.columns())"
    try await transaction.query(
      """
      INSERT INTO \(fragment: tables.attempts) (\(fragment: key), delivery_id, attempt)
      VALUES (\(fragment: tables.extras.contains(.endpointOfAttempt) ? queue.values : queue.owner.values),
              \(attempt.delivery), \(attempt.number))
      """)
  }

  /// Notes how an attempt ended, and what comes next. A delivery that somebody else has claimed since is left to them, unless
  /// this attempt has brought it to its end.
  /// - Returns: what is over by this; nil while the delivery waits for another attempt.
  package func finish(
    _ attempt: MessageAttempt<Owner>, _ result: DeliveryResult, took duration: Duration
  ) async throws -> EndedMessage<Owner>? {
    let (status, error) = result.record
    try await transaction.query(
      """
      UPDATE \(fragment: tables.attempts) a
         SET duration_ms = \(Int(duration / .milliseconds(1))),
             \(unescaped: tables.status) = \(status),
             error       = \(error)
       WHERE \(fragment: queue.owner.isKey(of: "a"))
         AND a.delivery_id = \(attempt.delivery)
         AND a.attempt     = \(attempt.number)
      """)
    switch result {
    case .arrived: return try await end(attempt, .arrived, status: status, nil, evenIfTaken: true)
    case .pointless(let reason): return try await end(attempt, .cancelled, status: nil, reason)
    case .postponed(let reason, let seconds): try await again(attempt, after: seconds, status: nil, reason)
    case .cutOff: try await again(attempt, after: 0, status: nil, "cut off")
    case .failed(let error, _, let isFinal, _, _, let asked):
      let wait = DeliverySchedule.wait(
        after: attempt.seriesNumber, age: attempt.age, spread: .random(in: 0...1), asked: asked)
      guard let wait, !isFinal else { return try await end(attempt, .failed, status: status, error) }
      try await again(attempt, after: wait, status: status, error)
    }
    return nil
  }

  private func lastStatus(_ status: Int?) -> PostgresQuery {
    tables.extras.contains(.lastStatus) ? "\(unescaped: tables.status) = \(status)," : ""
  }

  private func again(
    _ attempt: MessageAttempt<Owner>, after seconds: Double, status: Int?, _ error: String
  ) async throws {
    try await transaction.query(
      """
      UPDATE \(fragment: tables.deliveries) d
         SET \(fragment: lastStatus(status))
             claimed_until   = '-infinity',
             next_attempt_at = now() + \(seconds) * interval '1 second',
             error           = \(error)
       WHERE \(fragment: queue.isKey(of: "d"))
         AND d.\(unescaped: tables.deliveryID) = \(attempt.delivery)
         AND d.attempts = \(attempt.number)
         AND d.state    = 'pending'
      """)
  }

  private func end(
    _ attempt: MessageAttempt<Owner>, _ ending: MessageEnding, status: Int?, _ error: String?,
    evenIfTaken: Bool = false
  ) async throws -> EndedMessage<Owner>? {
    try await transaction.query(
      """
      UPDATE \(fragment: tables.deliveries) d
         SET \(fragment: lastStatus(status))
             state         = \(tables.endings.word(for: ending)),
             claimed_until = '-infinity',
             error         = \(error),
             finished_at   = now()
       WHERE \(fragment: queue.isKey(of: "d"))
         AND d.\(unescaped: tables.deliveryID) = \(attempt.delivery)
         AND (d.attempts = \(attempt.number) OR \(evenIfTaken))
         AND d.state = 'pending'
      RETURNING \(fragment: tables.subject)
      """
    ).first.map { row in
      EndedMessage(queue: queue, subject: try Owner.subject(of: row), ending: ending, error: error)
    }
  }
}
