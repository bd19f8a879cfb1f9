import Foundation
import Identity
import LicenseKitAPI
import Logging
import Postgres
import ServiceLifecycle

/// Writes what ``ActivityRecorder`` recorded for all tenants, and a last time when the server shuts down.
struct ActivityWriter: Service {
  static let interval = Duration.seconds(1)

  /// Five minutes: the finest grouping of reports.
  static let bucket: TimeInterval = 300

  let client: PostgresClient
  let recorder: ActivityRecorder
  let logger: Logger

  func run() async throws {
    await cancelWhenGracefulShutdown {
      while !Task.isCancelled {
        try? await Task.sleep(for: Self.interval)
        if !Task.isCancelled { await flush() }
      }
    }
    await flush()
  }

  /// Writes what has accumulated. What the database does not accept is dropped: memory must not grow while it is down, and a
  /// batch with an unknown outcome must not count twice.
  func flush() async {
    let batch = recorder.take()
    guard !batch.isEmpty else { return }
    do {
      try await write(entries: batch.entries[...])
    } catch {
      recorder.drop(entries: batch.entries.count)
      logger.warning(
        "activities were not written", metadata: ["count": "\(batch.entries.count)", "error": "\(error)"])
    }
    do {
      try await write(counts: batch.counts, at: batch.time)
    } catch {
      recorder.drop(counts: Int(batch.counts.values.reduce(0, +)))
      logger.warning("counts were not written", metadata: ["count": "\(batch.counts.count)", "error": "\(error)"])
    }
  }

  /// A batch that the server refuses because of its data is halved until only the faulty entry is left out.
  private func write(entries: ArraySlice<ActivityRecorder.Entry>) async throws {
    guard !entries.isEmpty else { return }
    do {
      try await insert(entries)
    } catch let error as PostgresError where error.refusesContent {
      guard entries.count > 1 else {
        recorder.drop(entries: 1)
        logger.warning("an activity was refused", metadata: ["error": "\(error)"])
        return
      }
      let middle = entries.startIndex + entries.count / 2
      try await write(entries: entries[..<middle])
      try await write(entries: entries[middle...])
    }
  }

  private func insert(_ entries: ArraySlice<ActivityRecorder.Entry>) async throws {
    let activities = entries.map(\.activity)
    let query: PostgresQuery = """
      INSERT INTO license_server.activities
             (tenant_id, sequence, created_at,
              source, action, result_class, status_code, reason_code,
              request_id, actor_type, actor_id, endpoint, resource_type, resource_id,
              product_id, policy_id, customer_id, license_id, order_id, subscription_id,
              feature_code, app_version, amount)
      SELECT n.tenant, license_server.time_sequence(n.time), n.time,
             'runtime', n.action, n.result, n.status, nullif(n.reason, ''),
             n.request, 'license', n.license, n.endpoint, 'license', n.license,
             l.product_id, l.policy_id, l.customer_id, n.license, l.order_id, l.subscription_id,
             nullif(n.feature, ''), nullif(n.version, ''), nullif(n.amount, 0)
        FROM unnest(\(activities.map(\.tenant)), \(entries.map(\.time)), \(activities.map(\.endpoint.action)),
                    \(activities.map { ResultClass(status: $0.outcome.status).rawValue }),
                    \(activities.map(\.outcome.status)), \(activities.map(\.outcome.reason)),
                    \(activities.map(\.requestID)), \(activities.map(\.license)),
                    \(activities.map(\.endpoint.rawValue)), \(activities.map { $0.facts.featureCode ?? "" }),
                    \(activities.map { $0.facts.appVersion ?? "" }), \(activities.map { $0.facts.amount ?? 0 }))
             WITH ORDINALITY
             AS n (tenant, time, action, result, status, reason, request, license, endpoint, feature, version, amount, place)
        LEFT JOIN license_server.licenses l ON l.tenant_id = n.tenant AND l.id = n.license
       ORDER BY n.place
      """
    try await client.transaction(DatabaseRole.recorder.transaction) { try await $0.query(query) }
  }

  private func write(counts: [ActivityRecorder.Count: Int64], at time: Date) async throws {
    guard !counts.isEmpty else { return }
    let bucket = Date(
      timeIntervalSince1970: (time.timeIntervalSince1970 / Self.bucket).rounded(.down) * Self.bucket)
    // In the same order everywhere, so that two replicas cannot wait for each other.
    let sorted = counts.sorted { Self.order($0.key).lexicographicallyPrecedes(Self.order($1.key)) }
    let keys = sorted.map(\.key)
    let query: PostgresQuery = """
      INSERT INTO license_server.runtime_counts
             (tenant_id, bucket, endpoint, result_class, reason_code, requests)
      SELECT n.tenant, \(bucket)::timestamptz, n.endpoint, n.result, n.reason, n.requests
        FROM unnest(\(keys.map(\.tenant)), \(keys.map(\.endpoint.rawValue)), \(keys.map(\.result.rawValue)),
                    \(keys.map(\.reason)), \(sorted.map(\.value)))
             AS n (tenant, endpoint, result, reason, requests)
          ON CONFLICT (tenant_id, bucket, endpoint, result_class, reason_code)
          DO UPDATE
         SET requests = runtime_counts.requests + excluded.requests
      """
    try await client.transaction(DatabaseRole.recorder.transaction) { try await $0.query(query) }
  }

  private static func order(_ count: ActivityRecorder.Count) -> [String] {
    [count.tenant.rawValue, count.endpoint.rawValue, count.result.rawValue, count.reason]
  }
}
