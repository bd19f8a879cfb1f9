import Foundation
import LicenseKitAPI
import Postgres
import ServerKit

/// How well endpoints are doing: what waits, what arrived and what failed within a time.
struct WebhookHealth: Sendable {
  let store: TenantStore
  let clock: ServerClock

  /// The time looked at unless `from` says otherwise.
  static let window: TimeInterval = 86_400
  /// The longest time looked at.
  static let longestWindow: TimeInterval = 31 * 86_400
  /// Rows that are counted of one endpoint; of more the answer says so.
  static let mostCounted = 10_000
  /// The newest attempts that the rate and the latency are of.
  static let mostSampled = 1_000
  /// Kinds of failure that are shown.
  static let mostFailures = 20

  struct Query: Sendable {
    var from: Date?
    var to: Date?
    var endpoint: WebhookEndpointID?
    var limit: Int?
  }

  struct Report: Encodable, Sendable {
    var from: Date
    var to: Date
    var pending: Int
    var delivered: Int
    var failed: Int
    var webhooks: [Endpoint]
    var failures: [Failure]
  }

  /// One endpoint.
  struct Endpoint: Encodable, Sendable {
    var webhookID: WebhookEndpointID
    var name: String
    var isActive: Bool
    /// Deliveries that wait now.
    var pending: Int
    var oldestPendingAgeSeconds: Int?
    /// Deliveries that came to an end within the time.
    var delivered: Int
    var failed: Int
    /// Whether a count stopped at its bound, so that there may be more.
    var isCapped: Bool
    /// Claims in a row under which nothing arrived.
    var consecutiveFailures: Int
    var lastSuccessAt: Date?
    var lastFailureAt: Date?
    /// Attempts within the time, the newest thousand at most; the next two are of these.
    var sampledAttempts: Int
    /// 0 to 1; nil without attempts.
    var successRate: Double?
    var latencyP95Ms: Int?
  }

  /// Attempts that failed in the same way, of those sampled.
  struct Failure: Encodable, Sendable {
    var webhookID: WebhookEndpointID
    var error: String
    var count: Int
    var lastAt: Date
  }

  func report(_ query: Query, for caller: Caller) async throws -> Report {
    let limit = try Limit.checked(query.limit)
    let to = query.to ?? clock.now()
    let from = query.from ?? to - Self.window
    guard from < to else { throw APIFailure.invalidQuery(field: "from", "must be before to") }
    guard to.timeIntervalSince(from) <= Self.longestWindow else {
      throw APIFailure.invalidQuery(field: "from", "must be at most 31 days before to")
    }
    return try await store.transaction(caller.tenant, readOnly: true) { transaction in
      let endpoints = try await endpoints(
        from: from, to: to, of: query.endpoint, limit: limit, for: caller, in: transaction)
      let failures = try await failures(
        from: from, to: to, of: endpoints.map(\.webhookID), for: caller, in: transaction)
      return Report(
        from: from, to: to, pending: endpoints.reduce(0) { $0 + $1.pending },
        delivered: endpoints.reduce(0) { $0 + $1.delivered }, failed: endpoints.reduce(0) { $0 + $1.failed },
        webhooks: endpoints, failures: failures)
    }
  }

