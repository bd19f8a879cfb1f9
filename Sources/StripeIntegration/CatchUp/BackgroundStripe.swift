import Redis
import StripeAPI
import StripeHTTP

/// Stripe for work that nobody waits for. Its calls have a rate limit of their own before they count against the tenant's, so
/// that at least half of the tenant's limit stays free for sales.
struct BackgroundStripe: StripeAccess {
  private let stripe: any StripeAccess
  private let budget: CallBudget

  init(_ stripe: any StripeAccess, redis: RedisClient?, keyPrefix: String = "") {
    self.stripe = stripe
    budget = CallBudget(redis: redis, keyPrefix: keyPrefix + "background:", share: 2)
  }

  func session(for tenant: Tenant, replacing rejected: StripeSession?) async throws -> StripeSession {
    let budget = budget
    return try await stripe.session(for: tenant, replacing: rejected).waiting { try await budget.take(for: tenant) }
  }
}
