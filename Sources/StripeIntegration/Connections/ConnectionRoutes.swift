package import HTTPTransport
import HTTPTypes
import Hummingbird
import Identity
import Logging
import Postgres
package import Redis
package import ServerKit
package import StripeAPI
import StripeHTTP

/// The routes a vendor's browser takes to install the app.
package struct ConnectionRoutes: Sendable {
  private let configuration: IntegrationConfiguration
  private let installation: Installation
  private let connected: @Sendable (Tenant) async throws -> [SetCookie]

  /// - Parameters:
  ///   - transport: carries the exchange of codes.
  ///   - keyPrefix: before every key in Redis.
  ///   - connected: called when an installation is stored. It wakes the workers and gives the browser a console session,
  ///     because its user has just shown at Stripe that they administer the account.
  package init(
    configuration: IntegrationConfiguration, store: ConnectionStore, transport: any HTTPSending, redis: RedisClient?,
    keyPrefix: String = "", connected: @escaping @Sendable (Tenant) async throws -> [SetCookie] = { _ in [] }
  ) {
    self.configuration = configuration
    self.connected = connected
    let oauth = StripeOAuth(
      apiBaseURL: configuration.stripeAPIBaseURL, transport: transport, userAgent: IntegrationConfiguration.userAgent,
      deadline: .seconds(10))
    installation = Installation(
      configuration: configuration, store: store,
      states: InstallStates(redis: redis, keyRing: configuration.keyRing, keyPrefix: keyPrefix),
      links: InstallLinks(
        redis: redis, keyRing: configuration.keyRing, publicBaseURL: configuration.publicBaseURL, keyPrefix: keyPrefix),
      endpoint: TokenEndpoint(oauth: oauth, configuration: configuration))
  }

  package func addRoutes(to router: AppRouter) {
    router.get("stripe/oauth/install") { request, context in await install(request, context) }
    router.get("stripe/oauth/callback") { request, context in await callback(request, context) }
    router.get("stripe/pages.css") { _, _ in
      Answer.text(ConnectionPages.stylesheet, contentType: "text/css; charset=utf-8")
    }
    router.get("stripe/console") { request, _ in
      let environment = try? request.query.value("environment", as: StripeEnvironment.self)
      return page(ConnectionPages.connected(environment ?? nil), next: nil)
    }
  }

  private static let cookiePath = "/stripe/oauth"

  // MARK: Routes

  private func install(_ request: Request, _ context: AppContext) async -> Response {
    guard Self.isVisit(request) else { return Answer.empty(status: .serviceUnavailable) }
    let environment: StripeEnvironment?
    let link: String?
    do {
      environment = try request.query.value("mode")
      link = try request.query.string("link", maximumLength: 200)
    } catch {
      return page(.requestMalformed)
    }
    do {
      switch try await installation.begin(environment, link: link) {
      case .end(let outcome): return page(outcome)
      case .go(let start):
        return Answer.redirect(
          to: start.location,
          cookies: [
            SetCookie(
              start.begun.cookieName, start.begun.browser, path: Self.cookiePath, maximumAge: InstallStates.lifetime,
              isSecure: configuration.usesSecureCookies)
          ])
      }
    } catch {
      context.logger.error("an installation could not begin", metadata: ["error": "\(Self.describe(error))"])
      return page(.storageUnavailable)
    }
  }

  private func callback(_ request: Request, _ context: AppContext) async -> Response {
    guard Self.isVisit(request) else { return Answer.empty(status: .serviceUnavailable) }
    let query: CallbackRequest
    do {
      query = CallbackRequest(
        state: try request.query.string("state", maximumLength: 200),
        code: try request.query.string("code", maximumLength: 1_000),
        error: try request.query.string("error", maximumLength: 200))
    } catch {
      return page(.requestMalformed)
    }
    do {
      let outcome = try await installation.finish(query, browser: request.cookie, logger: context.logger)
      guard case .connected(let tenant, let environment) = outcome else { return page(outcome) }
      return Answer.redirect(to: destination(of: tenant, environment), cookies: await session(of: tenant, context))
    } catch {
      context.logger.error("an installation could not be stored", metadata: ["error": "\(Self.describe(error))"])
      return page(.storageUnavailable)
    }
  }

  // MARK: Answers

  /// The connection is stored. That the browser gets no session does not change that.
  private func session(of tenant: Tenant, _ context: AppContext) async -> [SetCookie] {
    do {
      return try await connected(tenant)
    } catch {
      context.logger.error("no console session after an installation", metadata: ["error": "\(Self.describe(error))"])
      return []
    }
  }

  /// Only `livemode` tells live and test mode apart.
  private func destination(of tenant: Tenant, _ environment: StripeEnvironment) -> String {
    let mode = [("account_id", tenant.account.rawValue), ("livemode", tenant.livemode ? "true" : "false")]
    return URLBuilder.adding(
      query: environment == .sandbox ? mode + [("environment", environment.rawValue)] : mode,
      to: configuration.licenseKit.appURL ?? configuration.publicBaseURL + "/stripe/console/")
  }

  private func page(_ outcome: InstallOutcome) -> Response {
    var next: String?
    if case .alreadyConnected(let tenant, let environment) = outcome { next = destination(of: tenant, environment) }
    return page(ConnectionPages.page(for: outcome), next: next)
  }

  private func page(_ page: ConnectionPages.Page, next: String?) -> Response {
    Answer.html(
      ConnectionPages.html(page, installPath: configuration.publicBaseURL + "/stripe/oauth/install", next: next),
      status: page.status)
  }

  /// Whether a person is visiting: `HEAD` requests and a browser's prefetching must not use anything up.
  private static func isVisit(_ request: Request) -> Bool {
    guard request.method == .get else { return false }
    let purposes = ["Sec-Purpose", "Purpose"].compactMap { HTTPField.Name($0).flatMap { request.headers[$0] } }
    return !purposes.contains { $0.lowercased().contains("prefetch") }
  }

  /// A description of a failure that is safe to log.
  private static func describe(_ error: any Error) -> String {
    switch error {
    case let error as PostgresError: error.description
    case let error as RedisError: "redis: \(error.code)"
    default: "\(type(of: error))"
    }
  }
}
