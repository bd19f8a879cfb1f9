import Foundation
import Identity
import Logging
import Postgres
import Purchases
import Queue
import ServerKit
import ServiceLifecycle
import StripeAPI
import Tenancy

/// Does the jobs of all tenants, piece by piece. Any number of replicas run it at the same time; the database holds what is
/// to be done and how far it has come.
struct JobRunner: Service {
  let database: TenantDatabase
  /// The kinds of job that this replica can do.
  let works: [JobKind: any JobWork]
  let blocking: any TenantBlocking
  /// How many tenants' jobs are worked on at the same time.
  let concurrency: Int
  let pollInterval: Duration
  let logger: Logger
  let policy = FailurePolicy()

  /// A claim starts no further piece after this time, so that long work of one tenant does not delay others.
  static let claimTime: Duration = .seconds(5)

  private var tenants: TenantQueue { TenantQueue(.jobs, database: database) }

  func run() async throws {
    await cancelWhenGracefulShutdown {
      await withTaskGroup(of: Void.self) { group in
        for _ in 0..<concurrency { group.addTask { await self.loop() } }
      }
    }
  }

  private func loop() async {
    await WorkLoop(name: "jobs", wakeUp: WakeUp(), pollInterval: pollInterval, logger: logger).run {
      try await serveNextTenant()
    }
  }

  /// Serves the tenant that has waited longest.
  /// - Returns: whether a tenant was waiting.
  func serveNextTenant() async throws -> Bool {
    guard let tenant = try await tenants.claim() else { return false }
    do {
      try await serve(tenant)
    } catch {
      try await release(tenant)
      throw error
    }
    try await release(tenant)
    return true
  }

  /// A kind of job that this replica does not know is left to a newer replica, which may take it at any time.
  private func release(_ tenant: Tenant) async throws {
    try await tenants.release(
      tenant, isBlocked: "NOT \(fragment: TenantQueue.isConnected(tenant))",
      nextDue: """
        (SELECT min(CASE WHEN kind = ANY(\(works.keys.map(\.rawValue))) THEN GREATEST(due_at, lease_until)
                         ELSE now() + interval '30 seconds' END)
           FROM stripe_integration.jobs
          WHERE account_id = \(tenant.account)
            AND livemode   = \(tenant.livemode)
            AND state IN ('queued', 'running'))
        """)
  }

  private func serve(_ tenant: Tenant) async throws {
    guard var lease = try await JobLease.take(Array(works.keys), of: tenant, in: database),
      let work = works[lease.job.kind]
    else { return }
    do {
      let begun = ContinuousClock.now
      while true {
        let step = try await piece(of: work, lease)
        guard let next = try await record(step, lease) else { return }
        lease = next
        try Task.checkCancellation()
        if begun.duration(to: .now) > Self.claimTime {
          try await finish(lease) { try await $0.release(in: $1) }
          return
        }
      }
    } catch {
      try await handle(error, lease)
    }
  }

  /// Runs a piece, and extends the lease while it runs.
  private func piece(of work: any JobWork, _ lease: JobLease) async throws -> JobStep {
    try await withThrowingTaskGroup(of: JobStep?.self) { group in
      group.addTask { try await work.step(lease.job) }
      group.addTask {
        while true {
          try await Task.sleep(for: JobLease.renewal)
          try await database.transaction(for: lease.job.tenant) { transaction in
            try await lease.hold(in: transaction)
            try await TenantQueue.extend(.jobs, lease.job.tenant, in: transaction)
          }
        }
      }
      defer { group.cancelAll() }
      while let ended = try await group.next() {
        if let step = ended { return step }
      }
      throw CancellationError()
    }
  }

  /// Records what a piece did.
  /// - Returns: the lease to continue with; nil if nothing more is to be done now.
  private func record(_ step: JobStep, _ lease: JobLease) async throws -> JobLease? {
    switch step {
    case .more(let cursor, let counts):
      return try await database.transaction(for: lease.job.tenant) { transaction in
        let next = try await lease.advance(to: cursor, counts, in: transaction)
        try await TenantQueue.extend(.jobs, lease.job.tenant, in: transaction)
        return next
      }
    case .later(let cursor, let counts, let pause):
      try await database.transaction(for: lease.job.tenant) { transaction in
        let next = try await lease.advance(to: cursor, counts, in: transaction)
        try await next.release(after: pause / .seconds(1), in: transaction)
      }
      return nil
    case .done(let counts):
      try await database.transaction(for: lease.job.tenant) { transaction in
        try await lease.succeed(counts, in: transaction)
      }
      var progress = lease.job.progress
      progress.add(counts)
      logger.info("job done", metadata: metadata(lease, ["progress": "\(JobStore.text(progress.object))"]))
      return nil
    }
  }

  private func handle(_ error: any Error, _ lease: JobLease) async throws {
    do {
      switch error {
      case is LeaseLost: return
      case let failure as JobFailure: try await fail(lease, failure.reason)
      default:
        try await respond(
          to: policy.response(to: error, attempts: lease.job.attempts, jitter: .random(in: 0..<1)), lease)
      }
    } catch is LeaseLost {
      // The job was cancelled or taken over, so there is nothing to record.
    }
  }

  private func respond(to response: FailureResponse, _ lease: JobLease) async throws {
    switch response {
    case .yield: return
    case .interrupted:
      try await finish(lease) { lease, transaction in
        try await lease.release(after: 0, attempts: nil, reason: nil, in: transaction)
      }
    case .retry(let pause, let reason):
      logger.info("job waits for another attempt", metadata: metadata(lease, ["reason": "\(reason)"]))
      try await finish(lease) { lease, transaction in
        try await lease.release(after: pause, attempts: lease.job.attempts + 1, reason: reason, in: transaction)
      }
    case .block(let unavailable):
      logger.warning(
        "tenant is blocked",
        metadata: ["tenant": "\(lease.job.tenant)", "reason": "\(unavailable.reason.rawValue)"])
      try await finish(lease) { lease, transaction in
        try await lease.release(reason: "Waiting: \(unavailable)", in: transaction)
      }
      try await blocking.block(lease.job.tenant, unavailable)
    case .fail(let reason): try await fail(lease, reason)
    }
  }

  private func fail(_ lease: JobLease, _ reason: String) async throws {
    logger.warning("job failed", metadata: metadata(lease, ["reason": "\(reason)"]))
    try await finish(lease) { try await $0.fail(reason: reason, in: $1) }
  }

  /// Records how a run ended even if the service is stopping and the running task is cancelled.
  private func finish(
    _ lease: JobLease, _ body: @escaping @Sendable (JobLease, PostgresTransaction) async throws -> Void
  ) async throws {
    try await uncancelled {
      try await database.transaction(for: lease.job.tenant) { transaction in try await body(lease, transaction) }
    }
  }

  private func metadata(_ lease: JobLease, _ more: Logger.Metadata) -> Logger.Metadata {
    var metadata: Logger.Metadata = [
      "tenant": "\(lease.job.tenant)", "job": "\(lease.job.id)", "kind": "\(lease.job.kind.rawValue)",
    ]
    metadata.merge(more) { $1 }
    return metadata
  }
}
