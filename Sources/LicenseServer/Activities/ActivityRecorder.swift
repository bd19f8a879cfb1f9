import Foundation
import HTTPTypes
import LicenseKitAPI
import Metrics
import ServerKit
import Synchronization

/// What the runtime was asked, and how it ended.
struct RuntimeActivity: Sendable {
  var endpoint: RuntimeEndpoint
  var tenant: TenantID
  var license: LicenseID
  var outcome: Outcome
  var requestID: String
  var facts: RequestFacts

  enum Outcome: Hashable, Sendable {
    case success
    /// The status and the error's code.
    case failure(status: Int, code: String)

    /// What the caller gets: an error that is no ``APIFailure`` is answered with 500.
    init(_ error: any Error) {
      let failure = error as? APIFailure ?? .internalError
      self = .failure(status: failure.status.code, code: failure.code)
    }

    var status: Int {
      switch self {
      case .success: 200
      case .failure(let status, _): status
      }
    }

    /// Empty for success.
    var reason: String {
      switch self {
      case .success: ""
      case .failure(_, let code): code
      }
    }
  }

  /// The parts of a request that are worth keeping; never a binding value.
  struct RequestFacts: Hashable, Sendable {
    var featureCode: String?
    var amount: Int64?
    var appVersion: String?

    /// - Parameter body: of a runtime operation. Texts that the contract does not allow are not kept.
    init(_ body: (any Sendable)? = nil) {
      switch body {
      case let body as ConsumeLicenseRequest:
        featureCode = Self.kept(body.featureCode, Checks.featureCode)
        amount = body.amount ?? 1
        appVersion = Self.kept(body.appVersion, Checks.version)
      case let body as RuntimeBindingRequest:
        appVersion = Self.kept(body.appVersion, Checks.version)
      default: break
      }
    }

    private static func kept(_ text: String?, _ check: (String, String) throws -> Void) -> String? {
      guard let text, (try? check(text, "")) != nil else { return nil }
      return text
    }
  }
}

/// Records runtime requests without delaying them: each is an addition in memory, and a service writes what has accumulated
/// once a second.
///
/// Every request is counted by tenant, endpoint and result. Refusals and changes also get an entry of their own. Memory is
/// bounded: what exceeds a bound, because a tenant floods or the database is down, is dropped and counted in
/// `licensekit_activities_dropped`. If the process dies, unwritten data is lost, at most about a second's worth.
final class ActivityRecorder: Sendable {
  struct Limits: Sendable {
    /// Entries that wait to be written.
    var maximumEntries = 8_192
    /// The most entries of one tenant, so that a tenant that floods leaves room for the others.
    var maximumEntriesOfTenant = 1_024
    /// Different counts.
    var maximumCounts = 16_384
  }

  struct Count: Hashable, Sendable {
    var tenant: TenantID
    var endpoint: RuntimeEndpoint
    var result: ResultClass
    var reason: String
  }

  struct Entry: Sendable {
    var activity: RuntimeActivity
    var time: Date
  }

  /// What was recorded since the last batch, to be written.
  struct Batch: Sendable {
    var counts: [Count: Int64] = [:]
    var entries: [Entry] = []
    /// Everything in `counts` ended before this, and not long before.
    var time: Date

    var isEmpty: Bool { counts.isEmpty && entries.isEmpty }
  }

  private struct State: Sendable {
    var counts: [Count: Int64] = [:]
    var entries: [Entry] = []
    var entriesOfTenant: [TenantID: Int] = [:]
  }

  private let limits: Limits
  private let clock: ServerClock
  private let state = Mutex(State())
  private let droppedEntries = Counter(label: "licensekit_activities_dropped", dimensions: [("kind", "entry")])
  private let droppedCounts = Counter(label: "licensekit_activities_dropped", dimensions: [("kind", "count")])

  init(clock: ServerClock, limits: Limits = Limits()) {
    self.clock = clock
    self.limits = limits
  }

  /// Notes one request. Never waits for anything but a lock that is held for an addition.
  func record(_ activity: RuntimeActivity) {
    count(activity.endpoint, tenant: activity.tenant, activity.outcome)
    guard activity.outcome != .success || activity.endpoint.isRecordedOnSuccess else { return }
    let entry = Entry(activity: activity, time: clock.now())
    let isKept = state.withLock { state in
      let ofTenant = state.entriesOfTenant[activity.tenant, default: 0]
      guard state.entries.count < limits.maximumEntries, ofTenant < limits.maximumEntriesOfTenant else { return false }
      state.entries.append(entry)
      state.entriesOfTenant[activity.tenant] = ofTenant + 1
      return true
    }
    if !isKept { droppedEntries.increment() }
  }

  /// Counts one request and records nothing else. It does the same as ``record(_:)`` for a successful validation, for callers
  /// that already know it was one.
  func count(_ endpoint: RuntimeEndpoint, tenant: TenantID, _ outcome: RuntimeActivity.Outcome = .success) {
    let count = Count(
      tenant: tenant, endpoint: endpoint, result: ResultClass(status: outcome.status), reason: outcome.reason)
    let isKept = state.withLock { state in
      guard state.counts.count < limits.maximumCounts || state.counts[count] != nil else { return false }
      state.counts[count, default: 0] += 1
      return true
    }
    if !isKept { droppedCounts.increment() }
  }

  /// Takes what was recorded. Nothing is held back, and nothing is returned twice.
  func take() -> Batch {
    let time = clock.now()
    return state.withLock { state in
      defer { state = State() }
      return Batch(counts: state.counts, entries: state.entries, time: time)
    }
  }

  /// Counts the parts of a batch that will not be written.
  func drop(entries: Int = 0, counts: Int = 0) {
    if entries > 0 { droppedEntries.increment(by: entries) }
    if counts > 0 { droppedCounts.increment(by: counts) }
  }
}
