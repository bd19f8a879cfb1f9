public import Cryptography
public import ServerKit
import StripeAPI

extension IntegrationConfiguration {
  /// Reads the environment. Every problem is noted in the reader, whose `finish()` throws them all together.
  ///
  /// - Parameter mounted: whether the LicenseKit server runs in the same process: the integration is then off unless it
  ///   is asked for (`STRIPE_INTEGRATION_ENABLED`) or anything of Stripe is configured, and needs no address of a server.
  /// - Returns: nil when the integration is off, and when there were problems.
  public static func read(from environment: inout EnvironmentReader, mounted: Bool) -> IntegrationConfiguration? {
    let isPresent = environment.hasStripeConfiguration
    guard environment.optionalBool("STRIPE_INTEGRATION_ENABLED") ?? (!mounted || isPresent) else { return nil }

    let live = environment.mode(livemode: true)
    let test = environment.mode(livemode: false)
    if live.isAbsent, test.isAbsent {
      environment.report(
        "STRIPE_APP_CLIENT_ID",
        expected: "the app's client id with STRIPE_APP_CLIENT_SECRET beside it, or both with _TEST for test mode",
        example: "ca_123")
    }
    let webhookSecrets = environment.signingSecrets(
      "STRIPE_WEBHOOK_SECRET", expected: "the webhook endpoint's signing secret", example: "whsec_123",
      hasLiveMode: !live.isAbsent)
    let appSigningSecrets = environment.signingSecrets(
      "STRIPE_APP_SIGNING_SECRET", expected: "the app's signing secret", example: "absec_123",
      hasLiveMode: !live.isAbsent)
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
    let sweepMinutes = environment.int("STRIPE_SWEEP_MINUTES", in: 0...1_440, default: 60)

    guard environment.isFree(of: stripeVariables), let keyRing, !live.isUnusable, !test.isUnusable else { return nil }
    return IntegrationConfiguration(
      live: live.mode, test: test.mode, webhookSecrets: webhookSecrets, appSigningSecrets: appSigningSecrets,
      publicBaseURL: publicBaseURL, stripeAPIBaseURL: stripeAPIBaseURL, allowedOrigins: allowedOrigins,
      appRights: appRights, adminToken: adminToken, apiAccess: apiAccess, keyRing: keyRing,
      licenseKit: LicenseKit(baseURL: licenseKitURL, token: licenseKitToken, appURL: appURL), delivery: delivery,
      sweepInterval: sweepMinutes == 0 ? nil : .seconds(sweepMinutes * 60))
  }

  /// The variables whose presence means that the integration is wanted.
  static let announcingVariables = [
    "STRIPE_APP_CLIENT_ID", "STRIPE_APP_CLIENT_SECRET", "STRIPE_WEBHOOK_SECRET", "STRIPE_APP_SIGNING_SECRET",
  ].flatMap { [$0, $0 + "_TEST"] }

  static let stripeVariables =
    Set(
      announcingVariables + DeliveryConfiguration.variables + [
        "STRIPE_AUTHORIZE_URL", "STRIPE_AUTHORIZE_URL_TEST", "STRIPE_PUBLIC_BASE_URL", "STRIPE_API_BASE_URL",
        "STRIPE_APP_ALLOWED_ORIGINS", "STRIPE_APP_SUPPORT_ROLES", "STRIPE_APP_DISPUTE_ROLES", "STRIPE_APP_ADMIN_ROLES",
        "STRIPE_ADMIN_TOKEN", "STRIPE_APP_API_ACCESS", "STRIPE_INTEGRATION_ENABLED",
        "ENCRYPTION_KEYS", "LICENSEKIT_BASE_URL", "LICENSEKIT_API_TOKEN", "LICENSEKIT_APP_URL", "STRIPE_SWEEP_MINUTES",
      ])
}

/// What the environment says about one mode.
private enum ReadMode {
  case absent, unusable
  case present(IntegrationConfiguration.Mode)

  var mode: IntegrationConfiguration.Mode? {
    if case .present(let mode) = self { mode } else { nil }
  }

  var isAbsent: Bool {
    if case .absent = self { true } else { false }
  }

  var isUnusable: Bool {
    if case .unusable = self { true } else { false }
  }
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

