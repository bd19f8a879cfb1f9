import ArgumentParser
import Logging
import ServerKit

/// `licensekit migrate`: brings the schemas up to date and ends.
struct Migrate: AsyncParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Bring the database schemas up to date.")

  func run() async throws {
    let settings = try ServerSettings.readOrExit()
    bootstrapLogging(level: settings.process.logLevel, format: settings.process.logFormat)
    let parts = try await Parts(settings, logger: Logger(label: "licensekit"))
    try await parts.migrate()
    await parts.close()
    print("The database is up to date.")
  }
}
