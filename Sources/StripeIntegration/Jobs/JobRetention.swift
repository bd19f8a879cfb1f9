import Identity
import Postgres
import StripeAPI
import Tenancy

/// Removes jobs that ended more than 90 days ago, with their reports.
struct JobRetention: RetentionRule {
  static let age = "90 days"

  let database: TenantDatabase
  let subject = "jobs"

  func removeOld(of tenant: Tenant) async throws -> Int {
    var removed = 0
    while let job = try await oldJob(of: tenant) {
      _ = try await inBatches { try await removeReport(of: job, tenant) }
      removed += try await remove(job, tenant)
    }
    return removed
  }

  func tenant(after last: Tenant?) async throws -> Tenant? {
    try await database.transaction(as: .worker) { transaction in
      try await transaction.query(
        """
        SELECT account_id, livemode
          FROM stripe_integration.job_turns
         WHERE (account_id, livemode) > (\(last?.account.rawValue ?? "")::text, \(last?.livemode ?? false)::boolean)
         ORDER BY account_id, livemode
         LIMIT 1
        """
      ).first.map { row in Tenant(account: try row.get("account_id"), livemode: try row.get("livemode")) }
    }
  }

  private func oldJob(of tenant: Tenant) async throws -> JobID? {
    try await database.transaction(for: tenant) { transaction in
      try await transaction.query(
        """
        SELECT job_id
          FROM stripe_integration.jobs
         WHERE account_id  = \(tenant.account)
           AND livemode    = \(tenant.livemode)
           AND finished_at < now() - \(Self.age)::text::interval
         ORDER BY finished_at
         LIMIT 1
        """
      ).first?.get("job_id")
    }
  }

  private func removeReport(of job: JobID, _ tenant: Tenant) async throws -> Int {
    try await database.transaction(for: tenant) { transaction in
      try await transaction.query(
        """
        DELETE FROM stripe_integration.job_reports r
         USING (SELECT stripe_id
                  FROM stripe_integration.job_reports
                 WHERE account_id = \(tenant.account)
                   AND livemode   = \(tenant.livemode)
                   AND job_id     = \(job)
                 ORDER BY entry_id
                 LIMIT \(Retention.batch)) old
         WHERE r.account_id = \(tenant.account)
           AND r.livemode   = \(tenant.livemode)
           AND r.job_id     = \(job)
           AND r.stripe_id  = old.stripe_id
        """
      ).affectedRows
    }
  }

  private func remove(_ job: JobID, _ tenant: Tenant) async throws -> Int {
    try await database.transaction(for: tenant) { transaction in
      try await transaction.query(
        """
        DELETE FROM stripe_integration.jobs
         WHERE account_id = \(tenant.account)
           AND livemode   = \(tenant.livemode)
           AND job_id     = \(job)
        """
      ).affectedRows
    }
  }
}
