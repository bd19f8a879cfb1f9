import Foundation
import Identity
import JSON
import Postgres
import StripeAPI
import Tenancy

/// Vendors' tokens for the admin routes. Only hashes are stored: a token is shown once, when it is made.
struct AdminTokenStore: Sendable {
  /// A token's description, without the token itself.
  struct Summary: Encodable, Sendable {
    /// The hash: it names the token but cannot be used as one.
    let id: String
    let name: String
    let createdAt: Date
    @OrNull var expiresAt: Date?
  }

  let database: TenantDatabase

  /// The name of a token, if it is valid now.
  func name(of token: String, for tenant: Tenant) async throws -> String? {
    try await database.transaction(for: tenant) { transaction in
      try await transaction.query(
        """
        SELECT name
          FROM stripe_integration.admin_tokens
         WHERE account_id = \(tenant.account)
           AND livemode   = \(tenant.livemode)
           AND token_hash = \(AdminToken.hash(token))
           AND (expires_at IS NULL OR expires_at > now())
        """
      ).first?.get("name")
    }
  }

  func create(
    name: String, expiresAt: Date?, for tenant: Tenant, audit: AuditLog.Entry
  ) async throws -> (token: String, summary: Summary) {
    let token = AdminToken.make(for: tenant)
    return try await database.transaction(for: tenant) { transaction in
      let created: Date? = try await transaction.query(
        """
        INSERT INTO stripe_integration.admin_tokens (account_id, livemode, token_hash, name, expires_at)
        VALUES (\(tenant.account), \(tenant.livemode), \(AdminToken.hash(token)), \(name), \(expiresAt))
        RETURNING created_at
        """
      ).first?.get("created_at")
      try await AuditLog(tenant: tenant, transaction: transaction).add(audit)
      let summary = Summary(
        id: AdminToken.hash(token), name: name, createdAt: created ?? Date(), expiresAt: expiresAt)
      return (token, summary)
    }
  }

  /// The tenant's tokens in the order of their ids.
  func page(of tenant: Tenant, after id: String?, limit: Int) async throws -> [Summary] {
    try await database.transaction(for: tenant) { transaction in
      try await transaction.query(
        """
        SELECT token_hash, name, created_at, expires_at
          FROM stripe_integration.admin_tokens
         WHERE account_id = \(tenant.account)
           AND livemode   = \(tenant.livemode)
           AND token_hash > \(id ?? "")
         ORDER BY token_hash
         LIMIT \(limit)
        """
      ).map { row in
        Summary(
          id: try row.get("token_hash"), name: try row.get("name"), createdAt: try row.get("created_at"),
          expiresAt: try row.get("expires_at"))
      }
    }
  }

  /// Ends a token.
  /// - Returns: whether there was such a token.
  func delete(_ id: String, of tenant: Tenant, audit: AuditLog.Entry) async throws -> Bool {
    try await database.transaction(for: tenant) { transaction in
      let deleted = try await transaction.query(
        """
        DELETE FROM stripe_integration.admin_tokens
         WHERE account_id = \(tenant.account)
           AND livemode   = \(tenant.livemode)
           AND token_hash = \(id)
        """)
      guard deleted.affectedRows > 0 else { return false }
      try await AuditLog(tenant: tenant, transaction: transaction).add(audit)
      return true
    }
  }
}
