import ArgumentParser
import StripeAPI
import StripeIntegration

/// `buyer`: what a buyer may ask for by law.
struct BuyerCommand<Program: IntegrationProgram>: AsyncParsableCommand {
  static var configuration: CommandConfiguration {
    CommandConfiguration(
      commandName: "buyer", abstract: "Show what is kept about a buyer, or erase it.",
      subcommands: [ExportBuyer<Program>.self, EraseBuyer<Program>.self])
  }
}

/// `buyer export`
struct ExportBuyer<Program: IntegrationProgram>: AsyncParsableCommand {
  static var configuration: CommandConfiguration {
    CommandConfiguration(
      commandName: "export", abstract: "Print everything that is kept about a buyer, as JSON.",
      discussion: "Exit code 0: done; 1: nothing is known of the id.")
  }
  @Argument(help: "A Stripe customer, cus_…, or any id of a purchase.") var id: String
  @OptionGroup var tenant: TenantOptions

  func run() async throws {
    try await Program.withTools { try await $0.exportBuyer(id, of: tenant.tenant) { print($0) } }
  }
}

/// `buyer erase`
struct EraseBuyer<Program: IntegrationProgram>: AsyncParsableCommand {
  static var configuration: CommandConfiguration {
    CommandConfiguration(
      commandName: "erase", abstract: "Take a buyer's name and addresses away, here and at LicenseKit.",
      discussion: "What was sold and given stays, by its ids. Exit code 0: done; 1: nothing is known of the id.")
  }
  @Argument(help: "A Stripe customer, cus_…, or any id of a purchase.") var id: String
  @OptionGroup var tenant: TenantOptions

  func run() async throws {
    try await Program.withTools { try await $0.eraseBuyer(id, of: tenant.tenant) { print($0) } }
  }
}
