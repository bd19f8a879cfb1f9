import StripeAPI
import StripeHTTP

/// Calls to Stripe for a tenant. A refused credential is replaced once.
struct StripeCalls: Sendable {
  let stripe: any StripeAccess
  let tenant: Tenant

  func run<T: Sendable>(_ body: (StripeSession) async throws -> T) async throws -> T {
    let session = try await stripe.session(for: tenant, replacing: nil)
    do {
      return try await body(session)
    } catch let error as StripeError where error.retry == .credential || error.retry == .accountGone {
      return try await body(try await stripe.session(for: tenant, replacing: session))
    }
  }
}
