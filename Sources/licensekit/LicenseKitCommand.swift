import ArgumentParser
import IntegrationCommands
import StripeAPI

/// The LicenseKit server, with the Stripe integration mounted where it is configured.
@main
struct LicenseKitCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: Parts.name,
    abstract: "A LicenseKit server that turns Stripe payments into licenses.",
    discussion: "Configuration comes from the environment; docs/configuration.md lists it.",
    subcommands: IntegrationCommands<Parts>.all + [Admin.self])
}
