import Foundation
import Logging
import Metrics
import Postgres
import Purchases
import ServerKit
import Tenancy

/// Counts what is waiting, over all tenants, and shows it as metrics. A timer refreshes them, so that a scrape costs nothing.
///
/// Each count is bounded, whatever the number of tenants and rows: it stops at a limit and stays there. No tenant is named.
struct QueueMetrics: PeriodicService {
  let database: TenantDatabase
  let interval: Duration
  let logger: Logger

  /// The most rows of one kind that are counted, and the most tenants that are looked at.
  static let mostRows = 10_000
  static let mostTenants = 1_000

  struct Counts: Hashable, Sendable {
    var eventsWaiting = 0
    var oldestEventSeconds = 0.0
    var purchasesDue = 0
    var purchasesFailed = 0
    var purchasesWithoutMapping = 0
    var blocked: [String: Int] = [:]
    var jobs: [String: Int] = [:]
    var tenantsInOutage = 0
  }

  var name: String { "counting for metrics" }

  func work() async throws {
    show(try await count())
  }

  /// A reason that no tenant has any more is shown as 0, not with its last value.
  private func show(_ counts: Counts) {
    Gauge(label: "stripe_events_waiting").record(counts.eventsWaiting)
    Gauge(label: "stripe_events_oldest_waiting_seconds").record(counts.oldestEventSeconds)
    Gauge(label: "stripe_purchases_due").record(counts.purchasesDue)
    Gauge(label: "stripe_purchases_failed").record(counts.purchasesFailed)
    Gauge(label: "stripe_purchases_waiting_mapping").record(counts.purchasesWithoutMapping)
    Gauge(label: "stripe_tenants_in_outage").record(counts.tenantsInOutage)
    for reason in TenantUnavailable.Reason.allCases {
      Gauge(label: "stripe_tenants_parked", dimensions: [("reason", reason.rawValue)])
        .record(counts.blocked[reason.rawValue] ?? 0)
    }
    for state in [JobState.queued, .running, .failed] {
      Gauge(label: "stripe_jobs", dimensions: [("state", state.rawValue)]).record(counts.jobs[state.rawValue] ?? 0)
    }
  }

  func count() async throws -> Counts {
    try await database.transaction(as: .operatorPages) { transaction in
      var counts = Counts()
      // The oldest row of each tenant comes first in the index of open rows, so the query skips from tenant to tenant.
      let oldest = try await transaction.query(
        """
        WITH RECURSIVE tenants AS (
          (SELECT account_id, livemode, received_at
             FROM stripe_integration.inbox
            WHERE state = 'new'
            ORDER BY account_id, livemode, received_at
            LIMIT 1)
          UNION ALL
          SELECT n.account_id, n.livemode, n.received_at
            FROM tenants t
           CROSS JOIN LATERAL (
                 SELECT i.account_id, i.livemode, i.received_at
                   FROM stripe_integration.inbox i
                  WHERE i.state = 'new'
                    AND (i.account_id, i.livemode) > (t.account_id, t.livemode)
                  ORDER BY i.account_id, i.livemode, i.received_at
                  LIMIT 1) n
        )
        SELECT COALESCE(extract(epoch FROM now() - min(received_at)), 0)::double precision AS seconds
          FROM (SELECT received_at FROM tenants LIMIT \(Self.mostTenants)) first
        """
      ).first
      counts.oldestEventSeconds = try oldest?.get("seconds") ?? 0
      counts.eventsWaiting = try await Self.count(
        "SELECT FROM stripe_integration.inbox WHERE state = 'new' LIMIT \(Self.mostRows)", transaction)
      counts.purchasesFailed = try await Self.count(
        """
        SELECT FROM stripe_integration.purchases
         WHERE status = 'failed' AND merged_into IS NULL
         LIMIT \(Self.mostRows)
        """, transaction)
      counts.purchasesWithoutMapping = try await Self.count(
        """
        SELECT FROM stripe_integration.purchases
         WHERE status = 'waiting_mapping' AND merged_into IS NULL
         LIMIT \(Self.mostRows)
        """, transaction)
      // Only tenants that are due in the queue have anything due; some purchases of each are counted.
      counts.purchasesDue = try await Self.count(
        """
        SELECT
          FROM (SELECT account_id, livemode
                  FROM stripe_integration.turns
                 WHERE due_at <= now()
                 ORDER BY due_at
                 LIMIT \(Self.mostTenants)) t
         CROSS JOIN LATERAL (
               SELECT
                 FROM stripe_integration.purchases p
                WHERE p.account_id    = t.account_id
                  AND p.livemode      = t.livemode
                  AND p.attention_at <= now()
                  AND p.merged_into IS NULL
                LIMIT 1000) due
         LIMIT \(Self.mostRows)
        """, transaction)
      counts.tenantsInOutage = try await Self.count(
        """
        SELECT FROM stripe_integration.turns
         WHERE due_at > now() AND due_at < now() + interval '10 minutes' AND paused_until > now()
         LIMIT \(Self.mostRows)
        """, transaction)
      counts.blocked = try await Self.groups(
        """
        SELECT parked_reason AS name, count(*) AS n
          FROM (SELECT parked_reason
                  FROM stripe_integration.connections
                 WHERE parked_reason IS NOT NULL
                 LIMIT \(Self.mostRows)) parked
         GROUP BY parked_reason
        """, transaction)
      counts.jobs = try await Self.groups(
        """
        SELECT state AS name, count(*) AS n
          FROM (SELECT state
                  FROM stripe_integration.jobs
                 WHERE state IN ('queued', 'running', 'failed')
                 LIMIT \(Self.mostRows)) jobs
         GROUP BY state
        """, transaction)
      return counts
    }
  }

  private static func count(_ rows: PostgresQuery, _ transaction: PostgresTransaction) async throws -> Int {
    try await transaction.query("SELECT count(*) AS n FROM (\(fragment: rows)) matching").first?.get("n") ?? 0
  }

  private static func groups(
    _ query: PostgresQuery, _ transaction: PostgresTransaction
  ) async throws -> [String: Int] {
    var groups: [String: Int] = [:]
    for row in try await transaction.query(query) { groups[try row.get("name")] = try row.get("n") }
    return groups
  }
}
