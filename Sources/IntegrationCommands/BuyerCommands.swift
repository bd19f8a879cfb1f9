import ArgumentParser
import StripeAPI
import StripeIntegration

/// `buyer`: what a buyer may ask for by law.
struct BuyerCommand<Program: IntegrationProgram>: AsyncParsableCommand {
  static var configuration: CommandConfiguration {
    CommandConfiguration(
      commandName: "buyer", abstract: "Show or erase what is stored about a buyer.",
      subcommands: [ExportBuyer<Program>.self, EraseBuyer<Program>.self])
  }
}

/// `buyer export`
struct ExportBuyer<Program: IntegrationProgram>: AsyncParsableCommand {
  static var configuration: CommandConfiguration {
    CommandConfiguration(
      commandName: "export", abstract: "Print everything that is stored about a buyer, as JSON.",
      discussion: "Exit code 0: done; 1: the id is unknown.")
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
      commandName: "erase", abstract: "Erase a buyer's name and addresses here and at LicenseKit.",
      discussion: "The records of sales and licenses stay, with ids only. Exit code 0: done; 1: the id is unknown.")
  }
  @Argument(help: "A Stripe customer, cus_…, or any id of a purchase.") var id: String
  @OptionGroup var tenant: TenantOptions

  func run() async throws {
    try await Program.withTools { try await $0.eraseBuyer(id, of: tenant.tenant) { print($0) } }
  }
}
