import ArgumentParser
import Cryptography
import Logging
import ServerKit

/// `keys`: the key ring that encrypts secrets at rest.
struct Keys<Program: IntegrationProgram>: AsyncParsableCommand {
  static var configuration: CommandConfiguration {
    CommandConfiguration(
      commandName: "keys", abstract: "The keys that encrypt stored secrets.",
      subcommands: [GenerateKey.self, RotateKeys<Program>.self])
  }
}

/// `keys rotate`
struct RotateKeys<Program: IntegrationProgram>: AsyncParsableCommand {
  static var configuration: CommandConfiguration {
    CommandConfiguration(
      commandName: "rotate",
      abstract: "Re-encrypt every secret with the first key of ENCRYPTION_KEYS. Then the other keys can be removed."
    )
  }

  func run() async throws {
    let settings = try Program.Settings.readOrExit()
    let count = try await Program.run(settings, logLevel: .error) { try await $0.reencrypt() }
    print("\(count) secrets are re-encrypted under key \(settings.keyRing.primaryKeyID).")
  }
}

/// `keys generate`
struct GenerateKey: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "generate",
    abstract:
      "Print an entry for ENCRYPTION_KEYS. Add it at the end on every replica; then put it first to encrypt with it.")
  @Argument(help: "The key's name, for example the date.") var id: String

  func run() throws { print(try KeyRing.newEntry(id: id)) }
}
