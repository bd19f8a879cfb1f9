package import Cryptography
import Foundation
import Identity
import Postgres
package import Purchases
import Queue
package import StripeAPI
package import StripeHTTP
package import Tenancy

/// The installations of the app: one row for each tenant, with encrypted tokens.
package struct ConnectionStore: Sendable {
  let database: TenantDatabase
  let cipher: ConnectionCipher

  package init(database: TenantDatabase, keyRing: KeyRing) {
    self.database = database
    cipher = ConnectionCipher(keyRing: keyRing)
  }

  // MARK: Installing and uninstalling

  /// Stores the result of an installation in one transaction: the tokens, the end of any block, the events that waited for
  /// the account, and that its queue is due.
  ///
  /// - Parameters:
  ///   - environment: whose credentials got the grant; nil for the mode's default if sandboxes play no part.
  ///   - licenseKit: the vendor's own; nil keeps what was stored before.
  /// - Throws: ``OtherEnvironment`` if the account is connected in another environment of the same mode; then nothing is
  ///   stored. After it was uninstalled there, it may connect in either.
  package func connect(
    _ grant: TokenGrant, in environment: StripeEnvironment? = nil, licenseKit: ConnectionLicenseKit? = nil,
    apiAccess: IntegrationConfiguration.APIAccess = .oauth
  ) async throws {
    let tenant = Tenant(account: grant.account, livemode: grant.livemode)
    let environment = environment ?? StripeEnvironment(livemode: grant.livemode)
    let access = try cipher.encrypt(grant.accessToken, .accessToken, of: tenant)
    let refresh = try cipher.encrypt(grant.refreshToken, .refreshToken, of: tenant)
    let licensekitToken = try licenseKit.map { try cipher.encrypt($0.token, .licensekitToken, of: tenant) }
    try await database.transaction(for: tenant) { transaction in
      try await TenantLock.take(tenant, in: transaction)
      let stored = try await transaction.query(
        """
        INSERT INTO stripe_integration.connections AS c
               (account_id, livemode, status, environment, access_token, refresh_token, access_token_expires_at,
                token_generation, refresh_token_issued_at, installed_at, licensekit_base_url, licensekit_token,
                api_access)
        VALUES (\(tenant.account), \(tenant.livemode), 'connected', \(environment.rawValue), \(access), \(refresh),
                now() + \(Self.accessTokenLifetime)::text::interval, 1, now(), now(), \(licenseKit?.baseURL),
                \(licensekitToken), \(apiAccess.rawValue))
        ON CONFLICT (account_id, livemode) DO UPDATE
           SET status                  = 'connected',
               environment             = excluded.environment,
               access_token            = excluded.access_token,
               refresh_token           = excluded.refresh_token,
               access_token_expires_at = excluded.access_token_expires_at,
               token_generation        = c.token_generation + 1,
               refresh_token_issued_at = excluded.refresh_token_issued_at,
               refresh_lease_until     = '-infinity',
               installed_at            = excluded.installed_at,
               uninstalled_at          = NULL,
               licensekit_base_url     = CASE WHEN \(licenseKit != nil) THEN excluded.licensekit_base_url
                                              ELSE c.licensekit_base_url END,
               licensekit_token        = CASE WHEN \(licenseKit != nil) THEN excluded.licensekit_token
                                              ELSE c.licensekit_token END,
               licensekit_by_operator  = c.licensekit_by_operator OR \(licenseKit != nil),
               api_access              = excluded.api_access,
               parked_reason           = NULL,
               parked_detail           = NULL,
               parked_at               = NULL,
               updated_at              = now()
         WHERE c.status <> 'connected'
            OR \(fragment: Self.environmentOfRow) = excluded.environment
            -- From before sandboxes were told apart from test mode.
            OR (c.environment IS NULL AND NOT excluded.livemode)
        """)
      guard stored.affectedRows > 0 else {
        throw OtherEnvironment(connected: try await ConnectionState.read(of: tenant, in: transaction).environment)
      }
      try await Resumption.begin(for: tenant, in: transaction)
    }
  }

  /// The account is connected in another environment of the same mode.
  package struct OtherEnvironment: Error, Hashable {
    /// The environment in which it is connected.
    package let connected: StripeEnvironment
  }

  /// ``ConnectionState/environment`` in SQL, for a row `c`.
  static let environmentOfRow: PostgresQuery =
    "coalesce(c.environment, CASE WHEN c.livemode THEN 'live' ELSE 'test' END)"

  /// Stripe's documentation gives an access token one hour (`TokenGrant.accessTokenLifetime`).
  static let accessTokenLifetime = "\(TokenGrant.accessTokenLifetime.components.seconds) seconds"

  /// Notes that Stripe announced an installation at `moment`. A connected row stays as it is, because the browser was faster.
  /// So does a row that was uninstalled in this environment after that moment.
  static func announce(
    _ tenant: Tenant, _ environment: StripeEnvironment, at moment: Date, in transaction: PostgresTransaction
  ) async throws {
    try await transaction.query(
      """
      INSERT INTO stripe_integration.connections AS c (account_id, livemode, status, environment)
      VALUES (\(tenant.account), \(tenant.livemode), 'pending', \(environment.rawValue))
      ON CONFLICT (account_id, livemode) DO UPDATE
         SET status         = 'pending',
             environment    = excluded.environment,
             uninstalled_at = NULL,
             updated_at     = now()
       WHERE c.status = 'disconnected'
         AND (c.uninstalled_at IS NULL OR c.uninstalled_at <= \(moment)
              OR \(fragment: environmentOfRow) <> excluded.environment)
      """)
  }

  /// If the app calls with the developer's key, an installation needs no tokens: its announcement is enough.
  static func connectWithoutTokens(
    _ tenant: Tenant, _ environment: StripeEnvironment, at moment: Date, in transaction: PostgresTransaction
  ) async throws {
    let connected = try await transaction.query(
      """
      INSERT INTO stripe_integration.connections AS c
             (account_id, livemode, status, environment, installed_at, api_access)
      VALUES (\(tenant.account), \(tenant.livemode), 'connected', \(environment.rawValue), \(moment), 'platform')
      ON CONFLICT (account_id, livemode) DO UPDATE
         SET status         = 'connected',
             environment    = excluded.environment,
             api_access     = 'platform',
             installed_at   = excluded.installed_at,
             uninstalled_at = NULL,
             parked_reason  = NULL,
             parked_detail  = NULL,
             parked_at      = NULL,
             updated_at     = now()
       WHERE c.status <> 'connected'
         AND (c.uninstalled_at IS NULL OR c.uninstalled_at <= excluded.installed_at
              OR \(fragment: environmentOfRow) <> excluded.environment)
      """)
    guard connected.affectedRows > 0 else { return }
    try await Resumption.begin(for: tenant, in: transaction)
  }

  /// Ends a connection that Stripe says was uninstalled at `moment`, and removes its tokens. A connection that was installed
  /// after that is another installation and stays.
  /// - Parameter environment: what to record if the account was not known.
  static func uninstalled(
    _ tenant: Tenant, _ environment: StripeEnvironment, at moment: Date, in transaction: PostgresTransaction
  ) async throws -> ConnectionEnd {
    let row = try await transaction.query(
      """
      WITH before AS (
        SELECT status
          FROM stripe_integration.connections
         WHERE account_id = \(tenant.account)
           AND livemode   = \(tenant.livemode)
      )
      INSERT INTO stripe_integration.connections AS c (account_id, livemode, status, environment, uninstalled_at)
      VALUES (\(tenant.account), \(tenant.livemode), 'disconnected', \(environment.rawValue), \(moment))
      ON CONFLICT (account_id, livemode) DO UPDATE
         SET \(fragment: wiping), uninstalled_at = excluded.uninstalled_at
       WHERE c.installed_at IS NULL OR c.installed_at <= excluded.uninstalled_at
      RETURNING (SELECT status FROM before) AS former
      """
    ).first
    guard let row else { return .ofAnEarlierInstallation }
    try await InstallStore(tenant: tenant, transaction: transaction).end(asOf: moment)
    return try row.get("former", as: String?.self) == ConnectionStatus.disconnected.rawValue ? .endedBefore : .ended
  }

  /// The vendor's LicenseKit stays in the row: after a re-install, sales must not end up in the service's own by default.
  private static let wiping: PostgresQuery = """
    status                  = 'disconnected',
    access_token            = NULL,
    refresh_token           = NULL,
    access_token_expires_at = NULL,
    refresh_token_issued_at = NULL,
    token_generation        = c.token_generation + 1,
    refresh_lease_until     = '-infinity',
    parked_reason           = NULL,
    parked_detail           = NULL,
    parked_at               = NULL,
    updated_at              = now()
    """

  /// Ends a connection because a person asked for it, and removes its tokens.
  /// - Returns: whether there was a connection to end.
  @discardableResult
  package func disconnect(_ tenant: Tenant) async throws -> Bool {
    try await database.transaction(for: tenant) { transaction in
      try await transaction.query(
        """
        UPDATE stripe_integration.connections AS c
           SET \(fragment: Self.wiping), uninstalled_at = now()
         WHERE account_id = \(tenant.account)
           AND livemode   = \(tenant.livemode)
           AND status    <> 'disconnected'
        """
      ).affectedRows > 0
    }
  }

  // MARK: Blocking and unblocking

  /// Blocks the tenant's queue until a person acts. A later reason replaces an earlier one.
  @discardableResult
  package func block(_ tenant: Tenant, _ reason: TenantUnavailable.Reason, detail: String) async throws -> Bool {
    try await database.transaction(for: tenant) { transaction in
      try await transaction.query(
        """
        UPDATE stripe_integration.connections
           SET parked_at     = CASE WHEN parked_reason = \(reason.rawValue) THEN parked_at ELSE now() END,
               parked_reason = \(reason.rawValue),
               parked_detail = \(String(detail.prefix(2_000))),
               updated_at    = now()
         WHERE account_id = \(tenant.account)
           AND livemode   = \(tenant.livemode)
           AND NOT (\(reason == .notConnected) AND status = 'connected')
        """
      ).affectedRows > 0
    }
  }

  /// Unblocks the tenant's queue: waiting work is due at once.
  /// - Returns: whether it was blocked.
  @discardableResult
  package func unblock(_ tenant: Tenant) async throws -> Bool {
    try await database.transaction(for: tenant) { transaction in
      try await TenantLock.take(tenant, in: transaction)
      let moved = try await transaction.query(
        """
        UPDATE stripe_integration.connections
           SET parked_reason = NULL,
               parked_detail = NULL,
               parked_at     = NULL,
               updated_at    = now()
         WHERE account_id = \(tenant.account)
           AND livemode   = \(tenant.livemode)
           AND parked_reason IS NOT NULL
        """)
      guard moved.affectedRows > 0 else {
        try await CircuitBreaker.reset(tenant, in: transaction)
        return false
      }
      try await Resumption.begin(for: tenant, in: transaction)
      return true
    }
  }

  /// Ends a tenant's pause after an outage.
  func closeBreaker(of tenant: Tenant) async throws {
    try await database.transaction(for: tenant) { transaction in
      try await CircuitBreaker.reset(tenant, in: transaction)
    }
  }

  // MARK: The vendor's LicenseKit

  /// Gives the connection a LicenseKit of its own, or with nil the service's.
  /// - Parameter byOperator: whether the operator chose the address; an address chosen by a vendor must be public.
  /// - Returns: whether there is such a connection.
  @discardableResult
  package func setLicenseKit(
    _ licenseKit: ConnectionLicenseKit?, of tenant: Tenant, byOperator: Bool = true
  ) async throws -> Bool {
    let token = try licenseKit.map { try cipher.encrypt($0.token, .licensekitToken, of: tenant) }
    return try await database.transaction(for: tenant) { transaction in
      try await transaction.query(
        """
        UPDATE stripe_integration.connections
           SET licensekit_base_url    = \(licenseKit?.baseURL),
               licensekit_token       = \(token),
               licensekit_by_operator = \(byOperator),
               updated_at             = now()
         WHERE account_id = \(tenant.account)
           AND livemode   = \(tenant.livemode)
        """
      ).affectedRows > 0
    }
  }

  /// The vendor's own LicenseKit as stored; both nil for the service's.
  /// - Throws: `TenantUnavailable` if the account has no connection.
  func licenseKit(of tenant: Tenant) async throws -> (baseURL: String?, token: String?, byOperator: Bool) {
    let row = try await database.transaction(for: tenant) { transaction in
      try await transaction.query(
        """
        SELECT licensekit_base_url, licensekit_token, licensekit_by_operator
          FROM stripe_integration.connections
         WHERE account_id = \(tenant.account)
           AND livemode   = \(tenant.livemode)
        """
      ).first
    }
    guard let row else { throw TenantUnavailable.notConnected(nil) }
    return (
      try row.get("licensekit_base_url"),
      try cipher.decrypt(try row.get("licensekit_token"), .licensekitToken, of: tenant),
      try row.get("licensekit_by_operator")
    )
  }
}

extension ConnectionStore: TenantBlocking {
  func block(_ tenant: Tenant, _ unavailable: TenantUnavailable) async throws {
    try await block(tenant, unavailable.reason, detail: unavailable.detail)
  }
}
