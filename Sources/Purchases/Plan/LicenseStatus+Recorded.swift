package import Foundation
package import LicenseKitAPI

extension LicenseStatus {
  /// What a license is by our own records. An expiry needs nobody's doing, so that time decides it.
  package init(recorded: Recorded.Unit.Status, expiresAt: Date?, now: Date) {
    switch recorded {
    case .revoked: self = .revoked
    case .suspended: self = .suspended
    case .active: self = expiresAt.map { $0 <= now } ?? false ? .expired : .active
    }
  }
}
