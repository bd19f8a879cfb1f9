import HTTPTransport
import IntegrationCommands
import LicenseKitAPI
import LicenseKitHTTP
import LicenseServer
import Logging
import Postgres
import ServerKit
import ServiceLifecycle
import Storage
import StripeAPI
import StripeIntegration

/// The program on one page: its parts, and the order in which it starts and ends.
struct Parts: IntegrationProgram {
  static let name = "licensekit"
  static let purpose = "Serve the LicenseKit API and, where it is configured, the Stripe integration."

  let common: CommonParts
  /// Deliveries have a transport of their own, so that receivers that hang take no connections from Stripe.
  let webhookTransport: HTTPTransport
  let server: LicenseServer
  let integration: IntegrationServer?

  init(_ settings: ServerSettings, logger: Logger) async throws {
    let common = try await CommonParts(
      settings.process, of: Self.name, reservedConnections: LicenseServer.ownConnections, logger: logger)
    let server = LicenseServer(
      client: common.postgres, keyRing: settings.keyRing, destinations: settings.destinations, logger: logger)
    self.common = common
    webhookTransport = HTTPTransport(.init(userAgent: "LicenseKit", maximumConnectionsPerHost: 16), logger: logger)
    self.server = server
    integration = settings.integration.map { configuration in
      // The service-wide LicenseKit: the one at LICENSEKIT_BASE_URL, or else this server itself, without HTTP.
      let licenseKit: @Sendable (String) -> any LicenseKitClient
      if let baseURL = configuration.licenseKit.baseURL {
        licenseKit = { LicenseKitHTTPClient(baseURL: baseURL, token: $0, transport: common.transport) }
      } else {
        licenseKit = { server.inProcessClient(token: $0) }
      }
      return IntegrationServer(
        configuration: configuration, postgres: common.postgres, redis: common.redis, transport: common.transport,
        licenseKit: licenseKit(configuration.licenseKit.token), licenseKitClient: licenseKit, logger: logger)
    }
  }

  var schemas: [Schema] {
    get throws {
      let migrations = try CommonParts.migrations
      return [LicenseServer.schema(in: migrations)]
        + (integration == nil ? [] : [IntegrationServer.schema(in: migrations)])
    }
  }

  var schemaChecks: [(owner: String, check: ReadinessCheck)] {
    [("the LicenseKit server", server.readinessCheck)]
      + (integration.map { [("the Stripe integration", $0.readinessCheck)] } ?? [])
  }

  func reencrypt() async throws -> Int {
    try await server.administration.reencrypt() + (integration?.reencrypt() ?? 0)
  }

  func prepareToServe(_ settings: ServerSettings) async throws {
    try await server.bootstrap(adminToken: settings.adminToken)
  }

  func addRoutes(to router: AppRouter, for role: IntegrationServer.Role, metrics: MetricsRegistry) {
    guard role != .worker else {
      router.addHealthRoutes(schemaChecks.map(\.check)).addMetricsRoute(metrics)
      return
    }
    server.addRoutes(
      to: router, metrics: metrics, readiness: integration.map { [$0.readinessCheck] } ?? [],
      limiter: RateLimiter(common.redis))
    integration?.addRoutes(to: router)
    do {
      try APIDescription.read().addRoute(to: router)
    } catch {
      // A missing document must not delay paying buyers.
      common.logger.warning("GET /openapi.yaml is not served", metadata: ["error": "\(error)"])
    }
  }

  func backgroundServices(for role: IntegrationServer.Role) -> [any Service] {
    var services = integration?.services(for: role) ?? []
    if role != .worker { services += server.requestServices }
    if role != .web { services += server.backgroundServices(transport: webhookTransport) }
    return services
  }

  func close() async {
    await integration?.shutdown()
    await server.shutdown()
    await common.close()
    webhookTransport.shutdown()
  }
}
