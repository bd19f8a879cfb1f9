import Identity
package import LicenseKitAPI
import JSON
import Postgres
import ServerKit

extension TenantAdministration {
  /// Retires the tenant's signing key and makes a new one. Answers signed before stay verifiable: the old public key stays
  /// listed.
  ///
  /// - Returns: the new key.
  /// - Throws: ``ServerKit/APIFailure``: 404 for a tenant that is not there.
  package func rotateSigningKey(of tenant: TenantID) async throws -> PublicKey {
    let now = clock.now()
    let caller = Caller.operatorCaller(tenant)
    return try await transaction { transaction in
      let known = try await transaction.query(
        "SELECT FROM license_server.tenants WHERE tenant_id = \(tenant) FOR UPDATE")
      guard !known.isEmpty else { throw APIFailure.notFound("tenant") }
      let retired = try await transaction.query(
        """
        UPDATE license_server.signing_keys
           SET status     = 'retired',
               retired_at = \(now)
         WHERE tenant_id = \(tenant) AND status = 'active'
        RETURNING kid
        """)
      for row in retired {
        try await EventLog.append(.signingKeyRetired, row.get("kid"), by: caller, at: now, in: transaction)
      }
      _ = try await signingKeys.insertActive(for: tenant, now: now, in: transaction)
      let keys = try await SigningKeys.list(for: tenant, in: transaction)
      guard let key = keys.first(where: { $0.status == .active }) else { throw APIFailure.internalError }
      try await EventLog.append(.signingKeyCreated, key.kid, by: caller, at: now, in: transaction)
      return key
    }
  }

  /// The tenant's public keys, newest first, retired ones included.
  /// - Throws: ``ServerKit/APIFailure``: 404 for a tenant that is not there.
  package func publicKeys(of tenant: TenantID) async throws -> [PublicKey] {
    try await require(tenant)
    return try await transaction { transaction in try await SigningKeys.list(for: tenant, in: transaction) }
  }
}
