import ArgumentParser
import Logging
import ServerKit
package import StripeIntegration

/// `serve`: migrates, then listens.
struct Serve<Program: IntegrationProgram>: AsyncParsableCommand {
  static var configuration: CommandConfiguration {
    CommandConfiguration(commandName: "serve", abstract: Program.purpose, discussion: "Migrates, then listens.")
  }

  @Option(help: "What this replica does: web, worker or all.")
  var role: IntegrationServer.Role = .all

  func run() async throws {
    let settings = try Program.Settings.readOrExit()
    bootstrapLogging(level: settings.process.logLevel, format: settings.process.logFormat)
    let metrics = MetricsRegistry()
    metrics.bootstrap()
    let logger = Logger(label: Program.name)

    let program = try await Program(settings, logger: logger)
    try await program.migrate()
    try await program.prepareToServe(settings)

    let router = AppRouter(
      metrics: metrics, accessLog: IntegrationServer.accessLog, trustedProxies: settings.process.trustedProxies,
      translate: IntegrationServer.apiFailure)
    program.addRoutes(to: router, for: role, metrics: metrics)
    let http = HTTPService(
      router: router, address: settings.process.address, limits: settings.process.httpLimits, logger: logger
    ) { address in
      settings.process.announce(address, logger: logger)
    }
    try await runService(program.common.services + program.backgroundServices(for: role) + [http], logger: logger) {
      await program.close()
    }
  }
}

extension IntegrationServer.Role: ExpressibleByArgument {}
