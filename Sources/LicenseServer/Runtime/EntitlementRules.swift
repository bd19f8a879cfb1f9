import Foundation
import JSON
import LicenseKitAPI
import ServerKit

// The rules that every runtime operation shares. Pure.

extension LicenseLifecycle {
  /// Refuses everything but active and grace_period: 403.
  ///
  /// - Parameter start: the license works from this moment; nil means always.
  func requireUsable(from start: Date?, at now: Date) throws(APIFailure) {
    if let start, now < start { throw .licenseInactive("it starts at \(RFC3339.string(from: start))") }
    switch status(at: now) {
    case .active, .gracePeriod: return
    case .expired: throw .licenseExpired
    case .suspended: throw .licenseInactive("suspended")
    case .revoked: throw .licenseInactive("revoked")
    }
  }
}

extension DeviceStatus {
  /// Refuses a blocked binding with 403, and one without a seat with 404: activate first.
  func requireActive() throws(APIFailure) {
    switch self {
    case .active: return
    case .blacklisted: throw .deviceBlacklisted
    case .deactivated, .reset, .expired: throw .notFound("device")
    }
  }
}

extension VersionEligibility {
  /// When this version is no longer covered because of time alone. A version that the catalog does not know counts as
  /// released now, so it is covered until the end of coverage.
  var lapsesAt: Date? { enforced && isEntitled && releasedAt == nil ? eligibleThrough : nil }

  /// Refuses a version that is not covered: 403.
  func requireEntitled() throws(APIFailure) {
    if !isEntitled { throw .versionNotEntitled(appVersion) }
  }
}

extension FeatureEntitlement {
  /// What an answer says about a feature of the license. It has numbers only with a quota.
  init(code: String, enabled: Bool, quota: Int64?, used: Int64, endsAt: Date?, at now: Date) {
    self.init(
      code: code, enabled: enabled && endsAt.map { now < $0 } ?? true, quota: quota,
      consumed: quota == nil ? nil : used,
      remaining: quota.map { max(0, $0.subtractingSaturated(used)) })
  }
}

/// When an application should ask again. Pure.
enum NextCheck {
  /// After the interval, or when the answer changes by itself, whichever is earlier. A device that runs on a lease asks when
  /// half of the lease has passed, so that the lease can still be extended.
  ///
  /// - Parameter changes: moments at which the answer changes; those that have passed do not matter.
  static func moment(after now: Date, interval: TimeInterval, changes: [Date?], livingUntil: Date? = nil) -> Date {
    let half = livingUntil.map { now.addingTimeInterval(max(1, ($0.timeIntervalSince(now) / 2).rounded(.down))) }
    let changes = (changes + [half]).compactMap { $0 }.filter { $0 > now }
    return changes.reduce(now.addingTimeInterval(interval), min)
  }

  /// The same for a license: its own ends, those of its features, and of the version's eligibility.
  static func moment(
    after now: Date, minutes: Int, lifecycle: LicenseLifecycle, featureEnds: [Date?], eligibility: VersionEligibility?,
    livingUntil: Date?
  ) -> Date {
    moment(
      after: now, interval: Double(minutes) * 60,
      changes: [lifecycle.expiresAt, lifecycle.endsAt, eligibility?.lapsesAt] + featureEnds, livingUntil: livingUntil)
  }
}

extension Binding {
  /// Refuses a place that the policy does not allow: 403. A changed policy holds at once, also for devices bound before.
  func requireAllowed(vm: Bool, container: Bool) throws(APIFailure) {
    guard vm || request.isVM != true else { throw .vmNotAllowed }
    guard container || kind != .container else { throw .containerNotAllowed }
  }
}
