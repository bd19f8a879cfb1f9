import Cryptography
import Foundation
import Identity
import LicenseKitAPI
import Postgres
import ServerKit
import Synchronization

/// The Ed25519 keys of the tenants. Which key signs is asked of the database each time, so that a rotation holds for every
/// replica at once; only the opened key objects are kept, since building one costs more than signing.
final class SigningKeys: Sendable {
  private let keyRing: KeyRing
  private let opened = Mutex<[String: Ed25519PrivateKey]>([:])
  /// Enough for the tenants that are busy at a time.
  private static let capacity = 4_096

  init(keyRing: KeyRing) { self.keyRing = keyRing }

  /// A key that can sign, with its id.
  struct Signer: Sendable {
    var kid: String
    var key: Ed25519PrivateKey
  }

  /// The tenant's active key.
  func active(for tenant: TenantID, in transaction: PostgresTransaction) async throws -> Signer {
    let rows = try await transaction.query(
      """
      SELECT kid, sealed_private_key
        FROM license_server.signing_keys
       WHERE tenant_id = \(tenant) AND status = 'active'
      """)
    guard let row = rows.first else {
      throw APIFailure.unavailable("the tenant has no signing key", code: "NO_SIGNING_KEY")
    }
    let kid: String = try row.get("kid")
    let name = tenant.rawValue + "/" + kid
    if let key = opened.withLock({ $0[name] }) { return Signer(kid: kid, key: key) }
    let seed = try keyRing.open(row.get("sealed_private_key"), context: Self.context(tenant, kid))
    let key = try Ed25519PrivateKey(seed: seed)
    opened.withLock { keys in
      if keys.count >= Self.capacity { keys.removeAll() }
      keys[name] = key
    }
    return Signer(kid: kid, key: key)
  }

  /// Every key of the tenant, newest first; retired ones stay, since answers they signed are still out there.
  static func list(for tenant: TenantID, in transaction: PostgresTransaction) async throws -> [PublicKey] {
    try await transaction.query(
      """
      SELECT kid, public_key, status, created_at
        FROM license_server.signing_keys
       WHERE tenant_id = \(tenant)
       ORDER BY created_at DESC, kid DESC
      """
    ).all { row in
      PublicKey(
        kid: try row.get("kid"), algorithm: "Ed25519",
        publicKey: Base64.encode(try row.get("public_key", as: [UInt8].self)),
        status: try row.value("status"), createdAt: try row.get("created_at"))
    }
  }

  /// Makes a key the tenant's active one unless it has one already, so that replicas starting at once agree on one.
  /// - Returns: whether this call made it.
  func insertActive(for tenant: TenantID, now: Date, in transaction: PostgresTransaction) async throws -> Bool {
    let key = Ed25519PrivateKey()
    let kid = Random.id(prefix: "kid_")
    let sealed = try keyRing.seal(key.seed, context: Self.context(tenant, kid))
    let rows = try await transaction.query(
      """
      INSERT INTO license_server.signing_keys
             (tenant_id, kid, public_key, sealed_private_key, status, created_at)
      VALUES (\(tenant), \(kid), \(key.publicKey.rawRepresentation), \(sealed), 'active', \(now))
          ON CONFLICT (tenant_id) WHERE status = 'active' DO NOTHING
      """)
    return rows.affectedRows == 1
  }

  static func context(_ tenant: TenantID, _ kid: String) -> [String] {
    ["license_server", tenant.rawValue, "signing_key", kid]
  }
}
