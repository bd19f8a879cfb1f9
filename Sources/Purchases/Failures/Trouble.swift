package import Foundation
package import LicenseKitAPI
package import StripeAPI

/// Something outside said no, or nothing at all: what a run has to know of it.
package struct Refusal: Error, Hashable, Sendable {
  /// What the published rules make of it.
  package let failure: PurchaseFailure
  /// In the other side's words, for the entry of the step that was refused.
  package let detail: String
  /// When it was LicenseKit that refused.
  package var licenseKit: LicenseKitError?
  /// When it was Stripe that refused: what a caller can do about it.
  package var stripe: RetryClass?
}

/// What to do about a purchase that a run failed for.
package enum PurchaseFailure: Hashable, Sendable {
  /// The other side is away: not this purchase's fault, and not counted as such.
  case outage(Outage, after: TimeInterval)
  /// LicenseKit has no such record: what is on record here is looked up, and made anew where it is gone.
  case gone(String)
  case response(FailureResponse)
}

/// What to do about a failure: its kind decides, not the place where it happened.
package enum FailureResponse: Hashable, Sendable {
  /// Passing trouble: again after a pause.
  case retry(after: TimeInterval, reason: String)
  /// The tenant's queue stands still until a person acts.
  case park(TenantUnavailable)
  /// This needs a person; the reason says for what.
  case fail(reason: String)
  /// Somebody else works on it.
  case yield
  /// The work was broken off here, whatever for: it goes on at the next turn. That is no attempt, and nothing to tell.
  case interrupted
}

/// An error of a room above that says itself what is to be done about it.
package protocol FailureResponding: Error {
  /// - Parameters: as of `FailurePolicy.failure`.
  func failureResponse(attempts: Int, jitter: Double) -> FailureResponse
}

/// How long is waited before something is tried again, and how often it is.
package enum RetryPause {
  /// With the pauses below, about three days: as long as Stripe itself retries a delivery.
  static let maximumAttempts = 90
  package static let longest: TimeInterval = 3_600
  /// An outage raises the attempts up to here and no further, so that it uses none of those that count.
  static let attemptsOfOutage = 9

  /// One second, two, four, … up to the longest, a quarter more or less.
  package static func length(_ attempts: Int, _ jitter: Double, longest: TimeInterval = RetryPause.longest)
    -> TimeInterval
  {
    min(pow(2, Double(min(max(attempts, 0), 20))), longest) * (0.75 + jitter / 2)
  }

  /// Passing trouble is tried again, and not for ever.
  package static func response(
    _ reason: String, attempts: Int, jitter: Double, atLeast: TimeInterval = 0,
    longest: TimeInterval = RetryPause.longest
  ) -> FailureResponse {
    guard attempts < maximumAttempts else {
      return .fail(reason: "Given up after \(attempts) attempts. Last: \(reason) When the cause is gone, replay.")
    }
    return .retry(after: max(length(attempts, jitter, longest: longest), atLeast), reason: reason)
  }
}

/// The other side does not answer at all, whoever asks: what concerns one purchase concerns every other of the tenant.
///
/// The tenant is left in peace for a while then, and asked with one purchase whether the trouble is over. So an outage costs
/// a few hundred calls a day, however many purchases wait, and none of them fails by it.
package struct Outage: Error, Hashable, Sendable {
  package enum Side: String, Hashable, Sendable {
    case stripe = "Stripe"
    case licenseKit = "LicenseKit"
  }

  let side: Side
  /// What was answered, or what broke; without any secret.
  package let detail: String
  /// How long the other side asked to be left alone.
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

/// Nothing can be done for a tenant until a person acts; its queue stands still and shows why.
package struct TenantUnavailable: Error, Hashable, Sendable, CustomStringConvertible {
  /// Who must act, and where.
  package enum Reason: String, Hashable, Sendable, Codable, CaseIterable {
    case notConnected = "not_connected"
    /// Stripe refuses the connection's tokens: the vendor authorizes the app again.
    case stripeCredential = "stripe_credential"
    /// The app lacks a permission: the vendor reviews the app's permissions.
    case stripePermission = "stripe_permission"
    /// The account no longer gives access.
    case stripeAccountGone = "stripe_account_gone"
    /// LicenseKit refuses the token: the vendor gives a new one.
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
