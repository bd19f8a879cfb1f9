package import Foundation
package import LicenseKitAPI

extension LicenseStatus {
  /// The status of a license by our own records. An expiry needs no action, so time decides it.
  package init(recorded: Recorded.Unit.Status, expiresAt: Date?, now: Date) {
    switch recorded {
    case .revoked: self = .revoked
    case .suspended: self = .suspended
    case .active: self = expiresAt.map { $0 <= now } ?? false ? .expired : .active
    }
  }
}
