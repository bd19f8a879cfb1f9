public import LicenseKitAPI
public import StripeAPI

/// Calls to Stripe on behalf of a tenant.
public protocol StripeAccess: Sendable {
  /// A session with a credential that is valid now.
  /// - Parameter rejected: a session whose credential Stripe refused with 401; another one is obtained if there is one.
  /// - Throws: `TenantUnavailable` when the tenant has no connection, or one that only a person can mend.
  func session(for tenant: Tenant, replacing rejected: StripeSession?) async throws -> StripeSession
}

/// The LicenseKit of a tenant: its own, or the service's.
public protocol LicenseKitAccess: Sendable {
  func client(for tenant: Tenant) async throws -> any LicenseKitClient
}

/// Nothing can be done for a tenant until a person acts; its queue stands still and shows why.
public struct TenantUnavailable: Error, Hashable, Sendable, CustomStringConvertible {
  /// Who must act, and where.
  public enum Reason: String, Hashable, Sendable, Codable, CaseIterable {
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

  public let reason: Reason
  /// What was refused, without any secret.
  public let detail: String

  public init(_ reason: Reason, _ detail: String) {
    self.reason = reason
    self.detail = detail
  }

  public var description: String { "\(reason.rawValue): \(detail)" }
}
