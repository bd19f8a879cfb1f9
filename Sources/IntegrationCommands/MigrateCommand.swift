import ArgumentParser
import ServerKit

/// `migrate`: brings the schemas up to date and ends.
struct Migrate<Program: IntegrationProgram>: AsyncParsableCommand {
  static var configuration: CommandConfiguration {
    CommandConfiguration(commandName: "migrate", abstract: "Bring the database schemas up to date.")
  }

  func run() async throws {
    let settings = try Program.Settings.readOrExit()
    try await Program.run(settings, logLevel: settings.process.logLevel) { try await $0.migrate() }
    print("The database is up to date.")
  }
}
