import ArgumentParser
import LicenseKitAPI
import LicenseKitHTTP
import Logging
import PDFDocuments
import Postgres
import Redis
import ServerKit
import StripeAPI
import StripeIntegration

/// `doctor`: checks what the program needs, and says what is missing.
struct Doctor<Program: IntegrationProgram>: AsyncParsableCommand {
  static var configuration: CommandConfiguration {
    CommandConfiguration(
      commandName: "doctor", abstract: "Check the configuration and everything it points at.",
      discussion: "Exit code 0: all is well; 1: something is not; 78: the configuration is wrong.")
  }

  @Flag(help: "Also check what Stripe's marketplace requires of an app, and list what is still missing.")
  var submission = false

  @Option(name: .customLong("extension"), help: "The folder of the Dashboard extension, with its manifest and listing.")
  var extensionFolder = "integrations/stripe-app"

  func run() async throws {
    let settings = try Program.Settings.readOrExit()
    print("ok       configuration")
    let isHealthy: Bool
    do {
      isHealthy = try await Program.run(settings, logLevel: .critical) { program in
        let isWell = try await Self.check(program, settings)
        guard submission else { return isWell }
        let isComplete = try await Submission(folder: extensionFolder).check(
          settings.integration, transport: program.common.transport)
        return isWell && isComplete
      }
    } catch let error as PostgresError {
      print("problem  database: \(error.message)")
      throw ExitCode.failure
    }
    if !isHealthy { throw ExitCode.failure }
  }

  /// - Returns: whether all is well.
  private static func check(_ program: Program, _ settings: Program.Settings) async throws -> Bool {
    let common = program.common
    var isHealthy = true
    func check(_ name: String, _ body: () async throws -> String?) async {
      do {
        let problem = try await body()
        if problem != nil { isHealthy = false }
        print(problem.map { "problem  \(name): \($0)" } ?? "ok       \(name)")
      } catch {
        isHealthy = false
        print("problem  \(name): \(error)")
      }
    }
    await check("database") {
      try await common.postgres.checkSessions()
      return nil
    }
    await check("database roles") {
      var statements: [String] = []
      for schema in try program.schemas { statements += try await schema.gap(common.postgres).statements }
      return statements.isEmpty ? nil : "run as an administrator: " + statements.map { $0 + ";" }.joined(separator: " ")
    }
    for (owner, readiness) in program.schemaChecks {
      await check("schema of \(owner)") { await readiness.problem() }
    }
    if let integration = program.integration {
      await check("installations") {
        // Something that a vendor or Stripe must do is no problem of this service.
        for note in try await integration.installReport() { print("note     installations: \(note)") }
        return nil
      }
    }
    if let redis = common.redis {
      await check("Redis") {
        try await redis.ping()
        return nil
      }
    } else {
      print("note     REDIS_URL is not set: the app cannot be installed, and each process counts its limits alone")
    }
    await check("PDF documents") { PDFDocument.obstacle().map { "\($0) (libcairo2, fonts-dejavu-core)" } }
    if let licenseKit = settings.integration?.licenseKit, let baseURL = licenseKit.baseURL {
      let client = LicenseKitHTTPClient(
        baseURL: baseURL, token: licenseKit.token, transport: common.transport, deadline: .seconds(10))
      await check("LicenseKit at \(baseURL)") { await problem(of: client) }
    }
    return isHealthy
  }

  /// Whether the LicenseKit elsewhere answers and accepts the token.
  private static func problem(of licenseKit: LicenseKitHTTPClient) async -> String? {
    do {
      _ = try await licenseKit.listProducts(limit: 1)
      return nil
    } catch {
      if error.retry == .credential { return "it refuses LICENSEKIT_API_TOKEN: \(error)" }
      return error.status == nil ? "it does not answer: \(error)" : "\(error)"
    }
  }
}
