package import LicenseKitAPI
package import StripeAPI
package import StripeHTTP

/// Calls to Stripe on behalf of a tenant.
package protocol StripeAccess: Sendable {
  /// A session whose credential is valid now.
  /// - Parameter rejected: a session whose credential Stripe refused with 401; it is replaced by another if there is one.
  /// - Throws: `TenantUnavailable` if the tenant has no connection, or one that only a person can repair.
  func session(for tenant: Tenant, replacing rejected: StripeSession?) async throws -> StripeSession
}

/// The LicenseKit of a tenant: its own, or the service's.
package protocol LicenseKitAccess: Sendable {
  func client(for tenant: Tenant) async throws -> any LicenseKitClient
}
