public import ArgumentParser
import Foundation
import Identity
import Logging
import ServerKit
public import StripeIntegration

/// Which Stripe account a command is about.
struct TenantOptions: ParsableArguments {
  @Option(help: "The Stripe account, acct_…") var account: String
  @Flag(help: "The mode of the account.") var mode: Mode = .live

  enum Mode: String, EnumerableFlag { case live, test }

  var tenant: Tenant { Tenant(account: .init(account), livemode: mode == .live) }

  func validate() throws {
    guard account.hasPrefix("acct_") else {
      throw ValidationError("'\(account)' is no Stripe account; it begins with acct_")
    }
  }
}

/// `licensekit explain`: why there is a license for something, or none.
struct Explain: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Say why there is a license for an id of Stripe's, or none.",
    discussion: "Exit code 0: nothing is to be done; 1: something is; 2: the account stands still.")
  @Argument(help: "Any id: cs_, sub_, in_, pi_, ch_, evt_, …, a fulfillment's or a license's.") var id: String
  @OptionGroup var tenant: TenantOptions

  func run() async throws {
    try await withTools { try await $0.explain(id, of: tenant.tenant) { print($0) } }
  }
}

/// `licensekit replay`: looks at purchases again, or routes events again.
struct ReplaySales: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "replay",
    abstract: "Let a running service look at purchases again, or route events again.",
    discussion: "Exit code 0: done; 1: nothing matches.")
  @Argument(help: "One purchase, by any of its ids, or one event.") var id: String?
  @OptionGroup var tenant: TenantOptions
  @Option(help: "Purchases in this state: \(PurchaseStatus.allCases.map(\.rawValue).joined(separator: ", ")).")
  var status: PurchaseStatus?
  @Option(help: "Purchases whose reason has this in it.") var reason: String?
  @Option(help: "Events in this state: failed, waiting, ignored, done.") var event: String?
  @Option(help: "Events of this type, for example invoice.paid.") var type: String?
  @Option(help: "From this time on, for example 2026-01-31T00:00:00Z.", transform: parseTime) var from: Date?
  @Option(help: "Before this time.", transform: parseTime) var to: Date?
  @Flag(help: "Only say what would be replayed.") var dryRun = false

  private var request: OperatorTools.ReplayRequest {
    var request = OperatorTools.ReplayRequest()
    (request.id, request.status, request.reason) = (id, status, reason)
    (request.eventState, request.eventType) = (event, type)
    (request.from, request.to, request.isDry) = (from, to, dryRun)
    return request
  }

  func validate() throws {
    if let problem = request.problem { throw ValidationError(problem) }
  }

  func run() async throws {
    try await withTools { try await $0.replay(request, of: tenant.tenant) { print($0) } }
  }
}

/// `licensekit reconcile`: does here and now what a worker would do.
struct Reconcile: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Route the events of an account and look at its purchases here and now, until nothing is due.",
    discussion: "Safe beside a running service. Exit code 0: all is well; 1: a purchase needs a person, or waits for "
      + "another attempt; 2: the account stands still, or the other side does not answer. A dry run asks Stripe and "
      + "looks at LicenseKit, and changes nothing anywhere.")
  @Argument(help: "Only this purchase, by any of its ids.") var id: String?
  @OptionGroup var tenant: TenantOptions
  @Flag(help: "Look at every purchase, also where nothing is known to be due.") var all = false
  @Flag(help: "Only say which steps would be taken, and why.") var dryRun = false

  func validate() throws {
    if all, id != nil { throw ValidationError("name one purchase, or all of them with --all") }
  }

  func run() async throws {
    try await withTools { tools in
      dryRun
        ? try await tools.rehearse(tenant.tenant, only: id, all: all) { print($0) }
        : try await tools.reconcile(tenant.tenant, only: id, all: all) { print($0) }
    }
  }
}

/// `licensekit buyer`: what a buyer may ask for by law.
struct BuyerCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "buyer", abstract: "Show what is kept about a buyer, or erase it.",
    subcommands: [ExportBuyer.self, EraseBuyer.self])
}

/// `licensekit buyer export`
struct ExportBuyer: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export", abstract: "Print everything that is kept about a buyer, as JSON.",
    discussion: "Exit code 0: done; 1: nothing is known of the id.")
  @Argument(help: "A Stripe customer, cus_…, or any id of a purchase.") var id: String
  @OptionGroup var tenant: TenantOptions

  func run() async throws {
    try await withTools { try await $0.exportBuyer(id, of: tenant.tenant) { print($0) } }
  }
}

/// `licensekit buyer erase`
struct EraseBuyer: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "erase", abstract: "Take a buyer's name and addresses away, here and at LicenseKit.",
    discussion: "What was sold and given stays, by its ids. Exit code 0: done; 1: nothing is known of the id.")
  @Argument(help: "A Stripe customer, cus_…, or any id of a purchase.") var id: String
  @OptionGroup var tenant: TenantOptions

  func run() async throws {
    try await withTools { try await $0.eraseBuyer(id, of: tenant.tenant) { print($0) } }
  }
}

extension PurchaseStatus: ExpressibleByArgument {}

/// A time as an option of a command.
@Sendable func parseTime(_ text: String) throws -> Date {
  guard let date = try? Date(text, strategy: .iso8601) else {
    throw ValidationError("'\(text)' is no time such as 2026-01-31T00:00:00Z")
  }
  return date
}

/// Runs a tool against the service's database, without serving anything, and ends with its exit code.
private func withTools(_ body: (OperatorTools) async throws -> OperatorTools.Outcome) async throws {
  let settings = try ServerSettings.readOrExit()
  bootstrapLogging(level: .error, format: settings.process.logFormat)
  let parts = try await Parts(settings, logger: Logger(label: "licensekit"))
  guard let integration = parts.integration else {
    StandardError.write("The Stripe integration is not configured.\n")
    await parts.close()
    throw ExitCode(78)  // EX_CONFIG
  }
  let outcome: OperatorTools.Outcome
  do {
    outcome = try await body(integration.tools)
  } catch {
    await parts.close()
    throw error
  }
  await parts.close()
  if outcome != .done { throw ExitCode(outcome.rawValue) }
}
