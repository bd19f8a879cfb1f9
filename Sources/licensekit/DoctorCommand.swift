import ArgumentParser
import LicenseServer
import Logging
import PDFDocuments
import Postgres
import Redis
import ServerKit
import StripeIntegration

/// `licensekit doctor`: checks what the service needs, and says what is missing.
struct Doctor: AsyncParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Check the configuration and everything it points at.")

  @Flag(help: "Also check what Stripe's marketplace asks of an app, and what is still missing for it.")
  var submission = false

  @Option(name: .customLong("extension"), help: "The folder of the Dashboard extension, with its manifest and listing.")
  var extensionFolder = "integrations/stripe-app"

  func run() async throws {
    let settings = try ServerSettings.readOrExit()
    bootstrapLogging(level: .critical, format: settings.process.logFormat)
    print("ok       configuration")
    let parts: Parts
    do {
      parts = try await Parts(settings, logger: Logger(label: "licensekit"))
    } catch let error as PostgresError {
      print("problem  database: \(error.message)")
      throw ExitCode.failure
    }
    var healthy = true
    func check(_ name: String, _ body: () async throws -> String?) async {
      do {
        let problem = try await body()
        if problem != nil { healthy = false }
        print(problem.map { "problem  \(name): \($0)" } ?? "ok       \(name)")
      } catch {
        healthy = false
        print("problem  \(name): \(error)")
      }
    }
    await check("database") {
      try await parts.postgres.checkSessions()
      return nil
    }
    await check("database roles") {
      var statements: [String] = []
      for schema in try parts.schemas { statements += try await schema.gap(parts.postgres).statements }
      return statements.isEmpty ? nil : "run as an administrator: " + statements.map { $0 + ";" }.joined(separator: " ")
    }
    await check("schema of the LicenseKit server") { await parts.server.readinessCheck.problem() }
    if let integration = parts.integration {
      await check("schema of the Stripe integration") { await integration.readinessCheck.problem() }
    }
    if let redis = parts.redis {
      await check("Redis") {
        try await redis.ping()
        return nil
      }
    } else {
      print("note     REDIS_URL is not set: the app cannot be installed, and limits hold for each process by itself")
    }
    await check("PDF documents") { PDFDocument.obstacle().map { "\($0) (libcairo2, fonts-dejavu-core)" } }
    if submission, try await !checkSubmission(parts, settings) { healthy = false }
    await parts.close()
    if !healthy { throw ExitCode.failure }
  }
}
