import ArgumentParser

/// The LicenseKit server, with the Stripe integration mounted where it is configured.
@main
struct LicenseKitCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "licensekit",
    abstract: "A LicenseKit server that turns Stripe payments into licenses.",
    discussion: "Configuration comes from the environment; docs/configuration.md lists it.",
    subcommands: [
      Serve.self, Migrate.self, Doctor.self, Explain.self, ReplaySales.self, Reconcile.self, BuyerCommand.self,
      Keys.self, Admin.self,
    ])
}
