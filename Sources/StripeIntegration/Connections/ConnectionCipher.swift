import Cryptography
import Identity
import StripeAPI

/// A connection's secrets at rest, each bound to its purpose, account and mode.
struct ConnectionCipher: Sendable {
  enum Purpose: String, CaseIterable {
    case accessToken = "stripe_access_token"
    case refreshToken = "stripe_refresh_token"
    case licensekitToken = "licensekit_token"
  }

  let keyRing: KeyRing

  func encrypt(_ secret: String, _ purpose: Purpose, of tenant: Tenant) throws -> [UInt8] {
    try keyRing.encrypt(secret, context: Self.context(purpose, tenant))
  }

  func decrypt(_ encrypted: [UInt8]?, _ purpose: Purpose, of tenant: Tenant) throws -> String? {
    guard let encrypted else { return nil }
    return try keyRing.decryptText(encrypted, context: Self.context(purpose, tenant))
  }

  /// See `KeyRing.reencrypted`.
  func reencrypted(_ encrypted: [UInt8], _ purpose: Purpose, of tenant: Tenant) throws -> [UInt8]? {
    try keyRing.reencrypted(encrypted, context: Self.context(purpose, tenant))
  }

  private static func context(_ purpose: Purpose, _ tenant: Tenant) -> [String] {
    [purpose.rawValue, tenant.account.rawValue, tenant.livemode ? "live" : "test"]
  }
}