  private func endpoints(
    from: Date, to: Date, of endpoint: WebhookEndpointID?, limit: Int, for caller: Caller,
    in transaction: PostgresTransaction
  ) async throws -> [Endpoint] {
    try await transaction.query(
      """
      SELECT w.id, w.name, w.is_active, w.failures, w.last_success_at, w.last_failure_at, p.pending, p.oldest,
             d.delivered, f.failed, a.attempts, a.arrived, a.p95
        FROM (SELECT e.tenant_id, e.id, e.name, e.is_active, l.failures, l.last_success_at, l.last_failure_at
                FROM license_server.webhook_endpoints e
                JOIN license_server.webhook_lanes     l ON l.tenant_id = e.tenant_id AND l.endpoint_id = e.id
               WHERE e.tenant_id = \(caller.tenant) AND (\(endpoint)::text IS NULL OR e.id = \(endpoint)::text)
               ORDER BY e.id DESC
               LIMIT \(limit)) w
       CROSS JOIN LATERAL (
             SELECT count(*) AS pending, extract(epoch FROM now() - min(created_at))::bigint AS oldest
               FROM (SELECT created_at
                       FROM license_server.webhook_deliveries
                      WHERE tenant_id = w.tenant_id AND endpoint_id = w.id AND state = 'pending'
                      ORDER BY id
                      LIMIT \(Self.mostCounted + 1)) x) p
       CROSS JOIN LATERAL (
             SELECT count(*) AS delivered
               FROM (SELECT
                       FROM license_server.webhook_deliveries
                      WHERE tenant_id = w.tenant_id AND endpoint_id = w.id AND state = 'delivered'
                        AND finished_at >= \(from) AND finished_at < \(to)
                      LIMIT \(Self.mostCounted + 1)) x) d
       CROSS JOIN LATERAL (
             SELECT count(*) AS failed
               FROM (SELECT
                       FROM license_server.webhook_deliveries
                      WHERE tenant_id = w.tenant_id AND endpoint_id = w.id AND state = 'failed'
                        AND finished_at >= \(from) AND finished_at < \(to)
                      LIMIT \(Self.mostCounted + 1)) x) f
       CROSS JOIN LATERAL (
             SELECT count(*) AS attempts, count(*) FILTER (WHERE error IS NULL) AS arrived,
                    round(percentile_cont(0.95) WITHIN GROUP (ORDER BY duration_ms))::bigint AS p95
               FROM (SELECT error, duration_ms
                       FROM license_server.webhook_attempts
                      WHERE tenant_id = w.tenant_id AND endpoint_id = w.id AND at >= \(from) AND at < \(to)
                        AND duration_ms IS NOT NULL
                      ORDER BY at DESC
                      LIMIT \(Self.mostSampled)) x) a
       ORDER BY w.id DESC
      """
    ).all(Endpoint.init(row:))
  }

  private func failures(
    from: Date, to: Date, of endpoints: [WebhookEndpointID], for caller: Caller, in transaction: PostgresTransaction
  ) async throws -> [Failure] {
    try await transaction.query(
      """
      SELECT w.id, a.error, count(*) AS count, max(a.at) AS last_at
        FROM unnest(\(endpoints)::text[]) AS w (id)
       CROSS JOIN LATERAL (
             SELECT at, error
               FROM license_server.webhook_attempts
              WHERE tenant_id = \(caller.tenant) AND endpoint_id = w.id AND at >= \(from) AND at < \(to)
                AND duration_ms IS NOT NULL
              ORDER BY at DESC
              LIMIT \(Self.mostSampled)) a
       WHERE a.error IS NOT NULL
       GROUP BY w.id, a.error
       ORDER BY count(*) DESC, max(a.at) DESC
       LIMIT \(Self.mostFailures)
      """
    ).all { row in
      Failure(
        webhookID: try row.get("id"), error: try row.get("error"), count: try row.get("count"),
        lastAt: try row.get("last_at"))
    }
  }
}

extension WebhookHealth.Endpoint {
  init(row: PostgresRow) throws {
    let most = WebhookHealth.mostCounted
    let (pending, delivered, failed): (Int, Int, Int) =
      (try row.get("pending"), try row.get("delivered"), try row.get("failed"))
    let (attempts, arrived): (Int, Int) = (try row.get("attempts"), try row.get("arrived"))
    self.init(
      webhookID: try row.get("id"), name: try row.get("name"), isActive: try row.get("is_active"),
      pending: min(pending, most), oldestPendingAgeSeconds: try row.get("oldest"),
      delivered: min(delivered, most), failed: min(failed, most),
      isCapped: max(pending, delivered, failed) > most, consecutiveFailures: try row.get("failures"),
      lastSuccessAt: try row.get("last_success_at"), lastFailureAt: try row.get("last_failure_at"),
      sampledAttempts: attempts, successRate: attempts > 0 ? Double(arrived) / Double(attempts) : nil,
      latencyP95Ms: try row.get("p95"))
  }
}
