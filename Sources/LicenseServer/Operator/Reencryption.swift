import Cryptography
import Delivery
import Foundation
import Identity
import LicenseKitAPI
import Postgres

extension TenantAdministration {
  /// Encrypts everything that this server stores encrypted under the key ring's first key, so that an older key can be removed
  /// from the ring. It is safe while the server works, and can be repeated.
  ///
  /// - Returns: how many secrets were encrypted again.
  /// - Throws: if a secret was encrypted under a key that the ring does not have. What was done before stays done.
  package func reencrypt() async throws -> Int {
    var changed = try await reencryptSigningKeys() + reencryptWebhookSecrets()
    for operation in IdempotentCall.encryptedOperations { changed += try await reencryptAnswers(of: operation) }
    return changed
  }

  private func reencryptSigningKeys() async throws -> Int {
    var changed = 0
    let rows = try await query("SELECT tenant_id, kid, sealed_private_key FROM license_server.signing_keys")
    for row in rows {
      let (tenant, kid) = (try row.get("tenant_id", as: TenantID.self), try row.get("kid", as: String.self))
      let encrypted: [UInt8] = try row.get("sealed_private_key")
      let context = SigningKeys.context(tenant, kid)
      guard let reencrypted = try keyRing.reencrypted(encrypted, context: context) else { continue }
      changed += try await query(
        """
        UPDATE license_server.signing_keys
           SET sealed_private_key = \(reencrypted)
         WHERE tenant_id = \(tenant) AND kid = \(kid) AND sealed_private_key = \(encrypted)
        """
      ).affectedRows
    }
    return changed
  }

  /// The kept answers of an operation, a page at a time: there may be a day's worth of sales.
  private func reencryptAnswers(of operation: String) async throws -> Int {
    var changed = 0
    var after = (tenant: "", subject: "", key: "")
    while true {
      let rows = try await query(
        """
        SELECT tenant_id, subject, key, answer
          FROM license_server.idempotency_records
         WHERE operation = \(operation)
           AND (tenant_id, subject, key) > (\(after.tenant), \(after.subject), \(after.key))
         ORDER BY tenant_id, subject, key
         LIMIT 500
        """)
      for row in rows {
        after = (try row.get("tenant_id"), try row.get("subject"), try row.get("key"))
        let encrypted: [UInt8] = try row.get("answer")
        let context = IdempotentCall.encryptionContext(
          tenant: TenantID(after.tenant), operation: operation, subject: after.subject, key: after.key)
        guard let reencrypted = try keyRing.reencrypted(encrypted, context: context) else { continue }
        changed += try await query(
          """
          UPDATE license_server.idempotency_records
             SET answer = \(reencrypted)
           WHERE tenant_id = \(after.tenant) AND operation = \(operation) AND subject = \(after.subject)
             AND key = \(after.key) AND answer = \(encrypted)
          """
        ).affectedRows
      }
      if rows.count < 500 { return changed }
    }
  }

  /// The secrets of webhook endpoints, former ones included, tenant by tenant.
  private func reencryptWebhookSecrets() async throws -> Int {
    var changed = 0
    var last: TenantID = ""
    while true {
      let next: TenantID? = try await query(
        """
        SELECT tenant_id
          FROM license_server.webhook_endpoints
         WHERE tenant_id > \(last)
         ORDER BY tenant_id
         LIMIT 1
        """
      ).first?.get("tenant_id")
      guard let tenant = next else { return changed }
      changed += try await transaction { transaction in
        try await WebhookSecret.secrets(keyRing).reencrypt(tenant, in: transaction)
      }
      last = tenant
    }
  }
}
