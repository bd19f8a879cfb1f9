import Cryptography
import Foundation
import HTTPTransport
import HTTPTypes
import Hummingbird
import Identity
import JSON
import Logging
import Postgres
import Redis
import ServerKit
import StripeAPI
import StripeHTTP
import Synchronization
import TestSupport

@testable import StripeIntegration
@testable import Tenancy

/// Lets a test hold somebody up: it waits until they have arrived, and opens when it wants.
final class Gate: Sendable {
  private let arrivals = AsyncStream<Void>.makeStream()
  private let openings = AsyncStream<Void>.makeStream()

  func pass() async {
    arrivals.continuation.yield()
    for await _ in openings.stream {}
  }

  func arrived() async {
    var iterator = arrivals.stream.makeAsyncIterator()
    await iterator.next()
  }

  func open() { openings.continuation.finish() }
}

/// Stands for Stripe's token endpoint: codes are good once, and each refresh token ends with its use.
final class FakeTokenEndpoint: Sendable {
  enum Behaviour: Sendable {
    case answers
    /// 500, and nothing has happened.
    case isDown
    /// The tokens are rolled, and the answer is lost on its way.
    case losesAnswers
    /// The tokens are rolled, and the answer waits.
    case waits(Gate)
  }

  struct Owner: Hashable, Sendable {
    let account: String
    let environment: StripeEnvironment
  }

  private struct State {
    var behaviour = Behaviour.answers
    var codes: [String: Owner] = [:]
    var refreshTokens: [String: Owner] = [:]
    var next = 0
    var refreshes = 0
    var exchanges = 0
    var refusals = 0
  }

  static let liveKey = "sk_live_right"
  static let testKey = "sk_test_right"
  static let sandboxKey = "sk_test_sandbox"

  private let state = Mutex(State())

  var refreshes: Int { state.withLock { $0.refreshes } }
  var exchanges: Int { state.withLock { $0.exchanges } }
  var refusals: Int { state.withLock { $0.refusals } }

  func behave(_ behaviour: Behaviour) { state.withLock { $0.behaviour = behaviour } }

  /// What the authorize page gives the browser.
  func code(for account: String, in environment: StripeEnvironment = .test) -> String {
    state.withLock { state in
      state.next += 1
      state.codes["ac_\(state.next)"] = Owner(account: account, environment: environment)
      return "ac_\(state.next)"
    }
  }

  /// Tokens as an exchange gives them.
  func grant(for tenant: Tenant, in environment: StripeEnvironment? = nil) -> TokenGrant {
    state.withLock { state in
      let environment = environment ?? StripeEnvironment(livemode: tenant.livemode)
      let (access, refresh) = Self.issue(Owner(account: tenant.account.rawValue, environment: environment), &state)
      return TokenGrant(
        accessToken: access, refreshToken: refresh, livemode: tenant.livemode, account: tenant.account)
    }
  }

  private static func issue(_ owner: Owner, _ state: inout State) -> (access: String, refresh: String) {
    state.next += 1
    let tokens = ("at_secret_\(owner.account)_\(state.next)", "rt_secret_\(owner.account)_\(state.next)")
    state.refreshTokens[tokens.1] = owner
    return tokens
  }

  func router() -> AppRouter {
    let router = AppRouter()
    router.post("v1/oauth/token") { request, _ in
      let form = try await request.form()
      return try await self.answer(
        key: request.headers[.authorization] ?? "", code: form.string("code"),
        refreshToken: form.string("refresh_token"))
    }
    return router
  }

  private enum Reply {
    case error(Int, JSONValue)
    case tokens(JSONValue)
  }

  private func answer(key: String, code: String?, refreshToken: String?) async throws -> Response {
    let (reply, behaviour) = state.withLock { state in (Self.reply(key, code, refreshToken, &state), state.behaviour) }
    switch (reply, behaviour) {
    case (.error(let status, let body), _): return Self.json(body, status)
    case (.tokens, .losesAnswers): return Self.json([:], 502)
    case (.tokens(let body), .waits(let gate)):
      await gate.pass()
      return Self.json(body, 200)
    case (.tokens(let body), _): return Self.json(body, 200)
    }
  }

  private static func reply(_ key: String, _ code: String?, _ refreshToken: String?, _ state: inout State) -> Reply {
    if case .isDown = state.behaviour { return .error(500, [:]) }
    let keys = [(liveKey, StripeEnvironment.live), (testKey, .test), (sandboxKey, .sandbox)]
    guard let caller = keys.first(where: { key == "Basic " + Base64.encode(Array(($0.0 + ":").utf8)) })?.1 else {
      return .error(401, ["error": ["type": "invalid_request_error", "message": "Invalid API Key provided"]])
    }
    let owner = code.flatMap { state.codes[$0] } ?? refreshToken.flatMap { state.refreshTokens[$0] }
    guard let owner, owner.environment == caller || owner.account.contains("othermode") else {
      state.refusals += 1
      return .error(400, ["error": "invalid_grant", "error_description": "It does not belong to you"])
    }
    if let code {
      state.codes[code] = nil
      state.exchanges += 1
    }
    if let refreshToken {
      state.refreshTokens[refreshToken] = nil
      state.refreshes += 1
    }
    let (access, refresh) = issue(owner, &state)
    return .tokens([
      "access_token": .string(access), "refresh_token": .string(refresh), "token_type": "bearer",
      "scope": "stripe_apps", "livemode": .bool(owner.environment.livemode), "stripe_user_id": .string(owner.account),
    ])
  }

