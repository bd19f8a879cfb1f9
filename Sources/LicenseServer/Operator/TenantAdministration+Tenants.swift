package import Foundation
import Identity
import JSON
import Postgres
import ServerKit

extension TenantAdministration {
  /// A tenant as the operator sees it.
  package struct Tenant: Codable, Hashable, Sendable {
    /// Its id; never changes.
    package var id: TenantID
    /// The name people read.
    package var name: String
    /// The host name that leads to it, if any.
    package var hostName: String?
    /// When it was made.
    package var createdAt: Date
  }

  /// What becomes of a tenant's host name.
  package enum HostNameChange: Hashable, Sendable {
    case keep
    case set(String)
    /// The tenant is then reached by credential only.
    case remove
  }

  /// Makes a tenant with its first signing key.
  ///
  /// - Parameter hostName: without port; requests to it see this tenant's public keys and admit only its credentials.
  /// - Throws: ``ServerKit/APIFailure``: 422 for an id, name or host name that cannot be used, 409 for an id that there is
  ///   already and for a host name of another tenant.
  @discardableResult
  package func createTenant(_ id: TenantID, name: String, hostName: String? = nil) async throws -> Tenant {
    try Checks.code(id.rawValue, "tenant_id")
    try Checks.required(name, "name")
    let host = try hostName.map(Self.checked(hostName:))
    let now = clock.now()
    return try await transaction { transaction in
      let rows = try await conflicting(on: "tenants_host_name", Self.hostNameIsTaken) {
        try await transaction.query(
          """
          INSERT INTO license_server.tenants
                 (tenant_id, name, host_name, created_at)
          VALUES (\(id), \(name), \(host), \(now))
              ON CONFLICT (tenant_id) DO NOTHING
          """)
      }
      guard rows.affectedRows == 1 else { throw APIFailure.conflict("tenant_id: there is a tenant \(id) already") }
      _ = try await signingKeys.insertActive(for: id, now: now, in: transaction)
      let tenant = Tenant(id: id, name: name, hostName: host, createdAt: now)
      try await log(.tenantCreated, tenant, now: now, in: transaction)
      return tenant
    }
  }

  /// Gives a tenant another name or host name.
  ///
  /// - Throws: ``ServerKit/APIFailure``: 404 for a tenant that is not there, 409 for a host name of another tenant, 422.
  package func updateTenant(
    _ id: TenantID, name: String? = nil, hostName: HostNameChange = .keep
  ) async throws -> Tenant {
    try Checks.required(name, "name")
    let (changesHost, host): (Bool, String?) =
      switch hostName {
      case .keep: (false, nil)
      case .set(let text): (true, try Self.checked(hostName: text))
      case .remove: (true, nil)
      }
    let now = clock.now()
    return try await transaction { transaction in
      let rows = try await conflicting(on: "tenants_host_name", Self.hostNameIsTaken) {
        try await transaction.query(
          """
          UPDATE license_server.tenants
             SET name      = coalesce(\(name), name),
                 host_name = CASE WHEN \(changesHost) THEN \(host) ELSE host_name END
           WHERE tenant_id = \(id)
          RETURNING tenant_id, name, host_name, created_at
          """)
      }
      guard let row = rows.first else { throw APIFailure.notFound("tenant") }
      let tenant = try Tenant(row: row)
      try await log(.tenantUpdated, tenant, now: now, in: transaction)
      return tenant
    }
  }

  /// All tenants, by id.
  package func tenants() async throws -> [Tenant] {
    try await query(
      "SELECT tenant_id, name, host_name, created_at FROM license_server.tenants ORDER BY tenant_id"
    ).all(Tenant.init(row:))
  }

  /// Refuses a tenant that is not there: 404.
  func require(_ tenant: TenantID) async throws {
    let rows = try await query("SELECT FROM license_server.tenants WHERE tenant_id = \(tenant)")
    guard !rows.isEmpty else { throw APIFailure.notFound("tenant") }
  }

  private func log(
    _ event: EventLog.Kind, _ tenant: Tenant, now: Date, in transaction: PostgresTransaction
  ) async throws {
    try await EventLog.append(
      event, tenant.id.rawValue, by: .operatorCaller(tenant.id), at: now,
      metadata: ["name": .string(tenant.name), "host_name": tenant.hostName.map { .string($0) } ?? .null],
      in: transaction)
  }

  private static func checked(hostName: String) throws(APIFailure) -> String {
    guard let host = HostName.normalized(hostName) else {
      throw .validation(field: "host_name", "must be a host name such as licenses.example.com")
    }
    return host
  }

  private static let hostNameIsTaken = "host_name: another tenant has it"
}

extension TenantAdministration.Tenant {
  init(row: PostgresRow) throws {
    id = try row.get("tenant_id")
    name = try row.get("name")
    hostName = try row.get("host_name")
    createdAt = try row.get("created_at")
  }
}
