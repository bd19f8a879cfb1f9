import Cryptography
import Foundation
import Identity
import LicenseKitAPI
import Postgres

/// License keys at rest: sealed under the key ring, bound to the tenant and the license, readable by this service only.
struct KeyVault: Sendable {
  let keyRing: KeyRing

  private func context(_ tenant: Tenant, _ license: LicenseID) -> [String] {
    ["license_key", tenant.account.rawValue, tenant.livemode ? "live" : "test", license.rawValue]
  }

  /// Stores the key in the transaction that marks the license as issued: LicenseKit never tells it again.
  func store(_ key: String, of license: LicenseID, for tenant: Tenant, in transaction: PostgresTransaction) async throws
  {
    let sealed = try keyRing.seal(Array(key.utf8), context: context(tenant, license))
    try await transaction.query(
      """
      INSERT INTO stripe_integration.license_keys (account_id, livemode, license_id, sealed_key)
      VALUES (\(tenant.account), \(tenant.livemode), \(license), \(sealed))
      ON CONFLICT (account_id, livemode, license_id) DO UPDATE
         SET sealed_key = excluded.sealed_key
      """)
  }

  /// The key in the clear. Whoever calls this writes an audit entry in the same transaction.
  func reveal(_ license: LicenseID, of tenant: Tenant, in transaction: PostgresTransaction) async throws -> String? {
    let sealed: [UInt8]? = try await transaction.query(
      """
      SELECT sealed_key
        FROM stripe_integration.license_keys
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
         AND license_id = \(license)
      """
    ).first?.get("sealed_key")
    guard let sealed else { return nil }
    return String(decoding: try keyRing.open(sealed, context: context(tenant, license)), as: UTF8.self)
  }
}
