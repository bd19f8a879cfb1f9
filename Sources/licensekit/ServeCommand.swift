public import ArgumentParser
import Cryptography
import HTTPTransport
import LicenseKitAPI
import LicenseServer
import Logging
import Postgres
import Redis
import ServerKit
import ServiceLifecycle
import Storage
public import StripeIntegration

/// `licensekit serve`: migrates, then listens.
struct Serve: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Serve the LicenseKit API and, where it is configured, the Stripe integration.")

  @Option(help: "What this replica does: web, worker or all.")
  var role: IntegrationServer.Role = .all

  func run() async throws {
    let settings = try ServerSettings.readOrExit()
    bootstrapLogging(level: settings.process.logLevel, format: settings.process.logFormat)
    let metrics = MetricsRegistry()
    metrics.bootstrap()
    let logger = Logger(label: "licensekit")

    let parts = try await Parts(settings, logger: logger)
    try await parts.migrate()
    try await parts.server.bootstrap(adminToken: settings.adminToken)

    let router = AppRouter(
      metrics: metrics, accessLog: IntegrationServer.accessLog, trustedProxies: settings.process.trustedProxies,
      translate: IntegrationServer.apiFailure)
    let checks = parts.integration.map { [$0.readinessCheck] } ?? []
    if role == .worker {
      router.addHealthRoutes([parts.server.readinessCheck] + checks).addMetricsRoute(metrics)
    } else {
      parts.server.addRoutes(to: router, metrics: metrics, readiness: checks, limiter: RateLimiter(parts.redis))
      parts.integration?.addRoutes(to: router)
      do {
        try APIDescription.read().addRoute(to: router)
      } catch {
        // Nobody who paid is kept waiting for a document.
        logger.warning("GET /openapi.yaml is not served", metadata: ["error": "\(error)"])
      }
    }

    let http = HTTPService(
      router: router, address: settings.process.address, limits: settings.process.httpLimits, logger: logger
    ) { address in
      settings.process.announce(address, logger: logger)
    }
    try await runService(parts.services + parts.backgroundServices(for: role) + [http], logger: logger) {
      await parts.close()
    }
  }
}

extension IntegrationServer.Role: ExpressibleByArgument {}
