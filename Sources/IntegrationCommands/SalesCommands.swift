import ArgumentParser
import Foundation
import Purchases
import StripeAPI
import StripeIntegration

/// `explain`: why there is a license for something, or none.
struct Explain<Program: IntegrationProgram>: AsyncParsableCommand {
  static var configuration: CommandConfiguration {
    CommandConfiguration(
      commandName: "explain", abstract: "Say why there is a license for a Stripe id, or why there is none.",
      discussion: "Exit code 0: there is nothing to do; 1: there is; 2: nothing is done for the account at present.")
  }
  @Argument(help: "Any id: cs_, sub_, in_, pi_, ch_, evt_, …, or the id of a fulfillment or license.") var id: String
  @OptionGroup var tenant: TenantOptions

  func run() async throws {
    try await Program.withTools { try await $0.explain(id, of: tenant.tenant) { print($0) } }
  }
}

/// `replay`: looks at purchases again, or routes events again.
struct ReplaySales<Program: IntegrationProgram>: AsyncParsableCommand {
  static var configuration: CommandConfiguration {
    CommandConfiguration(
      commandName: "replay",
      abstract: "Make a running service reconcile purchases again, or route events again.",
      discussion: "Exit code 0: done; 1: nothing matches.")
  }
  @Argument(help: "One purchase, by any of its ids, or one event.") var id: String?
  @OptionGroup var tenant: TenantOptions
  @Option(help: "Purchases in this state: \(PurchaseStatus.allCases.map(\.rawValue).joined(separator: ", ")).")
  var status: PurchaseStatus?
  @Option(help: "Purchases whose reason contains this text.") var reason: String?
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
    try await Program.withTools { try await $0.replay(request, of: tenant.tenant) { print($0) } }
  }
}

/// `reconcile`: does in this process what a worker would do.
struct Reconcile<Program: IntegrationProgram>: AsyncParsableCommand {
  static var configuration: CommandConfiguration {
    CommandConfiguration(
      commandName: "reconcile",
      abstract: "Route the events of an account and reconcile its purchases in this process, until nothing is due.",
      discussion: "Safe beside a running service. Exit code 0: all is well; 1: a purchase needs a person, or waits for "
        + "another attempt; 2: the account is blocked, or Stripe or LicenseKit does not answer. A dry run only reads "
        + "from Stripe and LicenseKit, and changes nothing.")
  }
  @Argument(help: "Only this purchase, by any of its ids.") var id: String?
  @OptionGroup var tenant: TenantOptions
  @Flag(help: "Reconcile every purchase, even if nothing is known to be due.") var all = false
  @Flag(help: "Only say which steps would be taken, and why.") var dryRun = false

  func validate() throws {
    if all, id != nil { throw ValidationError("give one purchase or --all, not both") }
  }

  func run() async throws {
    try await Program.withTools { tools in
      dryRun
        ? try await tools.rehearse(tenant.tenant, only: id, all: all) { print($0) }
        : try await tools.reconcile(tenant.tenant, only: id, all: all) { print($0) }
    }
  }
}
