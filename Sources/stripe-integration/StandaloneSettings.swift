import Cryptography
import IntegrationCommands
import ServerKit
import StripeIntegration

/// Everything `stripe-integration` reads from its environment, read once.
struct StandaloneSettings: ProgramSettings {
  let process: ProcessSettings
  let stripe: IntegrationConfiguration
  /// Where the LicenseKit is.
  let licenseKitURL: String

  var keyRing: KeyRing { stripe.keyRing }
  var integration: IntegrationConfiguration? { stripe }

  static func read(from environment: EnvironmentReader) throws(ConfigurationProblems) -> StandaloneSettings {
    var environment = environment
    let process = ProcessSettings.read(from: &environment)
    environment.checkServiceAddresses()
    let configuration = IntegrationConfiguration.read(from: &environment, mounted: false)
    try environment.finish()
    guard let configuration, let licenseKitURL = configuration.licenseKit.baseURL else {
      throw ConfigurationProblems([])
    }
    return StandaloneSettings(process: process, stripe: configuration, licenseKitURL: licenseKitURL)
  }
}
