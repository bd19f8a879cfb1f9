import Foundation
import LicenseKitAPI
import ServerKit

/// What was decided about a license, and how its visible status follows from that and the time. Pure: the whole state
/// machine, including renewals, without a database.
struct LicenseLifecycle: Hashable, Sendable {
  /// What was decided; time never changes it.
  enum State: String, Hashable, Sendable {
    case active, suspended, revoked
  }

  var state: State
  var expiresAt: Date?
  /// `expiresAt` and the policy's grace.
  var endsAt: Date?

  /// The first moment that RFC 3339 cannot write: the year 10000.
  private static let endOfTime = Date(timeIntervalSince1970: 253_402_300_800)

  /// The status at a moment: the moment of each end already belongs to the next status.
  func status(at now: Date) -> LicenseStatus {
    switch state {
    case .suspended: return .suspended
    case .revoked: return .revoked
    case .active:
      guard let expiresAt, now >= expiresAt else { return .active }
      return now < endsAt ?? expiresAt ? .gracePeriod : .expired
    }
  }

  /// What an action does.
  enum Outcome: Hashable, Sendable {
    /// The state changes.
    case becomes(State)
    /// The license is already in that state.
    case stays
    /// 409, with the reason.
    case refused(String)
  }

  func suspending() -> Outcome {
    switch state {
    case .active: .becomes(.suspended)
    case .suspended: .stays
    case .revoked: .refused("a revoked license cannot be suspended")
    }
  }

  func reinstating(at now: Date) -> Outcome {
    switch status(at: now) {
    case .suspended: .becomes(.active)
    case .active, .gracePeriod: .stays
    case .expired: .refused("an expired license must be renewed, not reinstated")
    case .revoked: .refused("a revoked license cannot be reinstated")
    }
  }

  func revoking() -> Outcome { state == .revoked ? .stays : .becomes(.revoked) }

  /// The new expiry of a renewal.
  ///
  /// - Throws: 409 for a revoked license; 422 for a type that does not end by date, for none or both ways of saying the new
  ///   expiry, and for one before the present expiry: a renewal never takes time away.
  func renewed(_ request: LicenseRenewRequest, type: LicenseType, at now: Date) throws(APIFailure) -> Date {
    guard state != .revoked else { throw .conflict("a revoked license cannot be renewed") }
    switch type {
    case .timeLimited, .subscription, .trial: break
    case .perpetual, .consumption:
      throw .validation("license_type: a \(type.rawValue) license does not end by date and cannot be renewed")
    }
    switch (request.expiresAt, request.extendByDays) {
    case (nil, nil): throw .validation("expires_at: give it or extend_by_days")
    case (_?, _?): throw .validation("expires_at: give it or extend_by_days, not both")
    case (let wanted?, nil):
      let wanted = wanted.wholeSeconds
      if let expiresAt, wanted < expiresAt {
        throw .validation(field: "expires_at", "must not be earlier than the present expiry")
      }
      return wanted
    case (nil, let days?):
      try Checks.range(days, "extend_by_days", 1...36_500)
      // Remaining time is kept; for an expired license the new time starts now.
      let wanted = max(expiresAt ?? now, now).addingDays(days)
      guard wanted < Self.endOfTime else { throw .validation(field: "extend_by_days", "leads beyond the year 9999") }
      return wanted
    }
  }
}
