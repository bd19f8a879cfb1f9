import ArgumentParser
import Identity
import IntegrationCommands
import JSON
import LicenseServer
import Logging
import Postgres
import ServerKit

/// Whose world a command is about.
struct TenantOption: ParsableArguments {
  @Option(name: .customLong("tenant"), help: "The tenant's id.") private var text = "default"

  var id: TenantID { TenantID(text) }
}

/// How a command says what it did.
struct OutputOption: ParsableArguments {
  @Flag(help: "Print JSON.") var json = false

  /// Prints a value as one line of JSON, or the lines that people read.
  func print(_ value: some Encodable, lines: () -> [String]) throws {
    if json {
      Swift.print(try JSONCoding.encode(value).text())
    } else {
      for line in lines() { Swift.print(line) }
    }
  }
}

/// Runs a command against the server's database, without serving anything, and ends with an exit code that tells what kind
/// of trouble there was.
func withAdministration<T>(_ body: (TenantAdministration) async throws -> T) async throws -> T {
  let settings = try ServerSettings.readOrExit()
  bootstrapLogging(level: .error, format: settings.process.logFormat)
  let parts: Parts
  do {
    parts = try await Parts(settings, logger: Logger(label: "licensekit"))
  } catch {
    throw AdminTrouble.exitCode(for: error)
  }
  do {
    let value = try await body(parts.server.administration)
    await parts.close()
    return value
  } catch {
    await parts.close()
    throw AdminTrouble.exitCode(for: error)
  }
}

enum AdminTrouble {
  /// Says what is wrong on standard error.
  /// - Returns: 1 for what was refused, 69 (EX_UNAVAILABLE) when the database does not answer, 70 (EX_SOFTWARE) for the rest.
  static func exitCode(for error: any Error) -> ExitCode {
    switch error {
    case let failure as APIFailure where failure.code == "STORAGE_UNAVAILABLE":
      return say("the database does not answer", 69)
    case let failure as APIFailure where failure.code == "NOT_FOUND":
      return notThere(failure.detail ?? "record")
    case let failure as APIFailure:
      return say(failure.detail ?? failure.message, 1)
    case let failure as PostgresError where failure.meaning == .away || failure.meaning == .rights:
      return say("the database does not answer: \(failure.message)", 69)
    default:
      return say("\(error)", 70)
    }
  }

  /// What a command is about is not there: says so, and is the exit code 1.
  static func notThere(_ subject: String) -> ExitCode { say("there is no such \(subject)", 1) }

  private static func say(_ sentence: String, _ code: Int32) -> ExitCode {
    StandardError.write("error: \(sentence)\n")
    return ExitCode(code)
  }
}