  private static func json(_ body: JSONValue, _ status: Int) -> Response {
    Answer.bytes(body.encoded(), contentType: "application/json", status: .init(code: status))
  }
}

/// A service with a database, Redis and a token endpoint of its own.
struct ConnectionWorld: Sendable {
  let database: TestDatabase
  let stripe: FakeTokenEndpoint
  let transport: HTTPTransport
  let redis: RedisClient
  let keyPrefix: String
  let configuration: IntegrationConfiguration
  let store: ConnectionStore

  static let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

  static func run(
    apiAccess: IntegrationConfiguration.APIAccess = .oauth, redisURL: String? = nil,
    testKeys: [String] = [FakeTokenEndpoint.testKey], appURL: String? = nil,
    _ body: @Sendable (ConnectionWorld) async throws -> Void
  ) async throws {
    try await withDatabase(migrations: ["migrations/integration"]) { database in
      let stripe = FakeTokenEndpoint()
      let transport = HTTPTransport(logger: logger)
      let testRedis = try TestRedis.make()
      let redis = RedisClient(try RedisConfiguration(url: redisURL ?? testRedis.url), logger: logger)
      defer {
        transport.shutdown()
        redis.shutdown()
      }
      try await withServer(stripe.router()) { address in
        let keyRing = try KeyRing(parsing: "k1:\(Base64.encode(Random.bytes(32)))")
        let configuration = IntegrationConfiguration(
          live: .init(clientID: "ca_live", secretKeys: [FakeTokenEndpoint.liveKey]),
          test: .init(clientID: "ca_test", secretKeys: testKeys),
          sandbox: .init(clientID: "ca_sandbox", secretKeys: [FakeTokenEndpoint.sandboxKey]),
          webhookSecrets: .init(live: ["whsec_1"]),
          appSigningSecrets: .init(live: ["absec_1"]), publicBaseURL: "https://licenses.example.com",
          stripeAPIBaseURL: address.url, adminToken: "operator-operator", apiAccess: apiAccess, keyRing: keyRing,
          licenseKit: .init(baseURL: nil, token: "lkm_service", appURL: appURL))
        try await body(
          ConnectionWorld(
            database: database, stripe: stripe, transport: transport, redis: redis, keyPrefix: testRedis.keyPrefix,
            configuration: configuration,
            store: ConnectionStore(database: TenantDatabase(database.client), keyRing: keyRing)))
      }
    }
  }

  /// The vault of one replica.
  func vault() -> TokenVault {
    TokenVault(
      configuration: configuration, store: store, transport: transport, redis: redis, keyPrefix: keyPrefix,
      logger: Self.logger)
  }

  var links: InstallLinks {
    InstallLinks(
      redis: redis, keyRing: configuration.keyRing, publicBaseURL: configuration.publicBaseURL, keyPrefix: keyPrefix)
  }

  @discardableResult
  func connect(
    _ tenant: Tenant, in environment: StripeEnvironment? = nil, licenseKit: ConnectionLicenseKit? = nil
  ) async throws -> TokenGrant {
    let grant = stripe.grant(for: tenant, in: environment)
    try await store.connect(grant, in: environment, licenseKit: licenseKit)
    return grant
  }

  func inTransaction(of tenant: Tenant, _ body: (PostgresTransaction) async throws -> Void) async throws {
    try await store.database.transaction(for: tenant) { try await body($0) }
  }

  /// Lets the access token end in so many seconds, by the database's clock.
  func letTokenExpire(of tenant: Tenant, in seconds: Int = -1) async throws {
    try await inTransaction(of: tenant) { transaction in
      _ = try await transaction.query(
        "UPDATE stripe_integration.connections SET access_token_expires_at = now() + \("\(seconds) seconds")::text::interval"
      )
    }
  }

  func addEvent(_ id: String, state: String, of tenant: Tenant) async throws {
    try await inTransaction(of: tenant) { transaction in
      _ = try await transaction.query(
        """
        INSERT INTO stripe_integration.inbox (account_id, livemode, event_id, type, created, state, body)
        VALUES (\(tenant.account), \(tenant.livemode), \(id), 'invoice.paid', now(), \(state), '{}')
        """)
    }
  }

  func states(of tenant: Tenant) async throws -> [String] {
    try await store.database.transaction(for: tenant) { transaction in
      try await transaction.query("SELECT state FROM stripe_integration.inbox ORDER BY event_id").map {
        try $0.get("state")
      }
    }
  }

  func isDue(_ tenant: Tenant) async throws -> Bool {
    try await store.database.transaction(for: tenant) { transaction in
      try await !transaction.query("SELECT due_at FROM stripe_integration.turns WHERE due_at <= now()").isEmpty
    }
  }
}

extension Tenant {
  static func test(_ account: String) -> Tenant { Tenant(account: .init(account), livemode: false) }
  static func live(_ account: String) -> Tenant { Tenant(account: .init(account), livemode: true) }
}

extension StripeSession {
  /// The access token it calls with.
  var token: String? { if case .accessToken(let token) = credential { token } else { nil } }
}
