import Foundation
package import HTTPTransport
import Identity
package import Logging
import Purchases
package import Redis
package import StripeAPI
package import StripeHTTP

/// Provides sessions with Stripe whose credential is valid now, and keeps the tokens of every connection alive.
///
/// Decrypted tokens stay in this process for a minute at most before the database is asked again. So a session costs no query,
/// and an ended connection is not used for long. ``TokenRefresher`` describes how tokens are refreshed.
package struct TokenVault: StripeAccess {
  private let store: ConnectionStore
  private let client: StripeClient
  private let endpoint: TokenEndpoint
  private let apiAccess: IntegrationConfiguration.APIAccess
  private let budget: CallBudget
  private let cache = TokenCache()
  private let refresher: TokenRefresher

  /// - Parameters:
  ///   - client: the client that sessions use.
  ///   - oauth: the token endpoint; its deadline should be about ten seconds.
  ///   - redis: where replicas share each tenant's budget of calls; without it each keeps its own.
  ///   - keyPrefix: before every key in Redis.
  package init(
    configuration: IntegrationConfiguration, store: ConnectionStore, client: StripeClient, oauth: StripeOAuth,
    redis: RedisClient?, keyPrefix: String = "", logger: Logger
  ) {
    self.store = store
    self.client = client
    endpoint = TokenEndpoint(oauth: oauth, configuration: configuration)
    apiAccess = configuration.apiAccess
    budget = CallBudget(redis: redis, keyPrefix: keyPrefix)
    refresher = TokenRefresher(store: store, endpoint: endpoint, logger: logger)
  }

  /// The vault of a service, calling Stripe where the configuration says.
  package init(
    configuration: IntegrationConfiguration, store: ConnectionStore, transport: any HTTPSending, redis: RedisClient?,
    keyPrefix: String = "", logger: Logger
  ) {
    self.init(
      configuration: configuration, store: store,
      client: StripeClient(
        apiBaseURL: configuration.stripeAPIBaseURL, transport: transport, userAgent: IntegrationConfiguration.userAgent),
      oauth: StripeOAuth(
        apiBaseURL: configuration.stripeAPIBaseURL, transport: transport, userAgent: IntegrationConfiguration.userAgent,
        deadline: .seconds(10)),
      redis: redis, keyPrefix: keyPrefix, logger: logger)
  }

  package func session(for tenant: Tenant, replacing rejected: StripeSession?) async throws -> StripeSession {
    switch apiAccess {
    case .oauth:
      let token = try await accessToken(of: tenant, insteadOf: rejected?.credential)
      return session(tenant, .accessToken(token))
    case .platform:
      return session(tenant, try await platformCredential(for: tenant, insteadOf: rejected?.credential))
    }
  }

  private func session(_ tenant: Tenant, _ credential: StripeCredential) -> StripeSession {
    client.session(credential, budget: { [budget] in try await budget.take(for: tenant) })
  }

  // MARK: Tokens

  private func accessToken(of tenant: Tenant, insteadOf rejected: StripeCredential?) async throws -> String {
    if let token = cache.token(of: tenant), .accessToken(token) != rejected { return token }
    let stored = try await store.tokens(of: tenant)
    if let obstacle = stored.obstacle {
      cache.forget(tenant)
      throw obstacle
    }
    if let token = stored.access, !TokenRefresher.isDue(stored), .accessToken(token) != rejected {
      cache.remember(stored, of: tenant)
      return token
    }
    do {
      let fresh = try await refresher.refresh(tenant, insteadOf: rejected)
      cache.remember(fresh, of: tenant)
      return try Self.usable(fresh)
    } catch let error as TenantUnavailable {
      cache.forget(tenant)
      throw error
    }
  }

  private static func usable(_ tokens: StoredTokens) throws -> String {
    if let obstacle = tokens.obstacle { throw obstacle }
    guard let token = tokens.access else { throw TenantUnavailable.notConnected(tokens.status) }
    return token
  }

  // MARK: The developer's key

  private func platformCredential(
    for tenant: Tenant, insteadOf rejected: StripeCredential?
  ) async throws -> StripeCredential {
    let environment = try await environment(of: tenant, isInvalidated: rejected != nil)
    let credentials = endpoint.secretKeys(of: environment).map { key in
      StripeCredential.platform(key: key, account: tenant.account)
    }
    let next = rejected.flatMap { credentials.firstIndex(of: $0) }.map { $0 + 1 } ?? 0
    guard credentials.indices.contains(next) else {
      // The key is the operator's. No vendor could repair it, so no tenant is blocked for it.
      throw StripeError(message: "no configured key is accepted by Stripe", retry: .retry(after: .seconds(60)))
    }
    return credentials[next]
  }

  /// The environment in which a connected account is installed.
  private func environment(of tenant: Tenant, isInvalidated: Bool) async throws -> StripeEnvironment {
    if !isInvalidated, let known = cache.environment(of: tenant) { return known }
    let stored = try await store.tokens(of: tenant)
    guard stored.status == .connected else { throw TenantUnavailable.notConnected(stored.status) }
    cache.rememberConnected(tenant, in: stored.environment, generation: stored.generation)
    return stored.environment
  }

  // MARK: Keeping alive

  /// The age at which a refresh token is renewed even if nobody used it. It lives for a year from its issue.
  package static let idleLimit: Duration = .seconds(30 * 86_400)

  /// Refreshes the tokens of connections that nobody used for long, oldest first, one after another.
  ///
  /// - Parameters:
  ///   - limit: the most connections in one call.
  /// - Returns: how many were refreshed.
  @discardableResult
  package func refreshIdleConnections(olderThan age: Duration = TokenVault.idleLimit, limit: Int = 200) async throws
    -> Int
  {
    guard apiAccess == .oauth else { return 0 }
    let moment = Date(timeIntervalSinceNow: -(age / .seconds(1)))
    var refreshed = 0
    for tenant in try await store.idleTenants(since: moment, limit: limit) {
      try Task.checkCancellation()
      if try await refresher.refreshIdle(tenant) { refreshed += 1 }
    }
    return refreshed
  }
}
