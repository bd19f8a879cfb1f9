package import Foundation
package import Postgres
import Storage

/// What became of deliveries, and what can be done about them by hand, within a transaction of their owner.
package struct MessageLog<Owner: MessageOwner>: Sendable {
  let owner: Owner
  let queues: EndpointQueues<Owner>
  let transaction: PostgresTransaction

  /// Attempts that are shown of one delivery, the newest.
  private static var mostAttempts: Int { 200 }
  private var tables: MessageTables { Owner.messageTables }

  package init(of owner: Owner, queues: EndpointQueues<Owner>, in transaction: PostgresTransaction) {
    self.owner = owner
    self.queues = queues
    self.transaction = transaction
  }

  /// One attempt as it is shown.
  package struct Attempt: Sendable {
    package let attempt: Int
    package let at: Date
    /// Nil while it is under way, and when the process ended in it.
    package let durationMs: Int?
    package let status: Int?
    package let error: String?
  }

  /// Each attempt of a delivery, oldest first; of many the newest.
  package func attempts(of delivery: MessageDeliveryID) async throws -> [Attempt] {
    try await transaction.query(
      """
      SELECT a.attempt, a.at, a.duration_ms, a.\(unescaped: tables.status) AS status, a.error
        FROM \(fragment: tables.attempts) a
       WHERE \(fragment: owner.isKey(of: "a"))
         AND a.delivery_id = \(delivery)
       ORDER BY a.attempt DESC
       LIMIT \(Self.mostAttempts)
      """
    ).map { row in
      Attempt(
        attempt: try row.get("attempt"), at: try row.get("at"), durationMs: try row.get("duration_ms"),
        status: try row.get("status"), error: try row.get("error"))
    }.reversed()
  }

  /// Delivers once more, whatever became of the deliveries: those that match, the newest ones of many.
  ///
  /// The queues are locked before the deliveries, as a claim that ends does it: so neither waits for the other in a circle.
  /// - Parameter condition: over the delivery's row `d`.
  /// - Returns: how many they are.
  package func replay(where condition: PostgresQuery, atMost limit: Int) async throws -> Int {
    let chosen: PostgresQuery = """
      SELECT d.\(unescaped: tables.deliveryID) AS chosen_id, d.\(unescaped: tables.queueID) AS queue_id
        FROM \(fragment: tables.deliveries) d
       WHERE \(fragment: owner.isKey(of: "d"))
         AND \(fragment: condition)
       ORDER BY d.created_at DESC, d.\(unescaped: tables.deliveryID) DESC
       LIMIT \(limit)
      """
    let ids = try await transaction.query("SELECT DISTINCT queue_id FROM (\(fragment: chosen)) c ORDER BY queue_id")
      .map { row in try row.get("queue_id", as: String.self) }
    for id in ids { try await queues.resume(EndpointQueue(of: owner, id: id), in: transaction) }
    let replays: PostgresQuery = tables.extras.contains(.replays) ? "replays = d.replays + 1," : ""
    return try await transaction.query(
      """
      UPDATE \(fragment: tables.deliveries) d
         SET \(fragment: replays)
             state           = 'pending',
             series_attempts = 0,
             series_since    = now(),
             next_attempt_at = now(),
             error           = NULL,
             finished_at     = NULL
        FROM (\(fragment: chosen)) c
       WHERE \(fragment: owner.isKey(of: "d"))
         AND d.\(unescaped: tables.deliveryID) = c.chosen_id
         AND c.queue_id = ANY(\(ids))
      """
    ).affectedRows
  }
}
