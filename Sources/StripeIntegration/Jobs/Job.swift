import Foundation
import Identity
import JSON
import StripeAPI

enum JobTag {}

/// `job_…`
typealias JobID = ID<JobTag>

/// What a job does.
enum JobKind: String, Sendable, Hashable, CaseIterable, Encodable {
  /// Processes what was sold at Stripe before the app was installed.
  case backfill
  /// Reads Stripe's list of events for those that no webhook brought (event sync).
  case eventSync = "sweep"
  /// Applies a changed mapping to purchases that were fulfilled under its earlier terms.
  case mappingApply = "mapping_apply"
  /// Has many purchases looked at again, or many events routed again.
  case replay
}

/// The state of a job.
enum JobState: String, Sendable, Hashable, CaseIterable, Encodable {
  case queued, running, succeeded, failed, cancelled

  /// Whether the job has ended.
  var isFinal: Bool { self != .queued && self != .running }
}

/// Long work for one tenant, done in bounded pieces by any replica.
struct Job: Sendable, Identifiable {
  let id: JobID
  let tenant: Tenant
  let kind: JobKind
  /// What the job is about. A tenant has one open job of a kind and subject at a time.
  let subject: String
  /// What was asked for.
  let parameters: JSONObject
  /// Who asked: `operator`, `token:name` or `schedule`.
  let requestedBy: String
  let state: JobState
  /// Why it waits, or why it failed.
  let reason: String?
  /// How far the work has come, in the form of its kind; nil before the first piece.
  let cursor: JSONValue?
  let progress: JobProgress
  /// Failures in a row.
  let attempts: Int
  let createdAt: Date
  let startedAt: Date?
  let updatedAt: Date
  let finishedAt: Date?
}

/// Counts by name, in display order.
struct JobProgress: Sendable, Hashable {
  private(set) var counts: [(name: String, count: Int)]

  /// - Parameter names: shown from the start, with a count of zero.
  init(_ names: [String] = []) { counts = names.map { ($0, 0) } }

  init(_ object: JSONObject) {
    counts = object.elements.map { ($0.key, Int($0.value.integer ?? 0)) }
  }

  subscript(name: String) -> Int { counts.first { $0.name == name }?.count ?? 0 }

  /// Adds to the counts; new names go to the end.
  mutating func add(_ more: [String: Int]) {
    for (name, count) in more.sorted(by: { $0.key < $1.key }) {
      if let index = counts.firstIndex(where: { $0.name == name }) {
        counts[index].count += count
      } else {
        counts.append((name, count))
      }
    }
  }

  var object: JSONObject { JSONObject(counts.map { ($0.name, .integer(Int64($0.count))) }) }

  static func == (left: JobProgress, right: JobProgress) -> Bool { left.object == right.object }
  func hash(into hasher: inout Hasher) { hasher.combine(object) }
}
