import ArgumentParser
import IntegrationCommands
import StripeAPI

/// The Stripe integration alone, driving a LicenseKit elsewhere.
@main
struct StripeIntegrationCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: StandaloneParts.name,
    abstract: "Turns Stripe payments into licenses at the LicenseKit named by LICENSEKIT_BASE_URL.",
    discussion: "Configuration comes from the environment; docs/configuration.md lists it.",
    subcommands: IntegrationCommands<StandaloneParts>.all)
}
