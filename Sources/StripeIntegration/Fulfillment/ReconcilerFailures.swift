import Foundation
import Identity
import LicenseKitAPI
import Logging
import Postgres
import StripeAPI

// What becomes of a purchase when its run fails.

extension Reconciler {
  /// Runs under a lease. A failure is recorded with the purchase.
  /// - Returns: the outage that the run found, which concerns every other purchase of the tenant as well.
  /// - Throws: `TenantUnavailable`, and what the database is in trouble with.
  func run(_ lease: PurchaseLease) async throws -> Outage? {
    var run = ReconcilerRun(reconciler: self, lease: lease)
    do {
      try await run.work()
      return nil
    } catch {
      return try await handle(error, of: run)
    }
  }

  private func handle(_ error: any Error, of run: ReconcilerRun) async throws -> Outage? {
    let lease = run.lease
    let failure = policy.failure(error, attempts: lease.attempts, jitter: Double.random(in: 0..<1))
    if failure != .response(.yield) { await recent.doubt(lease.tenant) }
    switch failure {
    case .outage(let outage, let pause):
      logger.info("the other side is away", metadata: metadata(lease, ["reason": "\(outage.detail)"]))
      let attempts = max(lease.attempts, min(lease.attempts + 1, FailurePolicy.attemptsOfOutage))
      try await retry(lease, after: pause, attempts: attempts, reason: outage.sentence, of: run)
      return outage
    case .gone(let detail): try await lookUp(detail, of: run)
    case .response(let response): try await respond(response, of: run)
    }
    return nil
  }

  private func respond(_ response: FailureResponse, of run: ReconcilerRun) async throws {
    let lease = run.lease
    switch response {
    case .yield: return
    case .retry(let pause, let reason):
      logger.info("purchase waits for another attempt", metadata: metadata(lease, ["reason": "\(reason)"]))
      try await retry(
        lease, after: pause, attempts: pause == 0 ? lease.attempts : lease.attempts + 1, reason: reason, of: run)
    case .park(let unavailable):
      try await finish(lease) { transaction in
        try await lease.release(
          retryAt: nil, attempts: lease.attempts, reason: Standstill(unavailable).sentence, in: transaction)
        try await note(
          lease, "Waits until the connection is mended.", Standstill(unavailable).sentence, in: transaction)
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

  private func retry(
    _ lease: PurchaseLease, after pause: TimeInterval, attempts: Int, reason: String, of run: ReconcilerRun
  ) async throws {
    let isFulfilled = run.isFulfilled
    try await finish(lease) { transaction in
      try await lease.release(
        retryAt: clock().addingTimeInterval(pause), attempts: attempts, reason: isFulfilled ? nil : reason,
        in: transaction)
      try await note(lease, "Waits for another attempt.", reason, in: transaction)
    }
  }

  /// LicenseKit says that a record is gone: those on record here are looked up one by one. What is gone is forgotten, so
  /// that the next run makes it anew; when it is the product or the policy that is gone, the mapping is at fault, or this
  /// is another LicenseKit, and nothing may be made anew.
  private func lookUp(_ detail: String, of run: ReconcilerRun) async throws {
    let lease = run.lease
    let found: GoneRecords.Finding
    do {
      found = try await GoneRecords(
        database: database, lease: lease, licenseKit: try await licenseKit.client(for: lease.tenant)
      ).lookUp(customer: run.decision?.customer?.code)
    } catch {
      try await respond(
        policy.response(to: error, attempts: lease.attempts, jitter: Double.random(in: 0..<1)), of: run)
      return
    }
    switch found {
    case .mapping(let what):
      let reason =
        "LicenseKit has no \(what) any more, which the mapping names. "
        + "Correct the mapping (or the connection's LicenseKit, if it is not the one it was), then replay."
      try await respond(.fail(reason: reason), of: run)
    case .forgotten(let what):
      try await finish(lease) { transaction in
        try await lease.release(
          retryAt: clock(), attempts: lease.attempts + 1, reason: "LicenseKit: \(detail)", in: transaction)
        try await Timeline(tenant: lease.tenant, purchase: lease.purchase, transaction: transaction)
          .add(.note, "Gone at LicenseKit, and made anew: \(what.joined(separator: ", ")).", detail: detail)
      }
    case .nothing:
      let pause = FailurePolicy.pause(lease.attempts, Double.random(in: 0..<1), longest: FailurePolicy.longestPause)
      try await retry(
        lease, after: pause, attempts: lease.attempts + 1, reason: "LicenseKit: \(detail).", of: run)
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
