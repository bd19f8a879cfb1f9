package import Foundation
import LicenseKitAPI
import StripeAPI

/// The published rules of `docs/operating.md` ("What is tried again") as a pure function.
package struct FailurePolicy: Sendable {

  package init() {
  }
  static let maximumAttempts = RetryBackoff.maximumAttempts
  /// Stripe is working on the object for another request; it is free again within seconds.
  static let longestBackoffForLock: TimeInterval = 30
  /// How many times records that LicenseKit calls gone are looked up.
  static let maximumLookUps = 5

  /// The response to a failure of a purchase.
  /// - Parameters:
  ///   - attempts: failures in a row before this one.
  ///   - jitter: 0 to 1, spreads the retries of many purchases.
  package func failure(_ error: any Error, attempts: Int, jitter: Double) -> PurchaseFailure {
    if let outage = Outage(error) {
      let backoff = RetryBackoff.length(
        min(attempts, RetryBackoff.attemptsOfOutage), jitter, longest: OutageBackoff.longest)
      return .outage(outage, after: max(backoff, outage.atLeast))
    }
    if let error = error as? LicenseKitError, error.retry == .gone, attempts < Self.maximumLookUps {
      return .gone(error.description)
    }
    return .response(response(to: error, attempts: attempts, jitter: jitter))
  }

  /// The response to a failure of anything else that is tried again.
  /// - Parameters: as for `failure`.
  package func response(to error: any Error, attempts: Int, jitter: Double) -> FailureResponse {
    switch error {
    case let error as any FailureResponding: return error.failureResponse(attempts: attempts, jitter: jitter)
    case let error as TenantUnavailable: return .block(error)
    case let error as StripeError: return response(to: error, attempts: attempts, jitter: jitter)
    case let error as LicenseKitError: return response(to: error, attempts: attempts, jitter: jitter)
    case let error as StripeObjectError:
      return again("Stripe's answer could not be read: \(error).", attempts, jitter)
    case is CancellationError: return .interrupted
    default: return again("An unexpected failure: \(type(of: error)).", attempts, jitter)
    }
  }

  private func response(to error: StripeError, attempts: Int, jitter: Double) -> FailureResponse {
    switch error.retry {
    case .credential: return .block(.init(.stripeCredential, error.description))
    case .permission: return .block(.init(.stripePermission, error.description))
    case .accountGone: return .block(.init(.stripeAccountGone, error.description))
    case .retry(let after): return again(error.description, attempts, jitter, atLeast: after)
    case .rateLimited(_, let after): return again(error.description, attempts, jitter, atLeast: after)
    case .lockTimeout:
      return again(error.description, attempts, jitter, longest: Self.longestBackoffForLock)
    case .cancelled: return .interrupted
    case .notFound:
      return .fail(
        reason: "Stripe has no such object any more: \(error). If it is there again, replay this fulfillment.")
    case .invalid, .idempotencyConflict:
      return .fail(
        reason: "Stripe refuses a call of this service as wrong: \(error). "
          + "That is a fault of the service, not of the sale: report it; after an update, replay this fulfillment.")
    }
  }

  private func response(to error: LicenseKitError, attempts: Int, jitter: Double) -> FailureResponse {
    switch error.retry {
    case .credential: return .block(.init(.licensekitCredential, error.description))
    case .configuration:
      return .fail(
        reason: "LicenseKit refuses what the mapping asks for: \(error). Correct the mapping, then replay.")
    case .no where error.code == "IDEMPOTENCY_CONFLICT":
      return .fail(
        reason: "LicenseKit has seen the same request with other contents: \(error). "
          + "That is a fault of this service, not of the sale: report it. Look at the license at LicenseKit, then replay."
      )
    case .no:
      return .fail(
        reason: "LicenseKit refuses: \(error). Look up its request there; when the cause is gone, replay.")
    case .gone:
      return .fail(
        reason: "A LicenseKit record of this sale, or what the mapping names, is gone: \(error). "
          + "Restore it or correct the mapping, then replay.")
    case .later where ["TRANSPORT_CANCELLED", "TRANSPORT_SHUT_DOWN"].contains(error.code):
      return .interrupted
    case .later: return again("LicenseKit: \(error).", attempts, jitter, atLeast: error.retryAfter)
    case .conflict: return again("LicenseKit: \(error).", attempts, jitter)
    }
  }

  private func again(
    _ reason: String, _ attempts: Int, _ jitter: Double, atLeast: Duration? = nil,
    longest: TimeInterval = RetryBackoff.longest
  ) -> FailureResponse {
    RetryBackoff.response(
      reason, attempts: attempts, jitter: jitter, atLeast: atLeast.map { $0 / .seconds(1) } ?? 0, longest: longest)
  }
}

extension FailurePolicy {
  /// Describes to a run what went wrong.
  package func refusal(_ error: any Error, attempts: Int, jitter: Double) -> Refusal {
    let detail: String =
      switch error {
      case let error as LicenseKitError: error.description
      case let error as StripeError: error.description
      default: "\(type(of: error))"
      }
    return Refusal(
      failure: failure(error, attempts: attempts, jitter: jitter), detail: detail,
      licenseKit: error as? LicenseKitError, stripe: (error as? StripeError)?.retry)
  }
}

/// How long a tenant is not served while the other side is down.
package enum OutageBackoff {
  package static let longest: TimeInterval = 300
  /// A pause that begins within this time after the last one belongs to the same outage, and is longer.
  package static let memory: TimeInterval = 900

  /// - Parameter number: how many pauses this outage has had so far.
  package static func length(_ number: Int, jitter: Double, atLeast: TimeInterval) -> TimeInterval {
    max(RetryBackoff.length(number, jitter, longest: longest), atLeast)
  }
}
