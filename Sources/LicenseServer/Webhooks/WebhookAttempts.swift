import Delivery
import Foundation
import Identity
import LicenseKitAPI
import Postgres

/// One attempt to deliver something, which is this worker's alone.
struct WebhookAttempt: Sendable {
  let queue: WebhookQueue
  let delivery: WebhookDeliveryID
  /// Nil: a test.
  let sequence: Int64?
  /// Counts from 1.
  let number: Int
  /// Attempts since the delivery was made or replayed, this one included.
  let seriesNumber: Int
  /// Seconds since the delivery was made or replayed.
  let age: Double
  let createdAt: Date
}

/// The records of attempts: each is claimed before it is made and noted after it, so that two workers never make the same
/// one, and a crash leaves an entry that says so.
struct WebhookAttempts: Sendable {
  let queue: WebhookQueue
  let transaction: PostgresTransaction

  /// Claims the next attempt of a delivery.
  /// - Returns: nil when it is not due any more, or somebody else's.
  func begin(_ delivery: WebhookDeliveryID) async throws -> WebhookAttempt? {
    let row = try await transaction.query(
      """
      UPDATE license_server.webhook_deliveries
         SET attempts        = attempts + 1,
             series_attempts = series_attempts + 1,
             claimed_until   = now() + \(WebhookQueues.claim)::text::interval
       WHERE tenant_id        = \(queue.tenant)
         AND id               = \(delivery)
         AND endpoint_id      = \(queue.endpoint)
         AND state            = 'pending'
         AND next_attempt_at <= now()
         AND claimed_until   <= now()
      RETURNING sequence, attempts, series_attempts, created_at,
                extract(epoch FROM now() - series_since)::double precision AS age
      """
    ).first
    guard let row else { return nil }
    let attempt = WebhookAttempt(
      queue: queue, delivery: delivery, sequence: try row.get("sequence"), number: try row.get("attempts"),
      seriesNumber: try row.get("series_attempts"), age: try row.get("age"), createdAt: try row.get("created_at"))
    try await transaction.query(
      """
      INSERT INTO license_server.webhook_attempts (tenant_id, delivery_id, attempt, endpoint_id)
      VALUES (\(queue.tenant), \(delivery), \(attempt.number), \(queue.endpoint))
      """)
    return attempt
  }

  /// Notes how an attempt ended, and what comes next. A delivery that somebody else has taken up since is left to them,
  /// unless this attempt has brought it to its end.
  func finish(_ attempt: WebhookAttempt, _ result: DeliveryResult, took duration: Duration) async throws {
    let (status, error) = result.record
    try await transaction.query(
      """
      UPDATE license_server.webhook_attempts
         SET duration_ms = \(Int(duration / .milliseconds(1))),
             status_code = \(status),
             error       = \(error)
       WHERE tenant_id = \(queue.tenant) AND delivery_id = \(attempt.delivery) AND attempt = \(attempt.number)
      """)
    switch result {
    case .arrived: try await end(attempt, .delivered, status: status, nil, evenIfTaken: true)
    case .pointless(let reason): try await end(attempt, .canceled, status: nil, reason)
    case .postponed(let reason, let seconds): try await again(attempt, after: seconds, status: nil, reason)
    case .cutOff: try await again(attempt, after: 0, status: nil, "cut off")
    case .failed(let error, _, let isFinal, _, _, let asked):
      let wait = DeliverySchedule.wait(
        after: attempt.seriesNumber, age: attempt.age, spread: .random(in: 0...1), asked: asked)
      if let wait, !isFinal {
        try await again(attempt, after: wait, status: status, error)
      } else {
        try await end(attempt, .failed, status: status, error)
      }
    }
  }

  private func again(_ attempt: WebhookAttempt, after seconds: Double, status: Int?, _ error: String) async throws {
    try await transaction.query(
      """
      UPDATE license_server.webhook_deliveries
         SET claimed_until   = '-infinity',
             next_attempt_at = now() + \(seconds) * interval '1 second',
             status_code     = \(status),
             error           = \(error)
       WHERE tenant_id = \(queue.tenant)
         AND id        = \(attempt.delivery)
         AND attempts  = \(attempt.number)
         AND state     = 'pending'
      """)
  }

  private func end(
    _ attempt: WebhookAttempt, _ state: WebhookDelivery.State, status: Int?, _ error: String?, evenIfTaken: Bool = false
  ) async throws {
    try await transaction.query(
      """
      UPDATE license_server.webhook_deliveries
         SET state         = \(state),
             claimed_until = '-infinity',
             status_code   = \(status),
             error         = \(error),
             finished_at   = now()
       WHERE tenant_id = \(queue.tenant)
         AND id        = \(attempt.delivery)
         AND (attempts = \(attempt.number) OR \(evenIfTaken))
         AND state     = 'pending'
      """)
  }
}
