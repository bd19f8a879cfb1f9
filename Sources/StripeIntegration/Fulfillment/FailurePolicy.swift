import Foundation
import HTTPTransport
import LicenseKitAPI
import Postgres
import StripeAPI

/// What to do about a failure: its kind decides, not the place where it happened.
enum FailureResponse: Hashable {
  /// Passing trouble: again after a pause.
  case retry(after: TimeInterval, reason: String)
  /// The tenant's queue stands still until a person acts.
  case park(TenantUnavailable)
  /// This purchase needs a person.
  case fail(reason: String)
  /// Somebody else works on it.
  case yield
}

struct FailurePolicy: Sendable {
  /// With the pauses below, about three days: as long as Stripe itself retries a delivery.
  static let maximumAttempts = 90
  static let longestPause: TimeInterval = 3_600

  /// - Parameters:
  ///   - attempts: failures in a row before this one.
  ///   - jitter: 0 to 1, spreads the retries of many purchases.
  func response(to error: any Error, attempts: Int, jitter: Double) -> FailureResponse {
    switch error {
    case is PurchaseLease.Lost: return .yield
    case let error as TenantUnavailable: return .park(error)
    case let error as StripeError: return response(to: error, attempts: attempts, jitter: jitter)
    case let error as LicenseKitError: return response(to: error, attempts: attempts, jitter: jitter)
    case let error as StripeObjectError:
      return again("Stripe's answer could not be read: \(error)", attempts, jitter)
    case let error as PostgresError: return again("The database refused: \(error.codeName).", attempts, jitter)
    case is CancellationError: return .retry(after: 0, reason: "The service was stopped.")
    default: return again("An unexpected failure: \(type(of: error)).", attempts, jitter)
    }
  }

  private func response(to error: StripeError, attempts: Int, jitter: Double) -> FailureResponse {
    switch error.retry {
    case .credential: return .park(.init(.stripeCredential, error.description))
    case .permission: return .park(.init(.stripePermission, error.description))
    case .accountGone: return .park(.init(.stripeAccountGone, error.description))
    case .retry(let after): return again(error.description, attempts, jitter, atLeast: after)
    case .rateLimited(_, let after): return again(error.description, attempts, jitter, atLeast: after)
    case .lockTimeout: return again(error.description, attempts, jitter)
    case .cancelled: return .retry(after: 0, reason: "The service was stopped.")
    case .notFound, .invalid, .idempotencyConflict: return .fail(reason: error.description)
    }
  }

  private func response(to error: LicenseKitError, attempts: Int, jitter: Double) -> FailureResponse {
    switch error.retry {
    case .credential: return .park(.init(.licensekitCredential, error.description))
    case .configuration:
      return .fail(reason: "LicenseKit refuses what the mapping asks for: \(error). Correct the mapping, then replay.")
    case .no: return .fail(reason: "LicenseKit refuses: \(error)")
    case .gone: return .fail(reason: "A LicenseKit record of this sale, or what the mapping names, is gone: \(error)")
    case .later: return again("LicenseKit: \(error)", attempts, jitter, atLeast: error.retryAfter)
    case .conflict: return again("LicenseKit: \(error)", attempts, jitter)
    }
  }

  private func again(
    _ reason: String, _ attempts: Int, _ jitter: Double, atLeast: Duration? = nil
  ) -> FailureResponse {
    guard attempts < Self.maximumAttempts else {
      return .fail(reason: "Given up after \(attempts) attempts. Last: \(reason)")
    }
    let base = min(pow(2, Double(min(attempts, 20))), Self.longestPause)
    let floor = atLeast.map { Double($0.components.seconds) } ?? 0
    return .retry(after: max(base * (0.75 + jitter / 2), floor), reason: reason)
  }
}
