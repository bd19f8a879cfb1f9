import Foundation
import Identity
import JSON
import Logging
import Postgres
import StripeAPI
import Synchronization
import Tenancy

@testable import Queue
@testable import StripeIntegration

/// Work that does what a test says, and remembers which pieces it was asked for.
final class ScriptedWork: JobWork {
  private let script: @Sendable (Job, Int) async throws -> JobStep
  private let pieces = Mutex<[JobID]>([])

  /// - Parameter script: what the piece does; the number counts the pieces of that job, from 1.
  init(_ script: @escaping @Sendable (Job, Int) async throws -> JobStep) { self.script = script }

  var ran: [JobID] { pieces.withLock { $0 } }

  func step(_ job: Job) async throws -> JobStep {
    let number = pieces.withLock { pieces in
      pieces.append(job.id)
      return pieces.filter { $0 == job.id }.count
    }
    return try await script(job, number)
  }

  /// Counts to a number, a step a piece.
  static func counting(to end: Int64) -> ScriptedWork {
    ScriptedWork { job, _ in
      let next = (job.cursor?.integer ?? 0) + 1
      return next >= end ? .done(counts: ["steps": 1]) : .more(cursor: .integer(next), counts: ["steps": 1])
    }
  }
}

extension Shop {
  func jobRunner(_ works: [JobKind: any JobWork]) -> JobRunner {
    JobRunner(
      database: database, works: works, blocking: connections, concurrency: 1, pollInterval: .milliseconds(10),
      logger: Logger(label: "jobs", factory: { _ in SwiftLogNoOpLogHandler() }))
  }

  var connections: ConnectionStore { ConnectionStore(database: database, keyRing: vault.keyRing) }

  @discardableResult
  func create(
    _ kind: JobKind, subject: String = "", _ parameters: JSONObject = JSONObject(), counting names: [String] = [],
    for tenant: Tenant? = nil
  ) async throws -> Job {
    let tenant = tenant ?? self.tenant
    return try await database.transaction(for: tenant) { transaction in
      try await JobStore(tenant: tenant, transaction: transaction)
        .create(kind, subject: subject, parameters: parameters, counting: names, by: "test")
    }
  }

  func job(_ id: JobID, of tenant: Tenant? = nil) async throws -> Job? {
    let tenant = tenant ?? self.tenant
    return try await database.transaction(for: tenant) { transaction in
      try await JobStore(tenant: tenant, transaction: transaction).get(id)
    }
  }

  /// Lets everything that waits for a time be due.
  func makeJobsDue() async throws {
    try await database.transaction(for: tenant) { transaction in
      try await transaction.query(
        "UPDATE stripe_integration.jobs SET due_at = now(), lease_until = '-infinity' WHERE finished_at IS NULL")
      try await TenantQueue.enqueue(tenant, in: .jobs, transaction)
      try await transaction.query("UPDATE stripe_integration.job_turns SET claimed_until = '-infinity'")
    }
  }

  /// Runs jobs until one meets with trouble, and not a second time, however long that takes here.
  func workUntilTrouble(of id: JobID, _ works: [JobKind: any JobWork]) async throws {
    let runner = jobRunner(works)
    let before = try await job(id)?.attempts ?? 0
    for _ in 0..<500 {
      _ = try await runner.serveNextTenant()
      if try await job(id)?.attempts ?? 0 > before { return }
    }
    throw Unsettled()
  }

  /// Runs jobs until none is due.
  func work(_ works: [JobKind: any JobWork]) async throws {
    let runner = jobRunner(works)
    for _ in 0..<500 { guard try await runner.serveNextTenant() else { return } }
    throw Unsettled()
  }
}
