import Cryptography
import Foundation
import Identity
import LicenseKitAPI
import Postgres
import ServerKit

/// The operations that only the operator has, on the command line. They cross tenants, so they run with the server's own
/// rights and never on behalf of a request. Every change is written into the tenant's audit trail, with the actor `operator`.
package struct TenantAdministration: Sendable {
  let client: PostgresClient
  let signingKeys: SigningKeys
  let keyRing: KeyRing
  let policies: Policies
  let clock: ServerClock

  /// Creates the default tenant and its signing key if they are missing, and makes `adminToken` an admin token of it. Any
  /// number of replicas may call it at once, any number of times.
  /// - Throws: ``ServerKit/APIFailure``: 409 for a token that is another tenant's.
  func bootstrap(adminToken: String?) async throws {
    let now = clock.now()
    try await transaction { transaction in
      try await transaction.query(
        """
        INSERT INTO license_server.tenants (tenant_id, name, created_at)
        VALUES (\(TenantID.defaultTenant), 'Default', \(now))
            ON CONFLICT (tenant_id) DO NOTHING
        """)
      _ = try await signingKeys.insertActive(for: .defaultTenant, now: now, in: transaction)
      guard let adminToken else { return }
      let rows = try await transaction.query(
        """
        INSERT INTO license_server.api_keys
               (tenant_id, id, name, key_prefix, token_hash, scopes, created_at)
        VALUES (\(TenantID.defaultTenant), \(Random.id(prefix: "key_")), 'Bootstrap', \(Credential.tokenPrefix(adminToken)),
                \(Credential.hash(adminToken)), \([ManagementScope.admin.rawValue]), \(now))
            ON CONFLICT (token_hash)
            DO UPDATE SET scopes = excluded.scopes, allowed_cidrs = '{}', is_active = true, expires_at = NULL
         WHERE api_keys.tenant_id = excluded.tenant_id
        """)
      guard rows.affectedRows == 1 else { throw APIFailure.conflict("the token belongs to another tenant") }
    }
  }
}

extension Caller {
  /// The operator at the command line, acting for a tenant.
  static func operatorCaller(_ tenant: TenantID) -> Caller {
    Caller(tenant: tenant, actor: .system("operator"), scopes: [.admin], address: nil)
  }
}

extension TenantAdministration {
  /// Runs `body` with the rights of the operator's commands.
  @discardableResult
  func transaction<T: Sendable>(_ body: (PostgresTransaction) async throws -> T) async throws -> T {
    try await client.transaction(DatabaseRole.operatorCommands.transaction, body)
  }

  /// Runs one statement with the rights of the operator's commands.
  @discardableResult
  func query(_ query: PostgresQuery) async throws -> PostgresRows {
    try await transaction { transaction in try await transaction.query(query) }
  }
}
