import ArgumentParser
import Logging
import ServerKit
import StripeAPI
import StripeIntegration

extension IntegrationProgram {
  /// Runs one of the operator's tools against the service's database, and ends with its exit code.
  static func withTools(_ body: (OperatorTools) async throws -> OperatorTools.Outcome) async throws {
    let outcome = try await run(Settings.readOrExit(), logLevel: .error) { program in
      guard let integration = program.integration else {
        StandardError.write("The Stripe integration is not configured.\n")
        throw ExitCode(78)  // EX_CONFIG
      }
      return try await body(integration.tools)
    }
    if outcome != .done { throw ExitCode(outcome.rawValue) }
  }
}
