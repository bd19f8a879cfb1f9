import ArgumentParser
import Cryptography

/// `licensekit keys`: the key ring that seals secrets at rest.
struct Keys: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "The keys that seal secrets at rest.", subcommands: [Generate.self])

  struct Generate: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Print a new entry for ENCRYPTION_KEYS; put it first to seal with it, keep the others to open.")
    @Argument(help: "The key's name, for example the date.") var id: String

    func run() throws { print(try KeyRing.newEntry(id: id)) }
  }
}
