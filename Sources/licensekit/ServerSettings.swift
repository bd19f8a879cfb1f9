import Cryptography
import HTTPTransport
import IntegrationCommands
import LicenseServer
import ServerKit
import StripeIntegration

/// Everything `licensekit` reads from its environment, read once.
struct ServerSettings: ProgramSettings {
  var process: ProcessSettings
  var keyRing: KeyRing
  /// Nil: the Stripe integration is not mounted.
  var integration: IntegrationConfiguration?
  /// The bootstrap token of the default tenant.
  var adminToken: String?
  /// Where vendors may have messages and events sent to.
  var destinations: AddressPolicy

  static func read(from environment: EnvironmentReader) throws(ConfigurationProblems) -> ServerSettings {
    var environment = environment
    let process = ProcessSettings.read(from: &environment)
    environment.checkServiceAddresses()
    let integration = IntegrationConfiguration.read(from: &environment, mounted: true)
    let destinations =
      integration?.delivery.destinations
      ?? .publicOnly(besides: DeliveryConfiguration.allowedNetworks(from: &environment))
    let adminToken = environment.optional("LICENSEKIT_API_TOKEN", isSecret: true)
    guard let keyRing = integration?.keyRing ?? environment.keyRing() else {
      try environment.finish()
      throw ConfigurationProblems([])
    }
    try environment.finish()
    return ServerSettings(
      process: process, keyRing: keyRing, integration: integration, adminToken: adminToken, destinations: destinations)
  }
}
