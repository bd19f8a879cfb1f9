import Cryptography
import Foundation
import Identity
import LicenseKitAPI
import Postgres
import ServerKit
import Synchronization

/// The Ed25519 keys of the tenants. The database is asked each time which key signs, so that a rotation takes effect for
/// every replica at once. Only the opened key objects are kept, since making one costs more than signing.
final class SigningKeys: Sendable {
  private let keyRing: KeyRing
  private let opened = Mutex<[String: Ed25519PrivateKey]>([:])
  /// Enough for the tenants that are active at the same time.
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
    guard let row = rows.first else { throw APIFailure.noSigningKey }
    return try signer(row.get("kid"), of: tenant) { try row.get("sealed_private_key") }
  }

  /// The tenant's key with this id, which the caller has just read to be the active one.
  func signer(_ kid: String, of tenant: TenantID, in store: TenantStore) async throws -> Signer {
    if let key = opened.withLock({ $0[Self.name(tenant, kid)] }) { return Signer(kid: kid, key: key) }
    return try await store.transaction(tenant, readOnly: true) { transaction in
      let rows = try await transaction.query(
        """
        SELECT sealed_private_key
          FROM license_server.signing_keys
         WHERE tenant_id = \(tenant) AND kid = \(kid)
        """)
      guard let row = rows.first else { throw APIFailure.noSigningKey }
      return try self.signer(kid, of: tenant) { try row.get("sealed_private_key") }
    }
  }

  private func signer(_ kid: String, of tenant: TenantID, encrypted: () throws -> [UInt8]) throws -> Signer {
    let name = Self.name(tenant, kid)
    if let key = opened.withLock({ $0[name] }) { return Signer(kid: kid, key: key) }
    let key = try Ed25519PrivateKey(seed: keyRing.decrypt(encrypted(), context: Self.context(tenant, kid)))
    opened.withLock { keys in
      if keys.count >= Self.capacity { keys.removeAll() }
      keys[name] = key
    }
    return Signer(kid: kid, key: key)
  }

  private static func name(_ tenant: TenantID, _ kid: String) -> String { tenant.rawValue + "/" + kid }

  /// Every key of the tenant, newest first. Retired keys stay listed, since answers that they signed are still in use.
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
    let encrypted = try keyRing.encrypt(key.seed, context: Self.context(tenant, kid))
    let rows = try await transaction.query(
      """
      INSERT INTO license_server.signing_keys
             (tenant_id, kid, public_key, sealed_private_key, status, created_at)
      VALUES (\(tenant), \(kid), \(key.publicKey.rawRepresentation), \(encrypted), 'active', \(now))
          ON CONFLICT (tenant_id) WHERE status = 'active' DO NOTHING
      """)
    return rows.affectedRows == 1
  }

  static func context(_ tenant: TenantID, _ kid: String) -> [String] {
    ["license_server", tenant.rawValue, "signing_key", kid]
  }
}
