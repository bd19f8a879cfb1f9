package import ArgumentParser
package import Cryptography
import Foundation
package import Logging
package import Postgres
package import ServerKit
package import ServiceLifecycle
package import StripeIntegration

/// What a program with the Stripe integration reads from its environment, once.
package protocol ProgramSettings: Sendable {
  /// What every server process needs.
  var process: ProcessSettings { get }
  /// The keys that encrypt secrets at rest.
  var keyRing: KeyRing { get }
  /// Nil if the Stripe integration is not part of the program.
  var integration: IntegrationConfiguration? { get }

  /// - Throws: every problem at once, each naming its variable.
  static func read(from environment: EnvironmentReader) throws(ConfigurationProblems) -> Self
}

extension ProgramSettings {
  /// Ends the program with every problem on standard error.
  package static func readOrExit() throws -> Self {
    do {
      return try read(from: EnvironmentReader())
    } catch {
      StandardError.write("\(error)\n")
      throw ExitCode(78)  // EX_CONFIG
    }
  }
}

/// A program that contains the Stripe integration, put together from its parts. The commands of ``IntegrationCommands`` use
/// only this protocol, so that each is the same in every such program.
package protocol IntegrationProgram: Sendable {
  associatedtype Settings: ProgramSettings

  /// The name in the shell, in the log and among the sessions of the database.
  static var name: String { get }
  /// What `serve` does, for its help.
  static var purpose: String { get }

  /// - Throws: `PostgresError` if the database, whose identity is part of the keys in Redis, does not answer.
  init(_ settings: Settings, logger: Logger) async throws

  /// The parts that every such program has.
  var common: CommonParts { get }
  /// Nil if it is not configured.
  var integration: IntegrationServer? { get }
  /// The program's parts of the database, in the order in which they are brought up to date.
  var schemas: [Schema] { get throws }
  /// Whether each schema is usable, by the name of its part of the program.
  var schemaChecks: [(owner: String, check: ReadinessCheck)] { get }

  /// Re-encrypts every stored secret with the first key.
  /// - Returns: how many there were.
  func reencrypt() async throws -> Int
  /// Runs at each start, after the schemas were brought up to date.
  func prepareToServe(_ settings: Settings) async throws
  /// All routes of a replica in this role.
  func addRoutes(to router: AppRouter, for role: IntegrationServer.Role, metrics: MetricsRegistry)
  /// The background work of a replica in this role.
  func backgroundServices(for role: IntegrationServer.Role) -> [any Service]
  /// Called after the last request: writes waiting data, then closes everything.
  func close() async
}

extension IntegrationProgram {
  /// Brings the schemas up to date; several replicas may do so at once. If only the operator can solve a problem, the program
  /// ends with a message about it.
  func migrate() async throws {
    do {
      try await Schema.update(schemas, of: common.postgres, logger: common.logger)
    } catch let error as PostgresError where error.meaning == .rights {
      StandardError.write("DATABASE_URL: \(error.message)\n")
      throw ExitCode(78)  // EX_CONFIG
    }
  }

  /// Runs a command on the program without serving anything; the parts are closed in any case.
  static func run<Result>(
    _ settings: Settings, logLevel: Logger.Level, _ body: (Self) async throws -> Result
  ) async throws -> Result {
    bootstrapLogging(level: logLevel, format: settings.process.logFormat)
    let program = try await Self(settings, logger: Logger(label: name))
    let result: Result
    do {
      result = try await body(program)
    } catch {
      await program.close()
      throw error
    }
    await program.close()
    return result
  }
}

/// The commands that every program with the Stripe integration has.
package enum IntegrationCommands<Program: IntegrationProgram> {
  /// In the order of the program's help.
  package static var all: [any ParsableCommand.Type] {
    [
      Serve<Program>.self, Migrate<Program>.self, Doctor<Program>.self, Explain<Program>.self,
      ReplaySales<Program>.self, Reconcile<Program>.self, BuyerCommand<Program>.self, Keys<Program>.self,
    ]
  }
}
