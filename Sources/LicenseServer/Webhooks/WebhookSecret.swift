import Cryptography
import Identity
import LicenseKitAPI

/// What an endpoint verifies deliveries with. Encrypted at rest, for this tenant and this endpoint only.
struct WebhookSecret: Sendable {
  /// The secret itself, as it is shown once.
  let text: String
  /// How it begins, to recognise it by.
  let prefix: String
  /// What is stored.
  let encrypted: [UInt8]

  /// - Parameter text: nil makes a new one.
  init(_ text: String?, of endpoint: WebhookEndpointID, tenant: TenantID, keyRing: KeyRing) throws {
    let secret = text ?? Random.token(prefix: "lkw_")
    self.text = secret
    prefix = Credential.tokenPrefix(secret)
    encrypted = try keyRing.encrypt(secret, context: Self.context(endpoint, tenant))
  }

  static func context(_ endpoint: WebhookEndpointID, _ tenant: TenantID) -> [String] {
    ["license_server", tenant.rawValue, "webhook_secret", endpoint.rawValue]
  }
}
