import ArgumentParser
import Foundation
import Purchases
import StripeAPI
import StripeIntegration

/// `explain`: why there is a license for something, or none.
struct Explain<Program: IntegrationProgram>: AsyncParsableCommand {
  static var configuration: CommandConfiguration {
    CommandConfiguration(
      commandName: "explain", abstract: "Say why there is a license for an id of Stripe's, or none.",
      discussion: "Exit code 0: nothing is to be done; 1: something is; 2: the account is parked or paused.")
  }
  @Argument(help: "Any id: cs_, sub_, in_, pi_, ch_, evt_, …, a fulfillment's or a license's.") var id: String
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
      abstract: "Let a running service look at purchases again, or route events again.",
      discussion: "Exit code 0: done; 1: nothing matches.")
  }
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
    try await Program.withTools { try await $0.replay(request, of: tenant.tenant) { print($0) } }
  }
}

/// `reconcile`: does in this process what a worker would do.
struct Reconcile<Program: IntegrationProgram>: AsyncParsableCommand {
  static var configuration: CommandConfiguration {
    CommandConfiguration(
      commandName: "reconcile",
      abstract: "Route the events of an account and look at its purchases here and now, until nothing is due.",
      discussion: "Safe beside a running service. Exit code 0: all is well; 1: a purchase needs a person, or waits for "
        + "another attempt; 2: the account is parked, or the other side does not answer. A dry run asks Stripe and "
        + "looks at LicenseKit, and changes nothing anywhere.")
  }
  @Argument(help: "Only this purchase, by any of its ids.") var id: String?
  @OptionGroup var tenant: TenantOptions
  @Flag(help: "Look at every purchase, also where nothing is known to be due.") var all = false
  @Flag(help: "Only say which steps would be taken, and why.") var dryRun = false

  func validate() throws {
    if all, id != nil { throw ValidationError("name one purchase, or all of them with --all") }
  }

  func run() async throws {
    try await Program.withTools { tools in
      dryRun
        ? try await tools.rehearse(tenant.tenant, only: id, all: all) { print($0) }
        : try await tools.reconcile(tenant.tenant, only: id, all: all) { print($0) }
    }
  }
}
