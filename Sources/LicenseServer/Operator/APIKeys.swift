import Cryptography
import Foundation
import Identity
import JSON
import LicenseKitAPI
import Networks
import Postgres
import ServerKit

/// Management tokens.
struct APIKeys: Sendable {
  let store: TenantStore
  let clock: ServerClock

  func list(_ range: ListRange<APIKeyTag>, for caller: Caller) async throws -> ListPage<APIKey> {
    try await store.transaction(caller.tenant, readOnly: true) { transaction in
      let read = try await transaction.query(
        """
        SELECT id, name, key_prefix, scopes, allowed_cidrs, is_active, expires_at, last_used_at, created_at
          FROM license_server.api_keys
         WHERE tenant_id = \(caller.tenant) AND id < \(range.below)
         ORDER BY id DESC
         LIMIT \(fragment: range.rowsRead)
        """
      ).all(APIKey.init(row:))
      return ListPage(read, of: range, by: \.id)
    }
  }

  /// Leaving `scopes` out means `admin`, as the contract says. The token is in the answer and stored only as a hash.
  func create(_ body: APIKeyCreateRequest, for caller: Caller) async throws -> APIKeyCreateResponse {
    try Checks.required(body.name, "name")
    let scopes = body.scopes ?? [.admin]
    guard !scopes.isEmpty else { throw APIFailure.validation(field: "scopes", "must not be empty") }
    let networks = body.allowedCidrs ?? []
    try Checks.range(networks.count, "allowed_cidrs", 0...100)
    for (index, network) in networks.enumerated() where NetworkBlock(network) == nil {
      throw APIFailure.validation(
        field: "allowed_cidrs[\(index)]", "must be a network such as 192.0.2.0/24 or 2001:db8::/32")
    }
    let now = clock.now()
    let token = Credential.newToken()
    let key = APIKey(
      id: APIKeyID(Random.id(prefix: "key_")), name: body.name, keyPrefix: Credential.tokenPrefix(token),
      scopes: scopes,
      allowedCidrs: networks, isActive: true, expiresAt: body.expiresAt?.wholeSeconds, createdAt: now)
    return try await store.transaction(caller.tenant) { transaction in
      try await transaction.query(
        """
        INSERT INTO license_server.api_keys
               (tenant_id, id, name, key_prefix, token_hash,
                scopes, allowed_cidrs, expires_at, created_at)
        VALUES (\(caller.tenant), \(key.id), \(key.name), \(key.keyPrefix), \(Credential.hash(token)),
                \(scopes.map(\.rawValue)), \(networks), \(key.expiresAt), \(now))
        """)
      try await EventLog.append(
        .apiKeyCreated, key.id.rawValue, by: caller, at: now,
        metadata: ["scopes": .array(scopes.map { .string($0.rawValue) })], in: transaction)
      return APIKeyCreateResponse(apiKey: key, token: token)
    }
  }
}

extension APIKey {
  init(row: PostgresRow) throws {
    self.init(
      id: try row.get("id"), name: try row.get("name"), keyPrefix: try row.get("key_prefix"),
      scopes: try row.get("scopes", as: [String].self).compactMap(ManagementScope.init(rawValue:)),
      allowedCidrs: try row.get("allowed_cidrs"), isActive: try row.get("is_active"),
      expiresAt: try row.get("expires_at"),
      lastUsedAt: try row.get("last_used_at"), createdAt: try row.get("created_at"))
  }
}
