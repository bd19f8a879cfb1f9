import Foundation
import JSON
import LicenseKitAPI
import ServerKit

// The rules that every runtime operation shares. Pure.

extension LicenseLifecycle {
  /// Refuses everything but active and grace_period: 403.
  ///
  /// - Parameter start: the license works from here on; nil for always.
  func requireUsable(from start: Date?, at now: Date) throws(APIFailure) {
    if let start, now < start { throw .licenseInactive("it starts at \(RFC3339.string(from: start))") }
    switch status(at: now) {
    case .active, .gracePeriod: return
    case .expired: throw .licenseExpired
    case .suspended: throw .licenseInactive("suspended")
    case .revoked: throw .licenseInactive("revoked")
    }
  }

  /// When an application should ask again: after the policy's interval, or when the answer changes by itself, whichever is
  /// earlier.
  func nextCheck(after minutes: Int, at now: Date) -> Date {
    let interval = now.addingTimeInterval(Double(minutes) * 60)
    let change = status(at: now) == .gracePeriod ? endsAt : expiresAt
    return change.map { min($0, interval) } ?? interval
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
  /// Refuses a version that is not covered: 403.
  func requireEntitled() throws(APIFailure) {
    if !isEntitled { throw .versionNotEntitled(appVersion) }
  }
}

extension FeatureEntitlement {
  /// What an application is told of a feature that its license has been given. Numbers come only with a quota.
  init(code: String, enabled: Bool, quota: Int64?, used: Int64, endsAt: Date?, at now: Date) {
    self.init(
      code: code, enabled: enabled && endsAt.map { now < $0 } ?? true, quota: quota,
      consumed: quota == nil ? nil : used,
      remaining: quota.map { max(0, $0 - used) })
  }
}
