import Cryptography
import Foundation
import Identity
import JSON
import Postgres
import Queue
import StripeAPI
import Tenancy

/// The jobs of one tenant, within a transaction of that tenant.
struct JobStore {
  /// A job of this kind and subject is already open.
  struct AlreadyOpen: Error {
    let job: JobID
  }

  let tenant: Tenant
  let transaction: PostgresTransaction

  /// Adds a job to the queue.
  /// - Parameters:
  ///   - subject: what it is about; one job of a kind and subject can be open at a time.
  ///   - counting: the names of its counts, in display order.
  ///   - actor: who asked for it.
  /// - Throws: `AlreadyOpen`.
  @discardableResult
  func create(
    _ kind: JobKind, subject: String = "", parameters: JSONObject, counting names: [String] = [], by actor: String
  ) async throws -> Job {
    while true {
      let made = try await transaction.query(
        """
        INSERT INTO stripe_integration.jobs
               (account_id, livemode, job_id, kind, subject, parameters, requested_by, progress)
        VALUES (\(tenant.account), \(tenant.livemode), \(JobID(Random.id(prefix: "job_"))), \(kind.rawValue),
                \(subject), \(Self.text(parameters))::text::json, \(actor),
                \(Self.text(JobProgress(names).object))::text::json)
            ON CONFLICT DO NOTHING
        RETURNING \(fragment: Self.columns)
        """
      ).first
      if let made {
        try await TenantQueue.enqueue(tenant, in: .jobs, transaction)
        return try Self.job(from: made, of: tenant)
      }
      // The open job may end between the two statements; then this one can be added.
      if let open = try await openJob(kind, subject) { throw AlreadyOpen(job: open) }
    }
  }

  private func openJob(_ kind: JobKind, _ subject: String) async throws -> JobID? {
    try await transaction.query(
      """
      SELECT job_id
        FROM stripe_integration.jobs
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
         AND kind       = \(kind.rawValue)
         AND subject    = \(subject)
         AND state IN ('queued', 'running')
      """
    ).first?.get("job_id")
  }

  func get(_ id: JobID) async throws -> Job? {
    try await transaction.query(
      """
      SELECT \(fragment: Self.columns)
        FROM stripe_integration.jobs
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
         AND job_id     = \(id)
      """
    ).first.map { try Self.job(from: $0, of: tenant) }
  }

  /// Call this in the transactions of a piece: nothing is written for a cancelled job, and a cancellation waits until the
  /// current piece has written.
  /// - Throws: `LeaseLost`.
  func requireRunning(_ id: JobID) async throws {
    let isRunning = try await transaction.query(
      """
      SELECT FROM stripe_integration.jobs
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
         AND job_id     = \(id)
         AND state      = 'running'
         FOR SHARE
      """)
    guard isRunning.count == 1 else { throw LeaseLost() }
  }

  struct Filter: Sendable {
    var kind: JobKind?
    var state: JobState?
  }

  /// Newest first.
  func list(_ filter: Filter = Filter(), after cursor: TimeCursor? = nil, limit: Int) async throws -> [Listed] {
    var conditions: PostgresQuery = ""
    if let kind = filter.kind { conditions.append("AND kind = \(kind.rawValue) ") }
    if let state = filter.state { conditions.append("AND state = \(state.rawValue) ") }
    if let cursor {
      conditions.append(
        """
        AND (created_at, job_id)
            < (timestamptz 'epoch' + \(cursor.microseconds) * interval '1 microsecond', \(cursor.id))
        """)
    }
    return try await transaction.query(
      """
      SELECT \(fragment: Self.columns), (extract(epoch FROM created_at) * 1000000)::bigint AS created_us
        FROM stripe_integration.jobs
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
             \(fragment: conditions)
       ORDER BY created_at DESC, job_id DESC
       LIMIT \(limit)
      """
    ).map { row in
      let job = try Self.job(from: row, of: tenant)
      return Listed(job: job, cursor: TimeCursor(microseconds: try row.get("created_us"), id: job.id.rawValue))
    }
  }

  struct Listed: Sendable {
    let job: Job
    let cursor: TimeCursor
  }

  /// Cancels an open job. A running piece may still take effect; no further piece starts.
  /// - Returns: the updated job; nil if there is none.
  func cancel(_ id: JobID, by actor: String) async throws -> Job? {
    try await transaction.query(
      """
      UPDATE stripe_integration.jobs
         SET state       = 'cancelled',
             reason      = \("Cancelled by \(actor).")::text,
             fence       = fence + 1,
             lease_until = '-infinity',
             finished_at = now(),
             updated_at  = now()
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
         AND job_id     = \(id)
         AND state IN ('queued', 'running')
      """)
    return try await get(id)
  }

  // MARK: Rows

  static func text(_ object: JSONObject) -> String { JSONValue.object(object).text() }

  static let columns: PostgresQuery = """
    job_id, kind, subject, parameters::text AS parameters, requested_by, state, reason, cursor::text AS cursor,
    progress::text AS progress, attempts, created_at, started_at, updated_at, finished_at
    """

  static func job(from row: PostgresRow, of tenant: Tenant) throws -> Job {
    let cursor: String? = try row.get("cursor")
    return Job(
      id: try row.get("job_id"), tenant: tenant, kind: try row.get("kind"), subject: try row.get("subject"),
      parameters: try JSONValue(parsing: row.get("parameters", as: String.self)).object ?? JSONObject(),
      requestedBy: try row.get("requested_by"), state: try row.get("state"), reason: try row.get("reason"),
      cursor: try cursor.map { try JSONValue(parsing: $0) },
      progress: JobProgress(try JSONValue(parsing: row.get("progress", as: String.self)).object ?? JSONObject()),
      attempts: try row.get("attempts"), createdAt: try row.get("created_at"), startedAt: try row.get("started_at"),
      updatedAt: try row.get("updated_at"), finishedAt: try row.get("finished_at"))
  }
}

extension JobKind: PostgresDecodable {}
extension JobState: PostgresDecodable {}
