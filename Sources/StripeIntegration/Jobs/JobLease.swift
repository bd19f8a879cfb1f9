import Foundation
import Identity
import JSON
import Postgres
import Queue
import StripeAPI
import Tenancy

/// The right to work on a job for some time, as `PurchaseLease` is for a purchase. Under a lease that another worker took
/// over, or for a cancelled job, nothing can be recorded.
struct JobLease: Sendable {
  /// If a replica dies, its job waits this long.
  static let duration = "30 seconds"
  /// How often a running piece extends its lease.
  static let renewal: Duration = .seconds(8)

  let job: Job
  let fence: Int64

  private var tenant: Tenant { job.tenant }

  /// Takes the tenant's job of these kinds that has waited longest; none while the tenant is blocked or not connected.
  static func take(_ kinds: [JobKind], of tenant: Tenant, in database: TenantDatabase) async throws -> JobLease? {
    try await database.transaction(for: tenant) { transaction in
      try await transaction.query(
        """
        WITH next AS (
          SELECT job_id AS next_id
            FROM stripe_integration.jobs
           WHERE account_id   = \(tenant.account)
             AND livemode     = \(tenant.livemode)
             AND state IN ('queued', 'running')
             AND due_at      <= now()
             AND lease_until <= now()
             AND kind = ANY(\(kinds.map(\.rawValue)))
             AND \(fragment: TenantQueue.isConnected(tenant))
           ORDER BY due_at, job_id
           LIMIT 1
             FOR UPDATE SKIP LOCKED
        )
        UPDATE stripe_integration.jobs
           SET state       = 'running',
               lease_until = now() + \(Self.duration)::text::interval,
               fence       = fence + 1,
               started_at  = COALESCE(started_at, now()),
               updated_at  = now()
          FROM next
         WHERE account_id = \(tenant.account)
           AND livemode   = \(tenant.livemode)
           AND job_id     = next_id
        RETURNING \(fragment: JobStore.columns), fence
        """
      ).first.map { row in JobLease(job: try JobStore.job(from: row, of: tenant), fence: try row.get("fence")) }
    }
  }

  /// Extends the lease.
  /// - Throws: `LeaseLost`.
  func hold(in transaction: PostgresTransaction) async throws {
    try await update("lease_until = now() + \(Self.duration)::text::interval", in: transaction)
  }

  /// Records a piece and continues under the same lease.
  /// - Returns: the lease with the updated job.
  /// - Throws: `LeaseLost`.
  func advance(to cursor: JSONValue, _ counts: [String: Int], in transaction: PostgresTransaction) async throws
    -> JobLease
  {
    try await update(
      """
      \(fragment: progressed(counts)), cursor = \(cursor.text())::text::json, attempts = 0, reason = NULL,
      lease_until = now() + \(Self.duration)::text::interval
      """, in: transaction)
  }

  /// Records the last piece.
  /// - Throws: `LeaseLost`.
  func succeed(_ counts: [String: Int], in transaction: PostgresTransaction) async throws {
    try await update(
      """
      \(fragment: progressed(counts)), attempts = 0, reason = NULL, state = 'succeeded', finished_at = now(),
      lease_until = '-infinity'
      """, in: transaction)
  }

  /// Ends a job that cannot be done.
  /// - Throws: `LeaseLost`.
  func fail(reason: String, in transaction: PostgresTransaction) async throws {
    try await update(
      "state = 'failed', reason = \(reason), finished_at = now(), lease_until = '-infinity'", in: transaction)
  }

  /// Gives the job back: it continues at once after the tenant's other jobs, or after a back-off.
  /// - Throws: `LeaseLost`.
  func release(
    after pause: TimeInterval = 0, attempts: Int? = nil, reason: String? = nil, in transaction: PostgresTransaction
  ) async throws {
    try await update(
      """
      lease_until = '-infinity', due_at = now() + make_interval(secs => \(max(0, pause))::double precision),
      attempts = COALESCE(\(attempts), attempts), reason = COALESCE(\(reason), reason)
      """, in: transaction)
  }

  private func progressed(_ counts: [String: Int]) -> PostgresQuery {
    var progress = job.progress
    progress.add(counts)
    return "progress = \(JobStore.text(progress.object))::text::json"
  }

  @discardableResult
  private func update(_ changes: PostgresQuery, in transaction: PostgresTransaction) async throws -> JobLease {
    let row = try await transaction.query(
      """
      UPDATE stripe_integration.jobs
         SET \(fragment: changes), updated_at = now()
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
         AND job_id     = \(job.id)
         AND fence      = \(fence)
         AND state      = 'running'
      RETURNING \(fragment: JobStore.columns)
      """
    ).first
    guard let row else { throw LeaseLost() }
    return JobLease(job: try JobStore.job(from: row, of: tenant), fence: fence)
  }
}
