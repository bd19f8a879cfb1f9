package import Cryptography
package import ServerKit
import StripeAPI
import StripeHTTP

extension IntegrationConfiguration {
  /// Reads the environment. Every problem is recorded in the reader, whose `finish()` throws all of them together.
  ///
  /// - Parameter mounted: whether the LicenseKit server runs in the same process. Then the integration is off unless
  ///   `STRIPE_INTEGRATION_ENABLED` asks for it or anything of Stripe is configured, and it needs no server address.
  /// - Returns: nil if the integration is off, and if there were problems.
  package static func read(from environment: inout EnvironmentReader, mounted: Bool) -> IntegrationConfiguration? {
    let isPresent = environment.hasStripeConfiguration
    guard environment.optionalBool("STRIPE_INTEGRATION_ENABLED") ?? (!mounted || isPresent) else { return nil }

    let modes = environment.modes()
    let webhookSecrets = environment.signingSecrets(
      "STRIPE_WEBHOOK_SECRET", expected: "the webhook endpoint's signing secret", example: "whsec_123",
      for: modes.wanted)
    let appSigningSecrets = environment.signingSecrets(
      "STRIPE_APP_SIGNING_SECRET", expected: "the app's signing secret", example: "absec_123", for: modes.wanted)
    let publicBaseURL = environment.requiredURL("STRIPE_PUBLIC_BASE_URL", example: "https://licenses.example.com")
    let stripeAPIBaseURL = environment.url("STRIPE_API_BASE_URL", default: StripeClient.defaultBaseURL)
    let allowedOrigins = environment.origins()
    let appRights = environment.appRights()
    let adminToken = environment.token("STRIPE_ADMIN_TOKEN", expected: "the operator's token for the admin routes")
    let apiAccess = environment.choice("STRIPE_APP_API_ACCESS", default: APIAccess.oauth)
    let keyRing = environment.keyRing()
    let licenseKitURL = environment.url("LICENSEKIT_BASE_URL", example: "https://api.licensekit.dev")
    if licenseKitURL == nil, !mounted {
      _ = environment.requiredURL("LICENSEKIT_BASE_URL", example: "https://api.licensekit.dev")
    }
    let licenseKitToken = environment.required(
      "LICENSEKIT_API_TOKEN", expected: "the token that LicenseKit is called with", example: "lkm_123", isSecret: true)
    let appURL = environment.url("LICENSEKIT_APP_URL", example: "https://app.licensekit.dev")
    let delivery = DeliveryConfiguration.read(from: &environment)
    let eventSyncMinutes = environment.int("STRIPE_SWEEP_MINUTES", in: 0...1_440, default: 60)
    let backgroundWork = BackgroundWork.read(from: &environment)
    let appID =
      environment.value(
        "STRIPE_APP_ID", expected: "the app's id as its manifest has it: letters, digits, dots, dashes and underscores",
        example: defaultAppID
      ) { $0.utf8.count <= 255 && $0.utf8.allSatisfy(\.isInAppID) ? $0 : nil } ?? defaultAppID

    guard environment.isFree(of: stripeVariables), let keyRing, modes.areUsable else { return nil }
    return IntegrationConfiguration(
      live: modes[.live], test: modes[.test], sandbox: modes[.sandbox], webhookSecrets: webhookSecrets,
      appSigningSecrets: appSigningSecrets, publicBaseURL: publicBaseURL, stripeAPIBaseURL: stripeAPIBaseURL,
      allowedOrigins: allowedOrigins, appRights: appRights, adminToken: adminToken, apiAccess: apiAccess,
      keyRing: keyRing,
      licenseKit: LicenseKit(baseURL: licenseKitURL, token: licenseKitToken, appURL: appURL), delivery: delivery,
      eventSyncInterval: eventSyncMinutes == 0 ? nil : .seconds(eventSyncMinutes * 60),
      backgroundWork: backgroundWork, appID: appID)
  }

  /// If any of these variables is set, the integration is wanted.
  static let announcingVariables = [
    "STRIPE_APP_CLIENT_ID", "STRIPE_APP_CLIENT_SECRET", "STRIPE_WEBHOOK_SECRET", "STRIPE_APP_SIGNING_SECRET",
  ].flatMap(StripeEnvironment.variables)

