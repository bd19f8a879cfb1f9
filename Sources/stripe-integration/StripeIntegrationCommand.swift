public import ArgumentParser
import HTTPTransport
import LicenseKitAPI
import Logging
import Postgres
import Redis
import ServerKit
import ServiceLifecycle
import Storage
public import StripeIntegration

/// The Stripe integration alone, driving a LicenseKit elsewhere.
@main
struct StripeIntegrationCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "stripe-integration",
    abstract: "Turns Stripe payments into licenses at the LicenseKit named by LICENSEKIT_BASE_URL.",
    discussion: "Configuration comes from the environment; docs/configuration.md lists it.",
    subcommands: [Serve.self])
}

struct Serve: AsyncParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Migrate, then listen.")

  @Option(help: "What this replica does: web, worker or all.")
  var role: IntegrationServer.Role = .all

  func run() async throws {
    let (process, configuration) = try Self.readOrExit()
    bootstrapLogging(level: process.logLevel, format: process.logFormat)
    let metrics = MetricsRegistry()
    metrics.bootstrap()
    let logger = Logger(label: "stripe-integration")

    var database = try PostgresConfiguration(url: process.databaseURL)
    database.maximumConnections = process.databaseConnections
    database.applicationName = "stripe-integration"
    let postgres = PostgresClient(database, logger: logger)
    let redis: RedisClient?
    if let url = process.redisURL {
      redis = try await .of(postgres, configuration: RedisConfiguration(url: url), logger: logger)
    } else {
      redis = nil
    }
    let transport = HTTPTransport(logger: logger)
    let directory = try ResourceLocator.find("migrations", environmentOverride: "LICENSEKIT_RESOURCES")
    do {
      try await Schema.update([IntegrationServer.schema(in: directory)], of: postgres, logger: logger)
    } catch let error as PostgresError where error.meaning == .rights {
      StandardError.write("DATABASE_URL: \(error.message)\n")
      throw ExitCode(78)  // EX_CONFIG
    }

    guard let baseURL = configuration.licenseKit.baseURL else { throw ConfigurationProblems([]) }
    let licenseKit: @Sendable (String) -> LicenseKitHTTPClient = {
      LicenseKitHTTPClient(baseURL: baseURL, token: $0, transport: transport)
    }
    let integration = IntegrationServer(
      configuration: configuration, postgres: postgres, redis: redis, transport: transport,
      licenseKit: licenseKit(configuration.licenseKit.token), licenseKitClient: licenseKit, logger: logger)
    let router = AppRouter(
      metrics: metrics, accessLog: IntegrationServer.accessLog, trustedProxies: process.trustedProxies,
      translate: IntegrationServer.apiFailure)
    router.addHealthRoutes([integration.readinessCheck])
    router.addMetricsRoute(metrics)
    if role != .worker { integration.addRoutes(to: router) }
    let http = HTTPService(router: router, address: process.address, limits: process.httpLimits, logger: logger) {
      address in
      process.announce(address, logger: logger)
    }
    try await runService([postgres] + integration.services(for: role) + [http], logger: logger) {
      await integration.shutdown()
      await postgres.close()
      redis?.shutdown()
      transport.shutdown()
    }
  }

  /// Ends the program with every problem on standard error, each naming its variable.
  private static func readOrExit() throws -> (ProcessSettings, IntegrationConfiguration) {
    var environment = EnvironmentReader()
    let process = ProcessSettings.read(from: &environment)
    environment.checkServiceAddresses()
    let configuration = IntegrationConfiguration.read(from: &environment, mounted: false)
    do {
      try environment.finish()
      guard let configuration else { throw ConfigurationProblems([]) }
      return (process, configuration)
    } catch {
      StandardError.write("\(error)\n")
      throw ExitCode(78)  // EX_CONFIG
    }
  }
}

extension IntegrationServer.Role: ExpressibleByArgument {}
