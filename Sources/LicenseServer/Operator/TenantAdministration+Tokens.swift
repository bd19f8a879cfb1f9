package import Foundation
import Identity
package import LicenseKitAPI
import Postgres
import ServerKit

extension TenantAdministration {
  /// Makes a management token. The raw token is in the answer and nowhere else.
  ///
  /// - Throws: ``ServerKit/APIFailure``: 404 for a tenant that is not there, 422 for a name or network that cannot be used.
  package func createToken(
    for tenant: TenantID, name: String, scopes: [ManagementScope], allowedCIDRs: [String] = [], expiresAt: Date? = nil
  ) async throws -> APIKeyCreateResponse {
    try await require(tenant)
    let body = APIKeyCreateRequest(name: name, scopes: scopes, allowedCidrs: allowedCIDRs, expiresAt: expiresAt)
    return try await keys.create(body, for: .operatorCaller(tenant))
  }

  /// Every token of a tenant, newest first, those that are switched off included.
  /// - Throws: ``ServerKit/APIFailure``: 404 for a tenant that is not there.
  package func tokens(of tenant: TenantID) async throws -> [APIKey] {
    try await require(tenant)
    var tokens: [APIKey] = []
    var cursor: APIKeyID?
    repeat {
      let page = try await keys.list(ListRange(limit: Limit.maximum, after: cursor), for: .operatorCaller(tenant))
      tokens += page.rows
      cursor = page.next.map { APIKeyID($0) }
    } while cursor != nil
    return tokens
  }

  /// Switches a token off, at once and for every replica. The contract has no operation for it.
  /// - Returns: whether the tenant has such a token; one that is off already stays so.
  @discardableResult
  package func deactivateToken(_ id: APIKeyID, of tenant: TenantID) async throws -> Bool {
    let now = clock.now()
    return try await transaction { transaction in
      let rows = try await transaction.query(
        "SELECT is_active FROM license_server.api_keys WHERE tenant_id = \(tenant) AND id = \(id) FOR UPDATE")
      guard let row = rows.first else { return false }
      guard try row.get("is_active", as: Bool.self) else { return true }
      try await transaction.query(
        "UPDATE license_server.api_keys SET is_active = false WHERE tenant_id = \(tenant) AND id = \(id)")
      try await EventLog.append(.apiKeyRevoked, id.rawValue, by: .operatorCaller(tenant), at: now, in: transaction)
      return true
    }
  }

  private var keys: APIKeys { APIKeys(store: policies.store, clock: clock) }
}
