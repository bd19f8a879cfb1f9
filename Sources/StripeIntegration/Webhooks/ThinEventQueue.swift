import Foundation
import Identity
import JSON
import Postgres
import StripeAPI

/// Thin events whose objects are to be asked for, within a transaction of their tenant. They stand in the inbox as
/// `waiting`: of a connected account nothing else waits there.
struct ThinEventQueue {
  struct Waiting: Sendable {
    let id: String
    let body: String
  }

  let tenant: Tenant
  let transaction: PostgresTransaction

  static let outcome = "Waits until its object is asked for at Stripe."

  /// Has the objects asked for soon.
  func ask() async throws {
    // What was done leaves nothing behind: the events themselves tell it.
    try await transaction.query(
      """
      DELETE FROM stripe_integration.jobs
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
         AND kind       = \(JobKind.thinEvents.rawValue)
         AND state      = 'succeeded'
         AND finished_at IS NOT NULL
      """)
    do {
      try await JobStore(tenant: tenant, transaction: transaction)
        .create(.thinEvents, parameters: JSONObject(), counting: ThinEventWork.counts, by: SweepSchedule.actor)
    } catch is JobStore.AlreadyOpen {}
  }

  func isEmpty() async throws -> Bool { try await waiting(limit: 1).isEmpty }

  /// Those that were tried least, oldest first: one that cannot be asked for keeps no other from its turn.
  func waiting(limit: Int) async throws -> [Waiting] {
    try await transaction.query(
      """
      SELECT i.event_id, i.body
        FROM (SELECT event_id
                FROM stripe_integration.inbox
               WHERE account_id = \(tenant.account)
                 AND livemode   = \(tenant.livemode)
                 AND state      = 'waiting'
               ORDER BY attempts, received_at
               LIMIT \(limit)) next
        JOIN stripe_integration.inbox i
          ON i.account_id = \(tenant.account)
         AND i.livemode   = \(tenant.livemode)
         AND i.event_id   = next.event_id
      """
    ).map { row in Waiting(id: try row.get("event_id"), body: try row.get("body")) }
  }

  /// Puts what Stripe answered in the events' place, and lets them be routed.
  /// - Parameter bodies: snapshot events by the id of the event in the inbox.
  func complete(_ bodies: [String: String]) async throws {
    try await transaction.query(
      """
      UPDATE stripe_integration.inbox i
         SET body       = e.body,
             state      = 'new',
             outcome    = NULL,
             handled_at = NULL
        FROM unnest(\(Array(bodies.keys))::text[], \(Array(bodies.values))::text[]) AS e (event_id, body)
       WHERE i.account_id = \(tenant.account)
         AND i.livemode   = \(tenant.livemode)
         AND i.event_id   = e.event_id
         AND i.state      = 'waiting'
      """)
  }

  /// Lets events be routed as they are: they are no thin events.
  func release(_ events: [String]) async throws {
    try await end(events, state: "new", outcome: nil)
  }

  /// Ends events whose object nobody can ask for.
  func fail(_ events: [String], reason: String) async throws {
    try await end(events, state: "failed", outcome: reason)
  }

  private func end(_ events: [String], state: String, outcome: String?) async throws {
    try await transaction.query(
      """
      UPDATE stripe_integration.inbox
         SET state      = \(state),
             outcome    = \(outcome),
             handled_at = now()
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
         AND event_id   = ANY(\(events))
         AND state      = 'waiting'
      """)
  }

  /// Counts an attempt that brought nothing, so that others come first.
  func postpone(_ events: [String], reason: String) async throws {
    try await transaction.query(
      """
      UPDATE stripe_integration.inbox
         SET attempts = attempts + 1,
             outcome  = \(reason)
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
         AND event_id   = ANY(\(events))
         AND state      = 'waiting'
      """)
  }
}