  /// A mode is configured when its client id or its key is given; then both must be there.
  fileprivate mutating func mode(livemode: Bool) -> ReadMode {
    let suffix = livemode ? "" : "_TEST"
    let idName = "STRIPE_APP_CLIENT_ID" + suffix
    let keyName = "STRIPE_APP_CLIENT_SECRET" + suffix
    let link = authorizeLink(livemode: livemode)
    guard optional(idName) != nil || optional(keyName, isSecret: true) != nil else { return .absent }

    let clientID = requiredValue(
      idName, expected: "the app's client id, which begins with ca_", example: "ca_123", standIn: ""
    ) { $0.hasPrefix("ca_") && $0.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F } ? $0 : nil }
    let word = livemode ? "live" : "test"
    let expected = "the developer's secret key of \(word) mode, which begins with sk_\(word)_"
    let keys = secrets(keyName, expected: expected, example: "sk_\(word)_123", isRequired: true)
    // Restricted keys, publishable keys and the other mode's keys are refused by the token endpoint, one merchant at a
    // time; better to say it at the start (Stripe Apps docs, "OAuth 2.0").
    let wrong = ["rk_", "pk_", "whsec_", "absec_", "ca_", livemode ? "sk_test_" : "sk_live_"]
    if let prefix = wrong.first(where: { prefix in keys.contains { $0.hasPrefix(prefix) } }) {
      report(keyName, expected: expected, example: "sk_\(word)_123", found: .secret("an entry begins with \(prefix)"))
      return .unusable
    }
    guard !clientID.isEmpty, !keys.isEmpty, let link else { return .unusable }
    return .present(.init(clientID: clientID, secretKeys: keys, authorizeLink: link))
  }

  /// The test link is the live one unless it is given: the client id in it tells the mode.
  private mutating func authorizeLink(livemode: Bool) -> AuthorizeLink? {
    let given = optional("STRIPE_AUTHORIZE_URL")
    if !livemode, optional("STRIPE_AUTHORIZE_URL_TEST") != nil {
      return url("STRIPE_AUTHORIZE_URL_TEST", example: AuthorizeLink.defaultBase).map { AuthorizeLink(base: $0) }
    }
    guard let given else { return AuthorizeLink() }
    // Reported once, where the live link is read.
    guard livemode else { return AuthorizeLink(base: given) }
    return url("STRIPE_AUTHORIZE_URL", example: AuthorizeLink.defaultBase).map { AuthorizeLink(base: $0) }
  }

  /// The secrets of both modes. Live mode needs one of live mode; test mode alone needs one of either.
  fileprivate mutating func signingSecrets(
    _ name: String, expected: String, example: String, hasLiveMode: Bool
  ) -> IntegrationConfiguration.SigningSecrets {
    let prefix = String(example.prefix { $0 != "_" }) + "_"
    let expected = expected + ", which begins with \(prefix)"
    func read(_ name: String, _ environment: inout EnvironmentReader) -> [String] {
      let entries = environment.secrets(name, expected: expected, example: example)
      if entries.contains(where: { !$0.hasPrefix(prefix) }) {
        environment.report(
          name, expected: expected, example: example, found: .secret("an entry begins otherwise"))
      }
      return entries
    }
    let live = read(name, &self)
    let test = read(name + "_TEST", &self)
    let isMissing = optional(name, isSecret: true) == nil
    if isMissing, hasLiveMode || optional(name + "_TEST", isSecret: true) == nil {
      report(name, expected: hasLiveMode ? "live mode's: " + expected : expected, example: example)
    }
    return .init(live: live, test: test)
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

  /// Names of roles beside Stripe's own, such as those that a merchant made up.
  fileprivate mutating func appRights() -> AppRights {
    AppRights(
      support: roles("STRIPE_APP_SUPPORT_ROLES"), disputes: roles("STRIPE_APP_DISPUTE_ROLES"),
      administration: roles("STRIPE_APP_ADMIN_ROLES"))
  }

  private mutating func roles(_ name: String) -> [String] {
    list(name, default: [], expected: "names of roles separated by commas", example: "Support Level 2,Back office")
  }

  /// A token that a person makes up: it must be long enough that nobody guesses it.
  fileprivate mutating func token(_ name: String, expected: String) -> String {
    requiredValue(
      name, expected: expected + ", at least 16 characters without spaces",
      example: "the output of: openssl rand -hex 32",
      isSecret: true, standIn: ""
    ) { $0.utf8.count >= 16 && $0.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F } ? $0 : nil }
  }

  /// `ENCRYPTION_KEYS`; nil when it is missing or wrong, which is noted.
  public mutating func keyRing() -> KeyRing? {
    let name = "ENCRYPTION_KEYS"
    let expected = "id:key pairs separated by commas, each key 32 random bytes in Base64; the first seals"
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
