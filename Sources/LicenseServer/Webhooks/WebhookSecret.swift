import Cryptography
import Delivery
import Identity
import LicenseKitAPI
import Postgres

/// What an endpoint verifies deliveries with. Encrypted at rest, for this tenant and this endpoint only.
struct WebhookSecret: Sendable {
  /// The secret itself, as it is shown once.
  let text: String
  /// How it begins, to recognise it by.
  let prefix: String
  /// What is stored.
  let encrypted: [UInt8]

  /// How long a secret that is replaced signs as well.
  static let overlapHours = 24

  /// - Parameter text: nil makes a new one.
  init(_ text: String?, of endpoint: EndpointQueue<TenantID>, _ secrets: EndpointSecrets<TenantID>) throws {
    let secret = text ?? Random.token(prefix: "lkw_")
    self.text = secret
    prefix = Credential.tokenPrefix(secret)
    encrypted = try secrets.encrypt(secret, of: endpoint)
  }

  /// Where the secrets of this server's endpoints are.
  static func secrets(_ keyRing: KeyRing) -> EndpointSecrets<TenantID> {
    EndpointSecrets(
      keyRing: keyRing,
      columns: .init(
        table: "license_server.webhook_endpoints", endpointID: "id", secret: "sealed_secret",
        former: "former_sealed_secret", formerUntil: "former_secret_until")
    ) { ["license_server", $0.owner.rawValue, "webhook_secret", $0.id] }
  }
}
