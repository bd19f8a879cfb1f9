import Foundation
import Identity
import JSON
import Postgres
import Purchases
import ServerKit
import Tenancy

/// Applies a changed mapping to the purchases with lines under it, a few at a time.
struct MappingApplyWork: JobWork {
  static let counts = ["purchases", "changed", "unchanged", "cannot_apply"]
  static let batch = 20

  let database: TenantDatabase
  let mappings: MappingEditor
  let wakeUp: WakeUp
  let clock: @Sendable () -> Date

  private struct Cursor: Codable {
    /// The last purchase that was looked at; nil before the first.
    var after: String?
    var isAtEnd = false
    /// Purchases that a reconciler had, to be tried again at the end.
    var busy: [String] = []
  }

  static func parameters(_ mapping: StoredMapping) -> JSONObject {
    // Bound to this version of the mapping, because the vendor has seen what this version would change.
    JSONObject([
      ("mapping_id", .string(mapping.mapping.id)), ("updated_at", .string(version(of: mapping))),
    ])
  }

  private static func version(of mapping: StoredMapping) -> String {
    String(Int64(mapping.updatedAt.timeIntervalSince1970 * 1_000_000))
  }

  func step(_ job: Job) async throws -> JobStep {
    guard let id = job.parameters["mapping_id"]?.string, let stored = try await mappings.mapping(id, of: job.tenant)
    else {
      throw JobFailure(reason: "The mapping was deleted. What was sold under it keeps its terms.")
    }
    guard job.parameters["updated_at"]?.string == Self.version(of: stored) else {
      throw JobFailure(
        reason: "The mapping was changed while it was being applied. Look at the dry run, then apply it again.")
    }
    var cursor = try job.cursor.map { try JSONCoding.decode(Cursor.self, from: $0) } ?? Cursor()
    var counts: [String: Int] = [:]
    if cursor.isAtEnd {
      var stillBusy: [String] = []
      for purchase in cursor.busy where try await !apply(stored.mapping, to: purchase, job, &counts) {
        stillBusy.append(purchase)
      }
      cursor.busy = stillBusy
      if stillBusy.isEmpty { return .done(counts: counts) }
      return .later(cursor: try JSONCoding.encode(cursor), counts: counts, after: .seconds(2))
    }
    let after = cursor.after
    let purchases = try await database.transaction(for: job.tenant) { transaction in
      try await MappingApplication.purchases(
        under: id, of: job.tenant, after: after, limit: Self.batch, in: transaction)
    }
    for purchase in purchases {
      try Task.checkCancellation()
      if try await !apply(stored.mapping, to: purchase.rawValue, job, &counts) { cursor.busy.append(purchase.rawValue) }
      cursor.after = purchase.rawValue
    }
    if purchases.count < Self.batch { cursor.isAtEnd = true }
    if cursor.isAtEnd, cursor.busy.isEmpty { return .done(counts: counts) }
    return .more(cursor: try JSONCoding.encode(cursor), counts: counts)
  }

  /// - Returns: false if another worker has the purchase.
  private func apply(
    _ mapping: Mapping, to id: String, _ job: Job, _ counts: inout [String: Int]
  ) async throws -> Bool {
    let outcome = try await database.transaction(for: job.tenant) { transaction in
      let outcome = try await MappingApplication(
        mapping: mapping, tenant: job.tenant, transaction: transaction, now: clock()
      ).apply(to: PurchaseID(id), by: job.requestedBy)
      if case .applied(let change) = outcome {
        try await JobReport(tenant: job.tenant, job: job.id, transaction: transaction).add([Self.entry(change)])
      }
      return outcome
    }
    switch outcome {
    case .busy: return false
    case .merged: return true
    case .applied(let change):
      counts["purchases", default: 0] += 1
      counts[Self.word(change), default: 0] += 1
      if !change.changed.isEmpty { wakeUp.signal() }
      return true
    }
  }

  /// The outcome for a purchase as a whole.
  static func word(_ change: MappingApplication.Change) -> String {
    if !change.changed.isEmpty { return "changed" }
    return change.lines.contains { if case .impossible = $0.change { true } else { false } }
      ? "cannot_apply" : "unchanged"
  }

  private static func entry(_ change: MappingApplication.Change) -> JobReport.Entry {
    let reasons = change.lines.compactMap { key, change -> JSONValue? in
      if case .impossible(let why) = change { .string("Line \(key.line): \(why)") } else { nil }
    }
    var detail = JSONObject([
      ("fulfillment", .string(change.purchase.rawValue)),
      ("steps", .array(change.steps.map { .string($0.sentence) })),
    ])
    if !reasons.isEmpty { detail["cannot_apply"] = .array(reasons) }
    if let note = change.note { detail["note"] = .string(note) }
    return JobReport.Entry(stripeID: change.stripeID, outcome: word(change), detail: detail)
  }
}
