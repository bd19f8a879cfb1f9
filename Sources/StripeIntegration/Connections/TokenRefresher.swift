import Identity
import Logging
import Metrics
import Postgres
import Purchases
import StripeAPI
import StripeHTTP
import Synchronization

/// Refreshes the tokens of a connection, one at a time: a shared task makes sure of that in this process, and a lease in the
/// connection's row over all replicas.
///
/// Stripe ends a refresh token with each use, so the new one must be stored before the access token is used, whatever else
/// happens. The work continues if its caller was cancelled, and storing is repeated while the database is down. A chain of
/// tokens is lost only if the process dies between Stripe's answer and the commit. Then the next refresh is refused, and the
/// tenant is blocked with a reason that says what to do. No database transaction is open while Stripe is asked.
final class TokenRefresher: Sendable {
  private let store: ConnectionStore
  private let endpoint: TokenEndpoint
  private let logger: Logger
  private let running = Mutex<[Tenant: Task<StoredTokens, any Error>]>([:])

  init(store: ConnectionStore, endpoint: TokenEndpoint, logger: Logger) {
    self.store = store
    self.endpoint = endpoint
    self.logger = logger
  }

  /// An access token is replaced this long before it expires.
  static let margin: Duration = .seconds(300)
  /// While Stripe cannot be reached, a token is used until this long before it expires.
  static let shortestUse: Duration = .seconds(20)
  /// The shortest time that a caller waits for another replica's refresh; it waits longer if the refresh may take longer.
  private static let shortestWait: Duration = .seconds(60)
  /// How long to keep trying to store new tokens; they exist nowhere else.
  private static let longestSaving: Duration = .seconds(120)

  static func isDue(_ tokens: StoredTokens) -> Bool { tokens.access == nil || tokens.remaining <= margin }

  /// Tokens that live long enough and are not the rejected ones.
  /// - Throws: `TenantUnavailable`, or `StripeError` for a passing failure.
  func refresh(_ tenant: Tenant, insteadOf rejected: StripeCredential?) async throws -> StoredTokens {
    let tokens = try await shared(tenant) { tokens in
      Self.isDue(tokens) || tokens.access.map { .accessToken($0) == rejected } ?? true
    }
    // A task that was already running may have accepted the rejected token.
    guard let token = tokens.access, .accessToken(token) == rejected else { return tokens }
    return try await shared(tenant) { $0.access == token || Self.isDue($0) }
  }

  /// Refreshes tokens that are still valid, to renew the life of the refresh token.
  func refreshIdle(_ tenant: Tenant) async throws -> Bool {
    do {
      let before = try await store.tokens(of: tenant)
      let after = try await shared(tenant) { $0.generation == before.generation }
      return after.generation > before.generation
    } catch let error as TenantUnavailable {
      logger.warning("idle connection cannot be refreshed", metadata: ["tenant": "\(tenant)", "error": "\(error)"])
    } catch let error as StripeError {
      logger.warning("idle connection not refreshed", metadata: ["tenant": "\(tenant)", "error": "\(error)"])
    }
    return false
  }

  /// Joins this process's running refresh, or begins one. The task is not the caller's child, so that a cancelled caller
  /// cannot keep new tokens from being stored. Every step of it has a deadline.
  private func shared(_ tenant: Tenant, ifNeeded need: @escaping @Sendable (StoredTokens) -> Bool) async throws
    -> StoredTokens
  {
    let task = running.withLock { running in
      if let task = running[tenant] { return task }
      let task = Task {
        defer { self.running.withLock { $0[tenant] = nil } }
        return try await self.refresh(tenant, ifNeeded: need)
      }
      running[tenant] = task
      return task
    }
    return try await task.value
  }

  private func refresh(_ tenant: Tenant, ifNeeded need: @Sendable (StoredTokens) -> Bool) async throws -> StoredTokens {
    let longest = endpoint.longestTime(livemode: tenant.livemode)
    let deadline = ContinuousClock.now + max(Self.shortestWait, RefreshLease.duration(of: longest))
    var pause = Duration.milliseconds(50)
    while true {
      switch try await store.beginRefresh(of: tenant, taking: longest, ifNeeded: need) {
      case .notNeeded(let tokens): return tokens
      case .begin(let lease): return try await roll(lease, ifNeeded: need)
      case .busy:
        guard ContinuousClock.now < deadline else {
          throw StripeError(
            message: "the tokens are being refreshed elsewhere", retry: .retry(after: .seconds(5)), attempts: 0)
        }
        try await Task.sleep(for: pause * Double.random(in: 0.75...1.25))
        pause = min(pause * 2, .milliseconds(500))
      }
    }
  }

