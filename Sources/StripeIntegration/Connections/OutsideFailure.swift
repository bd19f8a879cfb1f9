import HTTPTypes
import LicenseKitAPI
import Purchases
import ServerKit
import StripeAPI

/// Turns failures of Stripe, LicenseKit and connections into answers that say who must act: 409 the vendor, 503 nobody (try
/// again), 502 the operator of the service.
enum OutsideFailure {
  /// The answer for an error from outside; nil for any other error.
  static func apiFailure(for error: any Error) -> APIFailure? {
    switch error {
    case let error as TenantUnavailable: failure(error)
    case let error as StripeError: failure(error)
    case let error as StripeObjectError:
      APIFailure(
        .badGateway, code: "STRIPE_UNEXPECTED", message: "Stripe's answer could not be read.", detail: "\(error)")
    case let error as LicenseKitError: failure(error)
    default: nil
    }
  }

  /// Runs outside calls and turns their failures into answers.
  static func translating<T>(
    isolation: isolated (any Actor)? = #isolation, _ body: () async throws -> T
  ) async throws -> T {
    do {
      return try await body()
    } catch {
      throw apiFailure(for: error) ?? error
    }
  }

  private static func failure(_ error: TenantUnavailable) -> APIFailure {
    let code =
      switch error.reason {
      case .notConnected, .stripeAccountGone: "ACCOUNT_NOT_CONNECTED"
      case .stripeCredential: "STRIPE_AUTHORIZATION_LOST"
      case .stripePermission: "STRIPE_PERMISSION_MISSING"
      case .licensekitCredential: "LICENSEKIT_CREDENTIAL_REFUSED"
      case .licensekitMissing: "LICENSEKIT_NOT_CONFIGURED"
      }
    return .conflict(error.detail, code: code)
  }

  private static func failure(_ error: StripeError) -> APIFailure {
    switch error.retry {
    case .retry(let after), .rateLimited(_, let after):
      .unavailable(error.description, code: "STRIPE_UNAVAILABLE", retryAfter: after ?? .seconds(2))
    case .lockTimeout: .unavailable(error.description, code: "STRIPE_UNAVAILABLE", retryAfter: .seconds(2))
    case .cancelled: .unavailable("the request was given up")
    case .credential: .conflict(error.description, code: "STRIPE_AUTHORIZATION_LOST")
    case .permission: .conflict(error.description, code: "STRIPE_PERMISSION_MISSING")
    case .accountGone: .conflict(error.description, code: "ACCOUNT_NOT_CONNECTED")
    case .notFound, .invalid, .idempotencyConflict:
      APIFailure(
        .badGateway, code: "STRIPE_REFUSED", message: "Stripe refused the request.", detail: error.description)
    }
  }

  private static func failure(_ error: LicenseKitError) -> APIFailure {
    switch error.retry {
    case .later:
      .unavailable(error.description, code: "LICENSEKIT_UNAVAILABLE", retryAfter: error.retryAfter ?? .seconds(2))
    case .credential: .conflict(error.description, code: "LICENSEKIT_CREDENTIAL_REFUSED")
    case .no, .configuration, .gone, .conflict:
      APIFailure(
        .badGateway, code: "LICENSEKIT_REFUSED", message: "LicenseKit refused the request.", detail: error.description)
    }
  }
}
