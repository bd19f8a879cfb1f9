package import Foundation
package import LicenseKitAPI
package import StripeAPI

/// Something outside refused or did not answer: what a run must know about it.
package struct Refusal: Error, Hashable, Sendable {
  /// The response by the published rules.
  package let failure: PurchaseFailure
  /// In the other side's words, for the entry of the step that was refused.
  package let detail: String
  /// Set if LicenseKit refused.
  package var licenseKit: LicenseKitError?
  /// Set if Stripe refused: what a caller can do about it.
  package var stripe: RetryClass?
}

/// What to do about a purchase whose run failed.
package enum PurchaseFailure: Hashable, Sendable {
  /// The other side is down: that is not this purchase's fault and does not count as its failure.
  case outage(Outage, after: TimeInterval)
  /// LicenseKit has no such record. The records on our side are looked up, and made again if they are gone.
  case gone(String)
  case response(FailureResponse)
}

/// What to do about a failure. Its kind decides, not the place where it happened.
package enum FailureResponse: Hashable, Sendable {
  /// A passing failure: try again after a back-off.
  case retry(after: TimeInterval, reason: String)
  /// The tenant's queue is blocked until a person acts.
  case block(TenantUnavailable)
  /// A person must act; the reason says how.
  case fail(reason: String)
  /// Another worker has it.
  case yield
  /// The work was interrupted on our side. It continues under its next claim; that counts as no attempt and is not reported.
  case interrupted
}

/// An error of a higher layer that says itself what to do about it.
package protocol FailureResponding: Error {
  /// - Parameters: as for `FailurePolicy.failure`.
  func failureResponse(attempts: Int, jitter: Double) -> FailureResponse
}

/// How long to wait before something is tried again, and how many times.
package enum RetryBackoff {
  /// With the back-off below, about three days: as long as Stripe itself retries a delivery.
  static let maximumAttempts = 90
  package static let longest: TimeInterval = 3_600
  /// An outage raises the number of attempts to this and no further, so that it uses up none of those that count.
  static let attemptsOfOutage = 9

  /// One second, two, four, … up to the longest, a quarter more or less.
  package static func length(_ attempts: Int, _ jitter: Double, longest: TimeInterval = RetryBackoff.longest)
    -> TimeInterval
  {
    min(pow(2, Double(min(max(attempts, 0), 20))), longest) * (0.75 + jitter / 2)
  }

  /// A passing failure is tried again, but not forever.
  package static func response(
    _ reason: String, attempts: Int, jitter: Double, atLeast: TimeInterval = 0,
    longest: TimeInterval = RetryBackoff.longest
  ) -> FailureResponse {
    guard attempts < maximumAttempts else {
      return .fail(reason: "Given up after \(attempts) attempts. Last: \(reason) When the cause is gone, replay.")
    }
    return .retry(after: max(length(attempts, jitter, longest: longest), atLeast), reason: reason)
  }
}

/// The other side does not answer anybody, so the failure of one purchase concerns all others of the tenant too.
///
/// The tenant is then not served for a while; after that one purchase tries whether the trouble is over. So an outage costs a
/// few hundred calls a day, however many purchases wait, and none of them fails because of it.
package struct Outage: Error, Hashable, Sendable {
  package enum Side: String, Hashable, Sendable {
    case stripe = "Stripe"
    case licenseKit = "LicenseKit"
  }

  let side: Side
  /// The answer, or what broke; without any secret.
  package let detail: String
  /// How long the other side asked us to wait.
  package let atLeast: TimeInterval

  package init(side: Side, detail: String, atLeast: TimeInterval = 0) {
    self.side = side
    self.detail = detail
    self.atLeast = atLeast
  }

  /// In plain words, for people.
  package var sentence: String {
    "\(side.rawValue) does not answer; everything that waits goes on by itself when it does. Last: \(detail)"
  }
}

/// A person must act before anything can be done for a tenant. Its queue is blocked and shows why.
package struct TenantUnavailable: Error, Hashable, Sendable, CustomStringConvertible {
  /// Who must act, and where.
  package enum Reason: String, Hashable, Sendable, Codable, CaseIterable {
    case notConnected = "not_connected"
    /// Stripe refuses the connection's tokens: the vendor must authorize the app again.
    case stripeCredential = "stripe_credential"
    /// The app lacks a permission: the vendor must review the app's permissions.
    case stripePermission = "stripe_permission"
    /// The account no longer gives access.
    case stripeAccountGone = "stripe_account_gone"
    /// LicenseKit refuses the token: the vendor must give a new one.
    case licensekitCredential = "licensekit_credential"
    case licensekitMissing = "licensekit_missing"
  }

  package let reason: Reason
  /// What was refused, without any secret.
  package let detail: String

  package init(_ reason: Reason, _ detail: String) {
    self.reason = reason
    self.detail = detail
  }

  package var description: String { "\(reason.rawValue): \(detail)" }
}
