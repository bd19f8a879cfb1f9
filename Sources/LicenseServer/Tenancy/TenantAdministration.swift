import Cryptography
public import Foundation
public import Identity
public import LicenseKitAPI
import Postgres
import ServerKit

/// What only the operator does, from the command line: it crosses tenants, so it runs with the server's own rights and
/// never on behalf of a request.
public struct TenantAdministration: Sendable {
  let client: PostgresClient
  let signingKeys: SigningKeys
  let keyRing: KeyRing
  let policies: Policies
  let clock: ServerClock

  /// A tenant as the operator sees it.
  public struct Tenant: Hashable, Sendable {
    /// Its id.
    public var id: TenantID
    /// The name people read.
    public var name: String
    /// The host name that leads to it, if any.
    public var hostName: String?
    /// When it was made.
    public var createdAt: Date
  }

  /// Makes a tenant with its first signing key. Repeating it changes nothing but the name and host name.
  ///
  /// - Parameter hostName: without port; requests to it see this tenant's public keys and admit only its credentials.
  /// - Throws: ``ServerKit/APIFailure``: 422 for an id or host name that cannot be used, 409 for a host name of another tenant.
  public func createTenant(_ id: TenantID, name: String, hostName: String? = nil) async throws {
    try Checks.code(id.rawValue, "tenant_id")
    try Checks.required(name, "name")
    let host = hostName.flatMap(HostName.normalized)
    if hostName != nil, host == nil { throw APIFailure.validation(field: "host_name", "must be a host name") }
    let now = clock.now()
    try await client.transaction { transaction in
      try await conflicting(on: "tenants_host_name", "host_name: another tenant has it") {
        try await transaction.query(
          """
          INSERT INTO license_server.tenants
                 (tenant_id, name, host_name, created_at)
          VALUES (\(id), \(name), \(host), \(now))
              ON CONFLICT (tenant_id)
              DO UPDATE SET name = excluded.name, host_name = excluded.host_name
          """)
      }
      _ = try await signingKeys.insertActive(for: id, now: now, in: transaction)
    }
  }

  /// All tenants, by id.
  public func tenants() async throws -> [Tenant] {
    try await client.query(
      "SELECT tenant_id, name, host_name, created_at FROM license_server.tenants ORDER BY tenant_id"
    )
    .all { row in
      Tenant(
        id: try row.get("tenant_id"), name: try row.get("name"), hostName: try row.get("host_name"),
        createdAt: try row.get("created_at"))
    }
  }

  /// Makes a management token. The raw token is in the answer and nowhere else.
  /// - Throws: ``ServerKit/APIFailure``: 404 for a tenant that is not there.
  public func createToken(
    for tenant: TenantID, name: String, scopes: [ManagementScope], allowedCIDRs: [String] = [], expiresAt: Date? = nil
  ) async throws -> APIKeyCreateResponse {
    let known = try await client.query("SELECT FROM license_server.tenants WHERE tenant_id = \(tenant)")
    guard !known.isEmpty else { throw APIFailure.notFound("tenant") }
    let keys = APIKeys(store: policies.store, clock: clock)
    let body = APIKeyCreateRequest(name: name, scopes: scopes, allowedCidrs: allowedCIDRs, expiresAt: expiresAt)
    return try await keys.create(body, for: .operatorCaller(tenant))
  }

  /// Switches a token off, at once and for every replica. The contract has no operation for it.
  /// - Returns: whether the tenant has such a token.
  @discardableResult
  public func deactivateToken(_ id: APIKeyID, of tenant: TenantID) async throws -> Bool {
    let rows = try await client.query(
      "UPDATE license_server.api_keys SET is_active = false WHERE tenant_id = \(tenant) AND id = \(id)")
    return rows.affectedRows == 1
  }

  /// Retires the tenant's signing key and makes a new one. Answers signed before stay verifiable: the old public key stays listed.
  public func rotateSigningKey(of tenant: TenantID) async throws -> PublicKey {
    let now = clock.now()
    return try await client.transaction { transaction in
      try await transaction.query("SELECT FROM license_server.tenants WHERE tenant_id = \(tenant) FOR UPDATE")
      try await transaction.query(
        """
        UPDATE license_server.signing_keys
           SET status     = 'retired',
               retired_at = \(now)
         WHERE tenant_id = \(tenant) AND status = 'active'
        """)
      _ = try await signingKeys.insertActive(for: tenant, now: now, in: transaction)
      guard let key = try await SigningKeys.list(for: tenant, in: transaction).first(where: { $0.status == .active })
      else {
        throw APIFailure.notFound("tenant")
      }
      return key
    }
  }

  /// The tenant's public keys, newest first.
  public func publicKeys(of tenant: TenantID) async throws -> [PublicKey] {
    try await client.transaction { transaction in try await SigningKeys.list(for: tenant, in: transaction) }
  }

  /// Sets the limits of a policy that the contract leaves to the operator.
  @discardableResult
  public func setLimits(_ limits: PolicyLimits, of policy: PolicyID, tenant: TenantID) async throws -> Policy {
    try await policies.setLimits(policy, limits, for: .operatorCaller(tenant))
  }

  /// Makes sure of the default tenant, its signing key, and of `adminToken` as an admin token of it. Any number of replicas
  /// may do it at once, any number of times.
  /// - Throws: ``ServerKit/APIFailure``: 409 for a token that is another tenant's.
  func bootstrap(adminToken: String?) async throws {
    let now = clock.now()
    try await client.transaction { transaction in
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

/// Host names as they are compared.
enum HostName {
  /// Lower case, without port or the root dot; nil for what cannot be a host name.
  static func normalized(_ authority: String) -> String? {
    var host = authority.lowercased()[...]
    if let colon = host.lastIndex(of: ":"), !host.hasSuffix("]") { host = host[..<colon] }
    if host.hasSuffix(".") { host = host.dropLast() }
    guard !host.isEmpty, host.utf8.count <= 253 else { return nil }
    let allowed = host.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"),
        UInt8(ascii: "."), UInt8(ascii: ":"), UInt8(ascii: "["), UInt8(ascii: "]"):
        true
      default: false
      }
    }
    return allowed ? String(host) : nil
  }
}
