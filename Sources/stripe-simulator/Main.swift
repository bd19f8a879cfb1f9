import ArgumentParser
import Foundation
import Logging
import ServerKit

/// A Stripe for development, tests and load tests.
@main
struct StripeSimulator: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "stripe-simulator",
    abstract: "A Stripe for development, tests and load tests: the API, OAuth for apps, webhooks, and a control API.",
    subcommands: [Serve.self], defaultSubcommand: Serve.self)
}

/// `stripe-simulator serve`. Every option can be given as an environment variable too; the option wins.
struct Serve: AsyncParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Runs the simulator until it is stopped.")

  @Option(help: "Where to listen; port 0 lets the system choose. STRIPE_SIMULATOR_ADDRESS, default 127.0.0.1:0")
  var address: String?
  @Option(help: "A file that receives the bound port. STRIPE_SIMULATOR_PORT_FILE")
  var portFile: String?
  @Option(help: "A file that keeps the state over restarts. STRIPE_SIMULATOR_STATE")
  var state: String?
  @Option(help: "Makes ids and faults repeatable; random by default. STRIPE_SIMULATOR_SEED")
  var seed: UInt64?
  @Option(help: "The developer's live secret key. STRIPE_SIMULATOR_LIVE_KEY, default sk_live_simulator")
  var liveKey: String?
  @Option(help: "The developer's test secret key. STRIPE_SIMULATOR_TEST_KEY, default sk_test_simulator")
  var testKey: String?
  @Option(help: "The app's live client id. STRIPE_SIMULATOR_LIVE_CLIENT_ID, default ca_live_simulator")
  var liveClientID: String?
  @Option(help: "The app's test client id. STRIPE_SIMULATOR_TEST_CLIENT_ID, default ca_test_simulator")
  var testClientID: String?
  @Option(help: "The app's name. STRIPE_SIMULATOR_APP_NAME")
  var appName: String?
  @Option(
    help: "An allowed redirect address (repeatable; none allows all). STRIPE_SIMULATOR_REDIRECT_URIS, comma-separated")
  var redirectURI: [String] = []
  @Option(
    help:
      "A webhook endpoint: mode,url,secret[,api_version] (repeatable). STRIPE_SIMULATOR_ENDPOINTS, separated by spaces")
  var endpoint: [String] = []
  @Option(
    help:
      "A merchant account to start with: acct_id[=name] (repeatable), with a catalogue. STRIPE_SIMULATOR_ACCOUNTS, comma-separated"
  )
  var account: [String] = []
  @Option(help: "Milliseconds before the second attempt of a delivery. STRIPE_SIMULATOR_RETRY_BASE_MS, default 200")
  var retryBaseMs: Int64?
  @Option(help: "Attempts before a delivery is given up. STRIPE_SIMULATOR_MAXIMUM_ATTEMPTS, default 16")
  var maximumAttempts: Int?

  func run() async throws {
    let configuration = try SimulatorConfiguration(self, environment: ProcessInfo.processInfo.environment)
    try await SimulatorServer(configuration).run()
  }
}
