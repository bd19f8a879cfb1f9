import Cryptography
import Foundation
import Identity
import Postgres
import Purchases
import Queue
package import StripeAPI
import StripeHTTP
import Tenancy

/// The right to refresh the tokens of one connection for some time.
struct RefreshLease: Sendable {
  let tenant: Tenant
  /// The environment whose credentials refresh them.
  let environment: StripeEnvironment
  let fence: Int64
  /// The generation of the refresh token. New tokens are stored only in place of this generation.
  let generation: Int64
  let refreshToken: String
  /// The access token that can still be used if Stripe cannot be reached.
  let access: String?
  let remaining: Duration

  /// How much longer a lease is than its refresh can take: allows for the clocks and for the statements around it.
  private static let margin: Duration = .seconds(15)

  /// How long a lease is held.
  /// - Parameter refresh: the longest time that the refresh can take, including its attempts with each configured key.
  static func duration(of refresh: Duration) -> Duration { refresh + margin }
}

extension ConnectionStore {
  /// How a refresh starts.
  enum RefreshStart: Sendable {
    /// Another caller was faster: there is a token that lives long enough and is not the rejected one.
    case notNeeded(StoredTokens)
    /// Another caller is refreshing now.
    case busy
    case begin(RefreshLease)
  }

  /// The stored tokens.
  /// - Throws: `TenantUnavailable` if the account has no connection.
  func tokens(of tenant: Tenant) async throws -> StoredTokens {
    try await database.transaction(for: tenant) { transaction in
      let row = try await Self.tokenRow(of: tenant, isLocked: false, transaction)
      guard let row else { throw TenantUnavailable.notConnected(nil) }
      return try self.tokens(row, of: tenant)
    }
  }

  /// Takes the right to refresh, unless that is no longer necessary or another caller has it.
  /// - Parameters:
  ///   - longest: the longest time that the refresh can take.
  ///   - need: decides whether the stored tokens must be replaced.
  /// - Throws: `TenantUnavailable` if nothing can be refreshed.
  func beginRefresh(
    of tenant: Tenant, taking longest: Duration, ifNeeded need: @Sendable (StoredTokens) -> Bool
  ) async throws -> RefreshStart {
    let duration = "\(RefreshLease.duration(of: longest).components.seconds) seconds"
    return try await database.transaction(for: tenant) { transaction in
      guard let row = try await Self.tokenRow(of: tenant, isLocked: true, transaction) else {
        throw TenantUnavailable.notConnected(nil)
      }
      let tokens = try self.tokens(row, of: tenant)
      if let obstacle = tokens.obstacle { throw obstacle }
      guard need(tokens) else { return .notNeeded(tokens) }
      guard let refreshToken = tokens.refresh else {
        throw TenantUnavailable.authorizationLost("there is no refresh token")
      }
      let lease = try await transaction.query(
        """
        UPDATE stripe_integration.connections
           SET refresh_lease_until = now() + \(duration)::text::interval,
               refresh_fence       = refresh_fence + 1
         WHERE account_id = \(tenant.account)
           AND livemode   = \(tenant.livemode)
           AND refresh_lease_until <= now()
        RETURNING refresh_fence
        """
      ).first
      guard let lease else { return .busy }
      return .begin(
        RefreshLease(
          tenant: tenant, environment: tokens.environment, fence: try lease.get("refresh_fence"),
          generation: tokens.generation,
          refreshToken: refreshToken, access: tokens.access, remaining: tokens.remaining))
    }
  }

  /// Stores new tokens in place of those they were made from. It does not matter if the lease has ended meanwhile: nobody
  /// else can have valid tokens.
  ///
  /// Another caller may have been refused meanwhile, because the old refresh token was used already, and have blocked the
  /// tenant. That block was premature, and is removed here.
  /// - Returns: the tokens that are stored then: these, or those of a new installation.
  func finishRefresh(_ lease: RefreshLease, with grant: TokenGrant) async throws -> StoredTokens {
    let tenant = lease.tenant
    let access = try cipher.encrypt(grant.accessToken, .accessToken, of: tenant)
    let refresh = try cipher.encrypt(grant.refreshToken, .refreshToken, of: tenant)
    return try await database.transaction(for: tenant) { transaction in
      guard let before = try await Self.tokenRow(of: tenant, isLocked: true, transaction) else {
        throw TenantUnavailable.notConnected(nil)
      }
      let stored = try self.tokens(before, of: tenant)
      guard stored.generation == lease.generation, stored.status == .connected else { return stored }
      try await transaction.query(
        """
        UPDATE stripe_integration.connections
           SET access_token            = \(access),
               refresh_token           = \(refresh),
               access_token_expires_at = now() + \(Self.accessTokenLifetime)::text::interval,
               refresh_token_issued_at = now(),
               token_generation        = token_generation + 1,
               refresh_lease_until     = '-infinity',
               parked_reason = CASE WHEN parked_reason = 'stripe_credential' THEN NULL ELSE parked_reason END,
               parked_detail = CASE WHEN parked_reason = 'stripe_credential' THEN NULL ELSE parked_detail END,
               parked_at     = CASE WHEN parked_reason = 'stripe_credential' THEN NULL ELSE parked_at END,
               updated_at    = now()
         WHERE account_id = \(tenant.account)
           AND livemode   = \(tenant.livemode)
        """)
      if stored.blockedReason == .stripeCredential { try await Resumption.begin(for: tenant, in: transaction) }
      return StoredTokens(
        status: .connected, environment: stored.environment, generation: lease.generation + 1,
        access: grant.accessToken, refresh: grant.refreshToken, remaining: TokenGrant.accessTokenLifetime,
        blockedReason: nil, blockedDetail: nil)
    }
  }

