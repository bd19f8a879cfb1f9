import Cryptography
import Identity
import StripeAPI

/// A connection's secrets at rest, each bound to its purpose, account and mode.
struct ConnectionSeals: Sendable {
  enum Purpose: String, CaseIterable {
    case accessToken = "stripe_access_token"
    case refreshToken = "stripe_refresh_token"
    case licensekitToken = "licensekit_token"
  }

  let keyRing: KeyRing

  func seal(_ secret: String, _ purpose: Purpose, of tenant: Tenant) throws -> [UInt8] {
    try keyRing.seal(secret, context: Self.context(purpose, tenant))
  }

  func open(_ sealed: [UInt8]?, _ purpose: Purpose, of tenant: Tenant) throws -> String? {
    guard let sealed else { return nil }
    return try keyRing.openText(sealed, context: Self.context(purpose, tenant))
  }

  private static func context(_ purpose: Purpose, _ tenant: Tenant) -> [String] {
    [purpose.rawValue, tenant.account.rawValue, tenant.livemode ? "live" : "test"]
  }
}
