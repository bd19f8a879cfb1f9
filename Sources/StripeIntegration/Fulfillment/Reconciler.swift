import Cryptography
import Foundation
import Identity
import LicenseKitAPI
import Logging
import Postgres
import Redis
import StripeAPI

/// Makes what exists at LicenseKit equal to what a purchase entitles to: loads the facts, decides, plans, and takes the
/// missing steps one by one.
///
/// First sale, duplicate, late event, replay, backfill, crash and changed mapping all run this one routine. It may be
/// stopped between any two lines: the next run goes on from what was recorded.
public struct Reconciler: Sendable {
  let database: TenantDatabase
  let stripe: any StripeAccess
  let licenseKit: any LicenseKitAccess
  let vault: KeyVault
  let redis: RedisClient?
  let recent: RecentEvents
  let clock: @Sendable () -> Date
  let logger: Logger
  let policy = FailurePolicy()

  /// How often Stripe is asked in one run before the purchase waits for its next turn.
  static let maximumRounds = 12

  /// Reconciles one purchase, unless somebody is at it.
  /// - Throws: only what concerns the whole tenant or the database; the failure of one purchase is recorded with it.
  func reconcile(_ purchase: PurchaseID, of tenant: Tenant) async throws {
    // The Redis lock spares the database a race between replicas; the lease in the row is what decides.
    var lock: RedisLock?
    if let redis {
      do {
        lock = try await redis.lock("lock:purchase:\(tenant):\(purchase)", for: .seconds(30))
        if lock == nil { return }
      } catch { lock = nil }
    }
    do {
      if let lease = try await PurchaseLease.take(purchase, of: tenant, in: database) {
        try await run(lease)
      }
    } catch {
      _ = try? await lock?.release()
      throw error
    }
    _ = try? await lock?.release()
  }

  private func run(_ lease: PurchaseLease) async throws {
    var run = ReconcilerRun(reconciler: self, lease: lease)
    do {
      try await run.work()
    } catch {
      try await handle(error, of: run)
    }
  }

  private func handle(_ error: any Error, of run: ReconcilerRun) async throws {
    let lease = run.lease
    let response = policy.response(to: error, attempts: lease.attempts, jitter: Double.random(in: 0..<1))
    if response != .yield { await recent.doubt(lease.tenant) }
    switch response {
    case .yield: return
    case .retry(let pause, let reason):
      logger.info("purchase waits for another attempt", metadata: metadata(lease, ["reason": "\(reason)"]))
      try await finish(lease) { transaction in
        try await lease.release(
          retryAt: clock().addingTimeInterval(pause), attempts: pause == 0 ? lease.attempts : lease.attempts + 1,
          reason: run.isFulfilled ? nil : reason, in: transaction)
        try await note(lease, "Waits for another attempt.", reason, in: transaction)
      }
    case .park(let unavailable):
      try await finish(lease) { transaction in
        try await lease.release(
          retryAt: nil, attempts: lease.attempts, reason: "Waiting: \(unavailable)", in: transaction)
        try await note(lease, "Waits until the connection is mended.", unavailable.description, in: transaction)
      }
      throw unavailable
    case .fail(let reason):
      logger.warning("purchase needs a person", metadata: metadata(lease, ["reason": "\(reason)"]))
      try await finish(lease) { transaction in
        try await lease.end(
          .init(decision: run.decision, status: .failed, reason: reason, attempts: lease.attempts + 1), in: transaction)
        try await RecordStore(tenant: lease.tenant, purchase: lease.purchase, transaction: transaction)
          .dropUnusedAgreements()
        try await note(lease, "Needs a person.", reason, in: transaction)
      }
    }
  }

  private func note(
    _ lease: PurchaseLease, _ title: String, _ detail: String, in transaction: PostgresTransaction
  ) async throws {
    // A row of equal failures is told once.
    guard lease.reason != detail else { return }
    try await Timeline(tenant: lease.tenant, purchase: lease.purchase, transaction: transaction)
      .add(.note, title, detail: detail)
  }

  /// Records how a run ended even when the service is being stopped: the task that ran is cancelled by then.
  private func finish(
    _ lease: PurchaseLease, _ body: @escaping @Sendable (PostgresTransaction) async throws -> Void
  ) async throws {
    try await Task { try await database.transaction(for: lease.tenant, body) }.value
  }

  private func metadata(_ lease: PurchaseLease, _ more: Logger.Metadata) -> Logger.Metadata {
    var metadata: Logger.Metadata = ["tenant": "\(lease.tenant)", "purchase": "\(lease.purchase)"]
    metadata.merge(more) { $1 }
    return metadata
  }
}
