import Cryptography
import Foundation
import Identity
import LicenseKitAPI
import Postgres
import StripeAPI
import Tenancy

/// License keys at rest: encrypted with the key ring, bound to the tenant and the license, and readable only by this service.
struct KeyVault: Sendable {
  let keyRing: KeyRing

  private func context(_ tenant: Tenant, _ license: LicenseID) -> [String] {
    ["license_key", tenant.account.rawValue, tenant.livemode ? "live" : "test", license.rawValue]
  }

  /// Stores the key in the transaction that marks the license as issued: LicenseKit never shows it again.
  func store(_ key: String, of license: LicenseID, for tenant: Tenant, in transaction: PostgresTransaction) async throws
  {
    let encrypted = try keyRing.encrypt(Array(key.utf8), context: context(tenant, license))
    try await transaction.query(
      """
      INSERT INTO stripe_integration.license_keys (account_id, livemode, license_id, sealed_key)
      VALUES (\(tenant.account), \(tenant.livemode), \(license), \(encrypted))
      ON CONFLICT (account_id, livemode, license_id) DO UPDATE
         SET sealed_key = excluded.sealed_key
      """)
  }

  /// Encrypts those keys of the tenant again that were encrypted under another key than the ring's first. It is safe beside
  /// live work, and can be repeated.
  /// - Returns: how many were encrypted again.
  func reencrypt(_ tenant: Tenant, in database: TenantDatabase) async throws -> Int {
    var count = 0
    var last: LicenseID = ""
    while true {
      let page = try await database.transaction(for: tenant) { [last] transaction in
        try await reencryptPage(of: tenant, after: last, in: transaction)
      }
      count += page.changed
      guard let next = page.last else { return count }
      last = next
    }
  }

  private func reencryptPage(
    of tenant: Tenant, after last: LicenseID, in transaction: PostgresTransaction
  ) async throws -> (changed: Int, last: LicenseID?) {
    let rows = try await transaction.query(
      """
      SELECT license_id, sealed_key
        FROM stripe_integration.license_keys
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
         AND license_id > \(last)
       ORDER BY license_id
       LIMIT 200
         FOR UPDATE
      """)
    var changed = 0
    for row in rows {
      let license: LicenseID = try row.get("license_id")
      let encrypted: [UInt8] = try row.get("sealed_key")
      guard keyRing.needsReencryption(encrypted) else { continue }
      let key = try keyRing.decrypt(encrypted, context: context(tenant, license))
      try await store(String(decoding: key, as: UTF8.self), of: license, for: tenant, in: transaction)
      changed += 1
    }
    return (changed, try rows.last?.get("license_id"))
  }

  /// The key in plain text. The caller must write an audit entry in the same transaction.
  func reveal(_ license: LicenseID, of tenant: Tenant, in transaction: PostgresTransaction) async throws -> String? {
    let encrypted: [UInt8]? = try await transaction.query(
      """
      SELECT sealed_key
        FROM stripe_integration.license_keys
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
         AND license_id = \(license)
      """
    ).first?.get("sealed_key")
    guard let encrypted else { return nil }
    return String(decoding: try keyRing.decrypt(encrypted, context: context(tenant, license)), as: UTF8.self)
  }
}