  static let stripeVariables = Set(announcingVariables)
    .union(DeliveryConfiguration.variables)
    .union(BackgroundWork.variables)
    .union(["STRIPE_AUTHORIZE_URL"].flatMap(StripeEnvironment.variables))
    .union([
      "STRIPE_PUBLIC_BASE_URL", "STRIPE_API_BASE_URL", "STRIPE_APP_ALLOWED_ORIGINS", "STRIPE_APP_SUPPORT_ROLES",
      "STRIPE_APP_DISPUTE_ROLES", "STRIPE_APP_ADMIN_ROLES", "STRIPE_ADMIN_TOKEN", "STRIPE_APP_API_ACCESS",
      "STRIPE_INTEGRATION_ENABLED", "ENCRYPTION_KEYS", "LICENSEKIT_BASE_URL", "LICENSEKIT_API_TOKEN",
      "LICENSEKIT_APP_URL", "STRIPE_SWEEP_MINUTES",
      "STRIPE_APP_ID",
    ])
}

extension EnvironmentReader {
  fileprivate var hasStripeConfiguration: Bool {
    IntegrationConfiguration.announcingVariables.contains { optional($0, isSecret: true) != nil }
  }

  /// Whether none of these variables had a problem.
  fileprivate func isFree(of names: Set<String>) -> Bool {
    do {
      try finish()
      return true
    } catch {
      return !error.problems.contains { names.contains($0.name) }
    }
  }

  fileprivate mutating func origins() -> [String] {
    let expected = "origins separated by commas: null, or scheme and host without a path"
    let example = IntegrationConfiguration.defaultAllowedOrigins.joined(separator: ",")
    let origins = list(
      "STRIPE_APP_ALLOWED_ORIGINS", default: IntegrationConfiguration.defaultAllowedOrigins, expected: expected,
      example: example)
    let isUsable = origins.allSatisfy { origin in
      guard origin != "null" else { return true }
      let parts = origin.split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false)
      return ServiceURL.normalized(origin) == origin && parts.count == 3 && !parts[2].contains { "/?".contains($0) }
    }
    if !isUsable {
      report(
        "STRIPE_APP_ALLOWED_ORIGINS", expected: expected, example: example,
        found: .value(origins.joined(separator: ",")))
    }
    return origins
  }

  /// Names of roles other than Stripe's own, such as roles that a merchant made.
  fileprivate mutating func appRights() -> AppRights {
    AppRights(
      support: roles("STRIPE_APP_SUPPORT_ROLES"), disputes: roles("STRIPE_APP_DISPUTE_ROLES"),
      administration: roles("STRIPE_APP_ADMIN_ROLES"))
  }

  private mutating func roles(_ name: String) -> [String] {
    list(name, default: [], expected: "names of roles separated by commas", example: "Support Level 2,Back office")
  }

  /// A token chosen by a person: it must be too long to guess.
  fileprivate mutating func token(_ name: String, expected: String) -> String {
    requiredValue(
      name, expected: expected + ", at least 16 characters without spaces",
      example: "the output of: openssl rand -hex 32",
      isSecret: true, standIn: ""
    ) { $0.utf8.count >= 16 && $0.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F } ? $0 : nil }
  }

  /// `ENCRYPTION_KEYS`; nil if it is missing or wrong, which is recorded.
  package mutating func keyRing() -> KeyRing? {
    let name = "ENCRYPTION_KEYS"
    let expected = "id:key pairs separated by commas, each key 32 random bytes in Base64; the first encrypts"
    let example = "k1: and the output of: openssl rand -base64 32"
    guard let text = optional(name, isSecret: true) else {
      report(name, expected: expected, example: example)
      return nil
    }
    do {
      return try KeyRing(parsing: text)
    } catch {
      report(name, expected: expected, example: example, found: .secret(error.description))
      return nil
    }
  }
}

extension UInt8 {
  fileprivate var isInAppID: Bool {
    switch self {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
      true
    default: false
    }
  }
}
