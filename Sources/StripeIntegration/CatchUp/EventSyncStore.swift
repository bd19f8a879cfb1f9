import Foundation
import Identity
import Postgres
import Storage
import StripeAPI

/// How far Stripe's list of events has been read for a tenant, within a transaction of that tenant.
struct EventSyncStore {
  /// The state of a tenant's event sync.
  struct State: Sendable {
    /// On Stripe's clock: every event made before this is known.
    let readUpTo: Date
    /// The second after the account became known, since events have whole seconds. Earlier sales are left to a
    /// backfill.
    let knownSince: Date
    let syncedAt: Date?
    /// Events that no webhook had brought, over all syncs.
    let found: Int64
    let foundAt: Date?
    /// Why event sync fails; nil while it works.
    let problem: String?
    /// A time whose events Stripe no longer lists.
    let gap: ClosedRange<Date>?
    /// Nil while none is planned.
    let dueAt: Date?
  }

  /// How far back the first sync reads for a tenant that was connected before event sync existed: as long as Stripe keeps
  /// delivering an event (Stripe docs, "Webhooks").
  static let firstReach = "3 days"

  let tenant: Tenant
  let transaction: PostgresTransaction

  /// Adds a tenant that was connected before event sync existed. Its first sync is at any time within the interval.
  func adopt(within interval: Duration) async throws {
    try await transaction.query(
      """
      INSERT INTO stripe_integration.sweeps (account_id, livemode, due_at, read_up_to)
      SELECT account_id, livemode, now() + random() * make_interval(secs => \(interval / .seconds(1))::double precision),
             GREATEST(COALESCE(installed_at, now()), now() - \(Self.firstReach)::text::interval)
        FROM stripe_integration.connections
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
         AND status     = 'connected'
          ON CONFLICT DO NOTHING
      """)
  }

  /// A sync that is due.
  struct Due: Sendable {
    /// The first since the account was connected: no webhook brings what happened before that.
    let isFirst: Bool
  }

  /// Takes the due sync and plans the next, between three and five quarters of the interval from now. So 10 000 tenants
  /// spread over the hour, even those that came back together from an outage.
  /// - Returns: nil if none is due or the tenant cannot be served. Only one replica gets it.
  func takeDue(every interval: Duration) async throws -> Due? {
    let queue = Self.queue(every: interval)
    guard try await queue.claim(tenant, in: transaction) else { return nil }
    let row = try await transaction.query(
      """
      SELECT COALESCE(s.swept_at < c.installed_at, true) AS is_first
        FROM stripe_integration.sweeps      s
        JOIN stripe_integration.connections c USING (account_id, livemode)
       WHERE s.account_id = \(tenant.account)
         AND s.livemode   = \(tenant.livemode)
         AND c.status     = 'connected'
         AND c.parked_reason IS NULL
      """
    ).first
    guard let row else {
      try await queue.reschedule(tenant, isBlocked: "true", nextDue: "NULL", in: transaction)
      return nil
    }
    return Due(isFirst: try row.get("is_first"))
  }

  /// The queue of tenants whose events are to be read.
  static func queue(every interval: Duration) -> ClaimQueue<Tenant> {
    let seconds = interval / .seconds(1)
    return ClaimQueue(
      table: "stripe_integration.sweeps",
      claim: .repeated(
        """
        (0.75 + random() / 2) * make_interval(
          secs => CASE WHEN q.problem IS NULL THEN \(seconds)::double precision ELSE 86400 END)
        """))
  }

  func state() async throws -> State? {
    try await transaction.query(
      """
      SELECT read_up_to, swept_at, found, found_at, problem, gap_from, gap_to, NULLIF(due_at, 'infinity') AS due_at,
             date_trunc('second', created_at) + interval '1 second' AS known_since
        FROM stripe_integration.sweeps
        JOIN stripe_integration.connections USING (account_id, livemode)
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
      """
    ).first.map { row in
      let (from, to) = (try row.get("gap_from", as: Date?.self), try row.get("gap_to", as: Date?.self))
      return State(
        readUpTo: try row.get("read_up_to"), knownSince: try row.get("known_since"), syncedAt: try row.get("swept_at"),
        found: try row.get("found"),
        foundAt: try row.get("found_at"), problem: try row.get("problem"),
        gap: from.flatMap { from in to.flatMap { from <= $0 ? from...$0 : nil } }, dueAt: try row.get("due_at"))
    }
  }

  func count(found: Int) async throws {
    guard found > 0 else { return }
    try await transaction.query(
      """
      UPDATE stripe_integration.sweeps
         SET found    = found + \(found),
             found_at = now()
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
      """)
  }

  func note(gap: ClosedRange<Date>) async throws {
    try await transaction.query(
      """
      UPDATE stripe_integration.sweeps
         SET gap_from = \(gap.lowerBound),
             gap_to   = \(gap.upperBound)
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
      """)
  }

  func note(problem: String) async throws {
    try await transaction.query(
      """
      UPDATE stripe_integration.sweeps
         SET problem = \(problem)
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
      """)
  }

  /// Notes that every event made before a moment is known.
  func finish(readUpTo moment: Date) async throws {
    try await transaction.query(
      """
      UPDATE stripe_integration.sweeps
         SET read_up_to = GREATEST(read_up_to, \(moment)),
             swept_at   = now(),
             problem    = NULL
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
      """)
  }
}
