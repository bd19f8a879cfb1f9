import Foundation
import Identity
import Postgres
import Queue
import StripeAPI

/// Thin events whose objects must be asked for, within a transaction of their tenant. They are in the inbox as `waiting`,
/// each with the time from which on its object is asked for.
struct ThinEventQueue {
  struct Waiting: Sendable {
    let id: String
    let body: String
    /// How many times it was routed or asked for before.
    let attempts: Int
  }

  let tenant: Tenant
  let transaction: PostgresTransaction

  static let outcome = "Waits until its object is read from Stripe."

  /// Has the objects of events asked for under the tenant's next claim.
  func ask(_ events: [String]) async throws {
    guard !events.isEmpty else { return }
    try await transaction.query(
      """
      UPDATE stripe_integration.inbox
         SET fetch_at = now()
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
         AND event_id   = ANY(\(events))
      """)
    try await TenantQueue.enqueue(tenant, in: .purchases, transaction)
  }

  func isAnyDue() async throws -> Bool {
    try await !transaction.query(
      """
      SELECT FROM stripe_integration.inbox
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
         AND state      = 'waiting'
         AND fetch_at  <= now()
       LIMIT 1
      """
    ).isEmpty
  }

  /// Events that are due, oldest first; none while the tenant is blocked or not connected.
  func due(limit: Int) async throws -> [Waiting] {
    try await transaction.query(
      """
      SELECT event_id, body, attempts
        FROM stripe_integration.inbox
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
         AND state      = 'waiting'
         AND fetch_at  <= now()
         AND \(fragment: TenantQueue.isConnected(tenant))
       ORDER BY fetch_at
       LIMIT \(limit)
      """
    ).map { row in
      Waiting(id: try row.get("event_id"), body: try row.get("body"), attempts: try row.get("attempts"))
    }
  }

  /// Replaces the events with Stripe's answers, and has them routed.
  /// - Parameter bodies: snapshot events by the id of the event in the inbox.
  func complete(_ bodies: [String: String]) async throws {
    guard !bodies.isEmpty else { return }
    try await lock(Array(bodies.keys))
    try await transaction.query(
      """
      UPDATE stripe_integration.inbox i
         SET body       = e.body,
             is_thin    = false,
             fetch_at   = NULL,
             state      = 'new',
             outcome    = NULL,
             handled_at = NULL
        FROM unnest(\(Array(bodies.keys))::text[], \(Array(bodies.values))::text[]) AS e (event_id, body)
       WHERE i.account_id = \(tenant.account)
         AND i.livemode   = \(tenant.livemode)
         AND i.event_id   = e.event_id
         AND i.state      = 'waiting'
         AND i.is_thin
      """)
  }

  /// Ends events whose object cannot be asked for.
  func fail(_ events: [String], reason: String) async throws {
    guard !events.isEmpty else { return }
    try await lock(events)
    try await transaction.query(
      """
      UPDATE stripe_integration.inbox
         SET state      = 'failed',
             outcome    = \(reason),
             fetch_at   = NULL,
             handled_at = now()
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
         AND event_id   = ANY(\(events))
         AND state      = 'waiting'
      """)
  }

  /// Has the objects asked for again later.
  func postpone(_ events: [String], for backoff: TimeInterval, reason: String) async throws {
    guard !events.isEmpty else { return }
    try await lock(events)
    try await transaction.query(
      """
      UPDATE stripe_integration.inbox
         SET attempts = attempts + 1,
             outcome  = \(reason),
             fetch_at = now() + make_interval(secs => \(backoff)::double precision)
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
         AND event_id   = ANY(\(events))
         AND state      = 'waiting'
      """)
  }

  /// In the order that the receiver uses, so that the two never wait for each other.
  private func lock(_ events: [String]) async throws {
    try await transaction.query(
      """
      SELECT FROM stripe_integration.inbox
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
         AND event_id   = ANY(\(events))
       ORDER BY event_id
         FOR UPDATE
      """)
  }
}
