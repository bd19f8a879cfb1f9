import ArgumentParser
import Cryptography
import LicenseServer
import Logging
import ServerKit
import StripeIntegration

/// `licensekit keys`: the key ring that seals secrets at rest.
struct Keys: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "The keys that seal secrets at rest.", subcommands: [Generate.self, Rotate.self])

  struct Rotate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Seal everything anew under the first key of ENCRYPTION_KEYS; the others can be taken away after that.")

    func run() async throws {
      let settings = try ServerSettings.readOrExit()
      bootstrapLogging(level: .error, format: settings.process.logFormat)
      let parts = try await Parts(settings, logger: Logger(label: "licensekit"))
      let count: Int
      do {
        count = try await parts.server.administration.reseal() + (parts.integration?.reseal() ?? 0)
      } catch {
        await parts.close()
        throw error
      }
      await parts.close()
      print("\(count) secrets are sealed anew under key \(settings.keyRing.primaryKeyID).")
    }
  }

  struct Generate: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract:
        "Print a new entry for ENCRYPTION_KEYS; add it at the end on every replica, then put it first to seal with it.")
    @Argument(help: "The key's name, for example the date.") var id: String

    func run() throws { print(try KeyRing.newEntry(id: id)) }
  }
}
