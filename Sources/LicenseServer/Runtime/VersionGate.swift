import Foundation
import LicenseKitAPI

/// Whether an application version is covered. Pure.
enum VersionGate {
  /// - Parameters:
  ///   - releasedAt: when the catalog says it was released; nil for a version that the catalog does not know, which counts as
  ///     released now.
  ///   - eligibleThrough: versions released up to here are covered; nil for all.
  static func eligibility(
    of version: String, hasCatalog: Bool, releasedAt: Date?, eligibleThrough: Date?, now: Date
  ) -> VersionEligibility {
    guard hasCatalog else { return VersionEligibility(appVersion: version, isEntitled: true, enforced: false) }
    let isEntitled = eligibleThrough.map { (releasedAt ?? now) <= $0 } ?? true
    return VersionEligibility(
      appVersion: version, isEntitled: isEntitled, enforced: true, releasedAt: releasedAt,
      eligibleThrough: eligibleThrough)
  }

  /// The moment up to which releases are covered: the maintenance cutoff of a perpetual license, else its end.
  static func eligibleThrough(type: LicenseType, expiresAt: Date?, maintenanceExpiresAt: Date?) -> Date? {
    type == .perpetual ? maintenanceExpiresAt : expiresAt
  }
}
