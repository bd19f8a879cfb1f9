import Delivery
import Foundation
import Identity
import Postgres
import Purchases
import StripeAPI

/// One attempt to deliver something, which is this worker's alone.
struct DeliveryAttempt: Sendable {
  let tenant: Tenant
  let delivery: DeliveryID
  let queue: EndpointQueue
  let type: String
  let licenseMessage: LicenseMessageID?
  let purchase: PurchaseID?
  /// Counts from 1.
  let number: Int
  /// Attempts since the delivery was made or replayed, this one included.
  let seriesNumber: Int
  let createdAt: Date
  /// The host that it really goes to.
  var destination: String?
}

/// The records of deliveries: each attempt is claimed before it is made and noted after it, so that two workers never make
/// the same one, and a crash leaves an entry that says so.
struct DeliveryAttempts: Sendable {
  let tenant: Tenant
  let transaction: PostgresTransaction

  /// Claims the next attempt of a delivery.
  /// - Returns: nil when it is not due any more, or somebody else's.
  func begin(_ delivery: DeliveryID) async throws -> DeliveryAttempt? {
    let row = try await transaction.query(
      """
      UPDATE stripe_integration.deliveries
         SET attempts        = attempts + 1,
             series_attempts = series_attempts + 1,
             claimed_until   = now() + CASE WHEN lane_id = 'email'
                                            THEN \(EndpointQueues.seconds(mail: true))::text::interval
                                            ELSE \(EndpointQueues.seconds(mail: false))::text::interval END
       WHERE account_id       = \(tenant.account)
         AND livemode         = \(tenant.livemode)
         AND delivery_id      = \(delivery)
         AND state            = 'pending'
         AND next_attempt_at <= now()
         AND claimed_until   <= now()
      RETURNING lane_id, type, notice_id, purchase_id, attempts, series_attempts, created_at, destination
      """
    ).first
    guard let row else { return nil }
    let attempt = DeliveryAttempt(
      tenant: tenant, delivery: delivery, queue: EndpointQueue(tenant: tenant, id: try row.get("lane_id")),
      type: try row.get("type"), licenseMessage: try row.get("notice_id"), purchase: try row.get("purchase_id"),
      number: try row.get("attempts"), seriesNumber: try row.get("series_attempts"),
      createdAt: try row.get("created_at"), destination: try row.get("destination"))
    try await transaction.query(
      """
      INSERT INTO stripe_integration.delivery_attempts (account_id, livemode, delivery_id, attempt)
      VALUES (\(tenant.account), \(tenant.livemode), \(delivery), \(attempt.number))
      """)
    return attempt
  }

  /// Notes where an attempt goes: the endpoint's address may be another than when the message was put in line.
  func setDestination(_ attempt: DeliveryAttempt) async throws {
    try await transaction.query(
      """
      UPDATE stripe_integration.deliveries
         SET destination = \(attempt.destination)
       WHERE account_id  = \(tenant.account)
         AND livemode    = \(tenant.livemode)
         AND delivery_id = \(attempt.delivery)
         AND attempts    = \(attempt.number)
         AND destination IS DISTINCT FROM \(attempt.destination)::text
      """)
  }

  /// Notes how an attempt ended, and what comes next. A delivery that somebody else has taken up since is left to them,
  /// unless this attempt has brought it to its end.
  func finish(_ attempt: DeliveryAttempt, _ result: DeliveryResult, took duration: Duration) async throws {
    let (status, error) = result.record
    try await transaction.query(
      """
      UPDATE stripe_integration.delivery_attempts
         SET duration_ms = \(Int(duration / .milliseconds(1))),
             status      = \(status),
             error       = \(error)
       WHERE account_id  = \(tenant.account)
         AND livemode    = \(tenant.livemode)
         AND delivery_id = \(attempt.delivery)
         AND attempt     = \(attempt.number)
      """)
    switch result {
    case .arrived: try await end(attempt, "succeeded", nil, evenIfTaken: true)
    case .pointless(let reason): try await end(attempt, "cancelled", reason)
    case .failed(let error, _, true, _, _, _): try await end(attempt, "failed", error)
    case .failed(let error, _, false, _, _, let asked): try await retry(attempt, error, asked)
    case .postponed(let reason, let seconds): try await again(attempt, after: seconds, reason)
    case .cutOff: try await again(attempt, after: 0, "cut off")
    }
  }

  private func retry(_ attempt: DeliveryAttempt, _ error: String, _ asked: Duration?) async throws {
    let age: Double? = try await transaction.query(
      """
      SELECT extract(epoch FROM now() - series_since)::double precision AS age
        FROM stripe_integration.deliveries
       WHERE account_id  = \(tenant.account)
         AND livemode    = \(tenant.livemode)
         AND delivery_id = \(attempt.delivery)
      """
    ).first?.get("age")
    if let wait = DeliverySchedule.wait(
      after: attempt.seriesNumber, age: age ?? .infinity, spread: .random(in: 0...1), asked: asked)
    {
      try await again(attempt, after: wait, error)
    } else {
      try await end(attempt, "failed", error)
    }
  }

  private func again(_ attempt: DeliveryAttempt, after seconds: Double, _ error: String) async throws {
    try await transaction.query(
      """
      UPDATE stripe_integration.deliveries
         SET claimed_until   = '-infinity',
             next_attempt_at = now() + \(seconds) * interval '1 second',
             error           = \(error)
       WHERE account_id  = \(tenant.account)
         AND livemode    = \(tenant.livemode)
         AND delivery_id = \(attempt.delivery)
         AND attempts    = \(attempt.number)
         AND state       = 'pending'
      """)
  }

  private func end(
    _ attempt: DeliveryAttempt, _ state: String, _ error: String?, evenIfTaken: Bool = false
  ) async throws {
    let ended = try await transaction.query(
      """
      UPDATE stripe_integration.deliveries
         SET state         = \(state),
             claimed_until = '-infinity',
             error         = \(error),
             finished_at   = now()
       WHERE account_id  = \(tenant.account)
         AND livemode    = \(tenant.livemode)
         AND delivery_id = \(attempt.delivery)
         AND (attempts = \(attempt.number) OR \(evenIfTaken))
         AND state       = 'pending'
      """)
    guard ended.affectedRows > 0, let told = attempt.purchase else { return }
    // The purchase may have become part of another since.
    guard
      let purchase = try await FulfillmentReader(tenant: tenant, transaction: transaction).purchase(of: told.rawValue)
    else { return }
    try await Timeline(tenant: tenant, purchase: purchase, transaction: transaction)
      .add(
        .note, attempt.sentence(state), state: state == "succeeded" ? .succeeded : .failed, detail: error)
  }
}

extension DeliveryAttempt {
  /// What came of the delivery, for the timeline. Names the host, never a person's address.
  fileprivate func sentence(_ state: String) -> String {
    let receiver = destination ?? "the vendor"
    return switch (queue.isMail, state) {
    case (true, "succeeded"): "E-mailed the key to the buyer."
    case (true, "cancelled"): "No e-mail to the buyer: there was nothing left to send."
    case (true, _): "The e-mail to the buyer could not be sent."
    case (false, "succeeded"): "Told \(receiver) of \(type)."
    case (false, _): "\(receiver) could not be told of \(type)."
    }
  }
}
