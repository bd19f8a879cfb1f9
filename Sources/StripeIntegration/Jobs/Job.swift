import Foundation
import Identity
import JSON
import StripeAPI

enum JobTag {}

/// `job_…`
typealias JobID = ID<JobTag>

/// What a job does.
enum JobKind: String, Sendable, Hashable, CaseIterable, Encodable {
  /// Takes up what was sold at Stripe before the app was installed.
  case backfill
  /// Reads Stripe's list of events for those that no webhook brought.
  case sweep
  /// Applies a changed mapping to purchases that were fulfilled under its earlier terms.
  case mappingApply = "mapping_apply"
  /// Lets many purchases be looked at again, or many events be routed again.
  case replay
}

/// Where a job stands.
enum JobState: String, Sendable, Hashable, CaseIterable, Encodable {
  case queued, running, succeeded, failed, cancelled

  /// Whether nothing more will happen.
  var isFinal: Bool { self != .queued && self != .running }
}

/// Long work for one tenant, done in bounded pieces by whichever replica comes to it.
struct Job: Sendable, Identifiable {
  let id: JobID
  let tenant: Tenant
  let kind: JobKind
  /// What it is about; of one kind and subject a tenant has one open job at a time.
  let subject: String
  /// What was asked for.
  let parameters: JSONObject
  /// Who asked: `operator`, `token:name` or `schedule`.
  let requestedBy: String
  let state: JobState
  /// Why it waits, or why it failed.
  let reason: String?
  /// How far the work has come, in the work's own words; nil before the first piece.
  let cursor: JSONValue?
  let progress: JobProgress
  /// Failures in a row.
  let attempts: Int
  let createdAt: Date
  let startedAt: Date?
  let updatedAt: Date
  let finishedAt: Date?
}

/// Counts by name, in the order in which they are shown.
struct JobProgress: Sendable, Hashable {
  private(set) var counts: [(name: String, count: Int)]

  /// - Parameter names: shown from the start, with nothing counted yet.
  init(_ names: [String] = []) { counts = names.map { ($0, 0) } }

  init(_ object: JSONObject) {
    counts = object.elements.map { ($0.key, Int($0.value.integer ?? 0)) }
  }

  subscript(name: String) -> Int { counts.first { $0.name == name }?.count ?? 0 }

  /// Adds to the counts; a new name comes after those that are there.
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
