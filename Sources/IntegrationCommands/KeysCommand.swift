import ArgumentParser
import Cryptography
import Logging
import ServerKit

/// `keys`: the key ring that encrypts secrets at rest.
struct Keys<Program: IntegrationProgram>: AsyncParsableCommand {
  static var configuration: CommandConfiguration {
    CommandConfiguration(
      commandName: "keys", abstract: "The keys that seal secrets at rest.",
      subcommands: [GenerateKey.self, RotateKeys<Program>.self])
  }
}

/// `keys rotate`
struct RotateKeys<Program: IntegrationProgram>: AsyncParsableCommand {
  static var configuration: CommandConfiguration {
    CommandConfiguration(
      commandName: "rotate",
      abstract: "Re-seal every stored secret with the first key of ENCRYPTION_KEYS; the other keys can be removed then."
    )
  }

  func run() async throws {
    let settings = try Program.Settings.readOrExit()
    let count = try await Program.run(settings, logLevel: .error) { try await $0.reencrypt() }
    print("\(count) secrets are sealed anew under key \(settings.keyRing.primaryKeyID).")
  }
}

/// `keys generate`
struct GenerateKey: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "generate",
    abstract:
      "Print a new entry for ENCRYPTION_KEYS; add it at the end on every replica, then put it first to seal with it.")
  @Argument(help: "The key's name, for example the date.") var id: String

  func run() throws { print(try KeyRing.newEntry(id: id)) }
}
