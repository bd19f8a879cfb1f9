package import Purchases
package import StripeAPI

/// Stops a tenant's queues, with the reason shown, until a person has acted.
package protocol TenantBlocking: Sendable {
  func block(_ tenant: Tenant, _ unavailable: TenantUnavailable) async throws
}