  /// Stripe refused the refresh token. If it is still the stored one, the authorization is lost and the tenant is blocked.
  /// - Returns: newer tokens, if there are any; nil if the tenant was blocked.
  func refreshWasRefused(_ lease: RefreshLease, _ reason: TenantUnavailable) async throws -> StoredTokens? {
    let tenant = lease.tenant
    return try await database.transaction(for: tenant) { transaction in
      guard let row = try await Self.tokenRow(of: tenant, isLocked: true, transaction) else {
        throw TenantUnavailable.notConnected(nil)
      }
      let stored = try self.tokens(row, of: tenant)
      guard stored.generation == lease.generation else { return stored }
      try await transaction.query(
        """
        UPDATE stripe_integration.connections
           SET parked_reason = \(reason.reason.rawValue),
               parked_detail = \(reason.detail),
               parked_at     = now(),
               refresh_lease_until = CASE WHEN refresh_fence = \(lease.fence) THEN '-infinity'
                                          ELSE refresh_lease_until END,
               updated_at    = now()
         WHERE account_id = \(tenant.account)
           AND livemode   = \(tenant.livemode)
        """)
      return nil
    }
  }

  /// Releases the lease after a failure that says nothing about the tokens.
  func abandonRefresh(_ lease: RefreshLease) async throws {
    try await database.transaction(for: lease.tenant) { transaction in
      _ = try await transaction.query(
        """
        UPDATE stripe_integration.connections
           SET refresh_lease_until = '-infinity'
         WHERE account_id    = \(lease.tenant.account)
           AND livemode      = \(lease.tenant.livemode)
           AND refresh_fence = \(lease.fence)
        """)
    }
  }

  /// Connections whose refresh token was issued before `moment`, those with the oldest first.
  func idleTenants(since moment: Date, limit: Int) async throws -> [Tenant] {
    try await database.transaction(as: .worker) { transaction in
      try await transaction.query(
        """
        SELECT account_id, livemode
          FROM stripe_integration.connections
         WHERE status = 'connected'
           AND refresh_token_issued_at < \(moment)
           AND (parked_reason IS NULL OR parked_reason NOT IN ('stripe_credential', 'stripe_account_gone'))
         ORDER BY refresh_token_issued_at
         LIMIT \(limit)
        """
      ).map { row in Tenant(account: try row.get("account_id"), livemode: try row.get("livemode")) }
    }
  }

  /// Encrypts those secrets of a connection again that were encrypted under another key than the ring's first.
  /// - Returns: whether anything was encrypted again.
  package func reencrypt(_ tenant: Tenant) async throws -> Bool {
    try await database.transaction(for: tenant) { transaction in
      var didReencrypt = false
      let row = try await transaction.query(
        """
        SELECT access_token, refresh_token, licensekit_token
          FROM stripe_integration.connections
         WHERE account_id = \(tenant.account)
           AND livemode   = \(tenant.livemode)
           FOR UPDATE
        """
      ).first
      let columns: [(String, ConnectionCipher.Purpose)] = [
        ("access_token", .accessToken), ("refresh_token", .refreshToken), ("licensekit_token", .licensekitToken),
      ]
      for (column, purpose) in columns {
        guard let encrypted: [UInt8] = try row?.get(column),
          let reencrypted = try self.cipher.reencrypted(encrypted, purpose, of: tenant)
        else { continue }
        try await transaction.query(
          """
          UPDATE stripe_integration.connections
             SET \(identifier: column) = \(reencrypted)
           WHERE account_id = \(tenant.account)
             AND livemode   = \(tenant.livemode)
          """)
        didReencrypt = true
      }
      return didReencrypt
    }
  }

  // MARK: Rows

  private static func tokenRow(
    of tenant: Tenant, isLocked: Bool, _ transaction: PostgresTransaction
  ) async throws -> PostgresRow? {
    let columns: PostgresQuery = """
      SELECT status, environment, token_generation, access_token, refresh_token, parked_reason, parked_detail,
             EXTRACT(EPOCH FROM access_token_expires_at - now())::float8 AS remaining
        FROM stripe_integration.connections
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
      """
    return try await transaction.query(isLocked ? columns + " FOR UPDATE" : columns).first
  }

  private func tokens(_ row: PostgresRow, of tenant: Tenant) throws -> StoredTokens {
    let reason: String? = try row.get("parked_reason")
    let remaining: Double? = try row.get("remaining")
    return StoredTokens(
      status: Self.status(try row.get("status")),
      environment: StripeEnvironment(column: try row.get("environment"), livemode: tenant.livemode),
      generation: try row.get("token_generation"),
      access: try cipher.decrypt(try row.get("access_token"), .accessToken, of: tenant),
      refresh: try cipher.decrypt(try row.get("refresh_token"), .refreshToken, of: tenant),
      remaining: .seconds(remaining ?? 0), blockedReason: reason.flatMap(TenantUnavailable.Reason.init(rawValue:)),
      blockedDetail: try row.get("parked_detail"))
  }
}
