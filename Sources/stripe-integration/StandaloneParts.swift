import IntegrationCommands
import LicenseKitAPI
import LicenseKitHTTP
import Logging
import Postgres
import ServerKit
import ServiceLifecycle
import StripeAPI
import StripeIntegration

/// The program on one page: its parts, and the order in which it starts and ends.
struct StandaloneParts: IntegrationProgram {
  static let name = "stripe-integration"
  static let purpose = "Serve the Stripe integration, in front of the LicenseKit at LICENSEKIT_BASE_URL."

  let common: CommonParts
  let standalone: IntegrationServer

  var integration: IntegrationServer? { standalone }

  init(_ settings: StandaloneSettings, logger: Logger) async throws {
    let common = try await CommonParts(settings.process, of: Self.name, logger: logger)
    let licenseKit: @Sendable (String) -> LicenseKitHTTPClient = {
      LicenseKitHTTPClient(baseURL: settings.licenseKitURL, token: $0, transport: common.transport)
    }
    self.common = common
    standalone = IntegrationServer(
      configuration: settings.stripe, postgres: common.postgres, redis: common.redis, transport: common.transport,
      licenseKit: licenseKit(settings.stripe.licenseKit.token), licenseKitClient: licenseKit, logger: logger)
  }

  var schemas: [Schema] {
    get throws { [IntegrationServer.schema(in: try CommonParts.migrations)] }
  }

  var schemaChecks: [(owner: String, check: ReadinessCheck)] {
    [("the Stripe integration", standalone.readinessCheck)]
  }

  func reencrypt() async throws -> Int { try await standalone.reencrypt() }

  /// The migrations prepare everything.
  func prepareToServe(_ settings: StandaloneSettings) async throws {}

  func addRoutes(to router: AppRouter, for role: IntegrationServer.Role, metrics: MetricsRegistry) {
    router.addHealthRoutes([standalone.readinessCheck]).addMetricsRoute(metrics)
    if role != .worker { standalone.addRoutes(to: router) }
  }

  func backgroundServices(for role: IntegrationServer.Role) -> [any Service] { standalone.services(for: role) }

  func close() async {
    await standalone.shutdown()
    await common.close()
  }
}
