import Foundation
import Identity
import JSON
import Postgres
import StripeAPI
import StripeHTTP
import Tenancy

/// Processes what was sold before the app was installed. It reads Stripe's lists from the newest object on, and passes each
/// object to the code that handles events. The reconciler issues the licenses.
struct BackfillWork: JobWork {
  let database: TenantDatabase
  let stripe: any StripeAccess
  let clock: @Sendable () -> Date

  /// Objects in one piece; each costs about three calls.
  static let pageSize = 10
  /// A piece waits while this many purchases wait for a license. So a buyer who pays now has no more purchases before them
  /// than one claim serves, and a rush of sales stops the backfill.
  static let mostWaiting = 10

  /// How far a backfill has come.
  struct Cursor: Codable, Hashable {
    var phase: BackfillChoice.Phase
    /// The last object that was looked at; nil at the beginning of a list.
    var after: String?
  }

  func step(_ job: Job) async throws -> JobStep {
    let choice = try JSONCoding.decode(BackfillChoice.self, from: .object(job.parameters))
    let phases = choice.phases
    guard let first = phases.first else { return try await done(job, choice, [:]) }
    let cursor =
      try job.cursor.map { try JSONCoding.decode(Cursor.self, from: $0) } ?? Cursor(phase: first, after: nil)
    if !choice.isDryRun, try await hasManyWaiting(job.tenant) {
      return .later(cursor: try JSONCoding.encode(cursor), counts: [:], after: .seconds(1))
    }
    let piece = BackfillPiece(work: self, job: job, choice: choice)
    let page: StripePage
    var counts: [String: Int] = [:]
    do {
      page = try await piece.page(cursor)
      counts = try await piece.ingest(page, cursor.phase)
    } catch let error as StripeError where error.retry == .permission {
      // Only a backfill needs this permission; live sales go on without it.
      throw JobFailure(
        reason: "Existing sales need a permission that the app lacks. Grant it and start a new backfill. \(error)")
    }
    if let next = page.nextCursor {
      return .more(cursor: try JSONCoding.encode(Cursor(phase: cursor.phase, after: next)), counts: counts)
    }
    if let index = phases.firstIndex(of: cursor.phase), index + 1 < phases.count {
      return .more(cursor: try JSONCoding.encode(Cursor(phase: phases[index + 1], after: nil)), counts: counts)
    }
    return try await done(job, choice, counts)
  }

  private func done(_ job: Job, _ choice: BackfillChoice, _ counts: [String: Int]) async throws -> JobStep {
    if !choice.isDryRun {
      try await database.transaction(for: job.tenant) { transaction in
        _ = try await transaction.query(
          """
          UPDATE stripe_integration.connections
             SET backfilled_at = now()
           WHERE account_id = \(job.tenant.account)
             AND livemode   = \(job.tenant.livemode)
          """)
      }
    }
    return .done(counts: counts)
  }

  /// Whether the limit of purchases waiting for a license is reached; those waiting for a retry count too.
  private func hasManyWaiting(_ tenant: Tenant) async throws -> Bool {
    try await database.transaction(for: tenant) { transaction in
      try await transaction.query(
        """
        SELECT FROM stripe_integration.purchases
         WHERE account_id    = \(tenant.account)
           AND livemode      = \(tenant.livemode)
           AND attention_at <= now() + interval '1 hour'
           AND (attention_at <= now() OR attempts > 0)
           AND status       <> 'fulfilled'
           AND merged_into IS NULL
         LIMIT \(Self.mostWaiting)
        """
      ).count >= Self.mostWaiting
    }
  }
}