  private func roll(_ lease: RefreshLease, ifNeeded need: @Sendable (StoredTokens) -> Bool) async throws -> StoredTokens
  {
    let tenant = lease.tenant
    let grant: TokenGrant
    do throws(StripeOAuthError) {
      grant = try await endpoint.refresh(lease.refreshToken, in: lease.environment)
    } catch {
      count(error.code)
      if case .invalidGrant(let words) = error { return try await refused(lease, words) }
      return try await failed(lease, error, ifNeeded: need)
    }
    guard grant.account == tenant.account, grant.livemode == tenant.livemode else {
      count("other_account")
      logger.critical("Stripe answered a refresh with another account's tokens", metadata: ["tenant": "\(tenant)"])
      return try await refused(lease, "the answer was for another account")
    }
    count("refreshed")
    return try await save(grant, lease)
  }

  /// Compares before giving up: another replica may have stored newer tokens while Stripe refused the old one.
  private func refused(_ lease: RefreshLease, _ words: String) async throws -> StoredTokens {
    let reason = TenantUnavailable.authorizationLost(words)
    if let newer = try await store.refreshWasRefused(lease, reason) {
      if let obstacle = newer.obstacle { throw obstacle }
      return newer
    }
    logger.error("connection lost its authorization", metadata: ["tenant": "\(lease.tenant)", "stripe": "\(words)"])
    throw reason
  }

  /// Nothing is known about the tokens. The access token is used until it expires, unless it is the one to be replaced.
  private func failed(
    _ lease: RefreshLease, _ error: StripeOAuthError, ifNeeded need: @Sendable (StoredTokens) -> Bool
  ) async throws -> StoredTokens {
    logger.error("tokens not refreshed", metadata: ["tenant": "\(lease.tenant)", "error": "\(error)"])
    do {
      try await store.abandonRefresh(lease)
    } catch {
      // The lease expires by itself.
      logger.warning("refresh lease not given back", metadata: ["tenant": "\(lease.tenant)"])
    }
    if let access = lease.access, lease.remaining > Self.shortestUse {
      // As if the token had its whole life left: asks only whether the caller would accept this token.
      let current = tokens(lease, access, remaining: TokenGrant.accessTokenLifetime)
      if !need(current) { return tokens(lease, access, remaining: lease.remaining) }
    }
    let pause: Duration? = if case .rateLimited(let after) = error { after } else { nil }
    throw StripeError(
      message: "tokens cannot be refreshed now: \(error)", retry: .retry(after: pause ?? .seconds(10)),
      mayHaveHappened: error.mayHaveHappened, cause: error)
  }

  private func tokens(_ lease: RefreshLease, _ access: String, remaining: Duration) -> StoredTokens {
    StoredTokens(
      status: .connected, environment: lease.environment, generation: lease.generation, access: access,
      refresh: lease.refreshToken, remaining: remaining, blockedReason: nil, blockedDetail: nil)
  }

  /// Until this succeeds, only this process has the tokens.
  private func save(_ grant: TokenGrant, _ lease: RefreshLease) async throws -> StoredTokens {
    let deadline = ContinuousClock.now + Self.longestSaving
    var pause = Duration.milliseconds(50)
    while true {
      do {
        let stored = try await store.finishRefresh(lease, with: grant)
        if let obstacle = stored.obstacle { throw obstacle }
        return stored
      } catch let error as PostgresError {
        guard ContinuousClock.now < deadline, !error.isDataError else {
          logger.critical(
            "refreshed tokens could not be stored and are lost",
            metadata: ["tenant": "\(lease.tenant)", "error": "\(error)"])
          throw error
        }
        logger.error(
          "refreshed tokens not stored yet", metadata: ["tenant": "\(lease.tenant)", "error": "\(error)"])
        try? await Task.sleep(for: pause)
        pause = min(pause * 2, .seconds(2))
      }
    }
  }

  private func count(_ result: String) {
    Counter(label: "stripe_token_refreshes_total", dimensions: [("result", result)]).increment()
  }
}
