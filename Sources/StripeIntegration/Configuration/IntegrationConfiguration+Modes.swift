import ServerKit
import StripeAPI
import StripeHTTP

extension StripeEnvironment {
  /// The suffix of its variables' names.
  var suffixOfVariables: String {
    switch self {
    case .live: ""
    case .test: "_TEST"
    case .sandbox: "_SANDBOX"
    }
  }

  /// A variable's names in live mode and in the other environments.
  static func variables(_ name: String) -> [String] { allCases.map { name + $0.suffixOfVariables } }

  /// "live mode", "test mode" or "the sandbox".
  var noun: String {
    switch self {
    case .live: "live mode"
    case .test: "test mode"
    case .sandbox: "the sandbox"
    }
  }
}

/// What the variables say about the app's credentials in each environment.
struct ReadModes {
  /// The environments that have a client id or a secret key.
  var wanted: Set<StripeEnvironment> = []
  /// Those of them that can be used.
  private var usable: [StripeEnvironment: IntegrationConfiguration.Mode] = [:]

  var areUsable: Bool { wanted.count == usable.count }

  subscript(environment: StripeEnvironment) -> IntegrationConfiguration.Mode? {
    get { usable[environment] }
    set { usable[environment] = newValue }
  }
}

extension EnvironmentReader {
  /// Checks that at least one environment is configured, and that no two have the same credentials.
  mutating func modes() -> ReadModes {
    var modes = ReadModes()
    for environment in StripeEnvironment.allCases {
      let link = authorizeLink(environment)
      guard
        ["STRIPE_APP_CLIENT_ID", "STRIPE_APP_CLIENT_SECRET"].contains(where: {
          optional($0 + environment.suffixOfVariables, isSecret: true) != nil
        })
      else { continue }
      modes.wanted.insert(environment)
      modes[environment] = mode(environment, link)
    }
    if modes.wanted.isEmpty {
      report(
        "STRIPE_APP_CLIENT_ID",
        expected: "the app's client id with STRIPE_APP_CLIENT_SECRET beside it, or both with _TEST for test mode or "
          + "_SANDBOX for the sandbox",
        example: "ca_123")
    }
    requireApart(modes[.test], modes[.sandbox])
    return modes
  }

  /// Nothing in an answer from Stripe distinguishes a sandbox from test mode; only the credentials do.
  private mutating func requireApart(
    _ test: IntegrationConfiguration.Mode?, _ sandbox: IntegrationConfiguration.Mode?
  ) {
    guard let test, let sandbox else { return }
    if test.clientID == sandbox.clientID {
      report(
        "STRIPE_APP_CLIENT_ID_SANDBOX", expected: "the sandbox's own client id, not that of test mode",
        example: "ca_789", found: .value(sandbox.clientID))
    }
    if !Set(test.secretKeys).isDisjoint(with: sandbox.secretKeys) {
      report(
        "STRIPE_APP_CLIENT_SECRET_SANDBOX", expected: "the sandbox's own secret keys, none of test mode",
        example: "sk_test_789", found: .secret("STRIPE_APP_CLIENT_SECRET_TEST has the same entry"))
    }
  }

  /// Both the client id and the key must be there.
  private mutating func mode(
    _ environment: StripeEnvironment, _ link: AuthorizeLink?
  ) -> IntegrationConfiguration.Mode? {
    let idName = "STRIPE_APP_CLIENT_ID" + environment.suffixOfVariables
    let keyName = "STRIPE_APP_CLIENT_SECRET" + environment.suffixOfVariables
    let clientID = requiredValue(
      idName, expected: "the app's client id, which begins with ca_", example: "ca_123", standIn: ""
    ) { $0.hasPrefix("ca_") && $0.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F } ? $0 : nil }
    let prefix = environment.livemode ? "sk_live_" : "sk_test_"
    let expected = "the developer's secret key of \(environment.noun), which begins with \(prefix)"
    let keys = secrets(keyName, expected: expected, example: prefix + "123", isRequired: true)
    // The token endpoint refuses restricted keys, publishable keys and keys of the other mode, but only when a merchant
    // installs. It is better to report them at the start (Stripe Apps docs, "OAuth 2.0").
    let wrong = ["rk_", "pk_", "whsec_", "absec_", "ca_", environment.livemode ? "sk_test_" : "sk_live_"]
    if let found = wrong.first(where: { prefix in keys.contains { $0.hasPrefix(prefix) } }) {
      report(keyName, expected: expected, example: prefix + "123", found: .secret("an entry begins with \(found)"))
      return nil
    }
    guard !clientID.isEmpty, !keys.isEmpty, let link else { return nil }
    return .init(clientID: clientID, secretKeys: keys, authorizeLink: link)
  }

  /// An environment without a link of its own uses live mode's: the client id in the link names the environment.
  private mutating func authorizeLink(_ environment: StripeEnvironment) -> AuthorizeLink? {
    let name = "STRIPE_AUTHORIZE_URL" + environment.suffixOfVariables
    if optional(name) != nil {
      return url(name, example: AuthorizeLink.defaultBase).map { AuthorizeLink(base: $0) }
    }
    // A fault in it is reported where the live link is read.
    return optional("STRIPE_AUTHORIZE_URL").map { AuthorizeLink(base: $0) } ?? AuthorizeLink()
  }

  /// The signing secrets of all environments. Live mode needs one of its own. The others can do with live mode's, which vouch
  /// for all environments.
  mutating func signingSecrets(
    _ name: String, expected: String, example: String, for wanted: Set<StripeEnvironment>
  ) -> IntegrationConfiguration.SigningSecrets {
    let prefix = String(example.prefix { $0 != "_" }) + "_"
    let expected = expected + ", which begins with \(prefix)"
    var found: [StripeEnvironment: [String]] = [:]
    for environment in StripeEnvironment.allCases {
      let name = name + environment.suffixOfVariables
      guard optional(name, isSecret: true) != nil else { continue }
      let entries = secrets(name, expected: expected, example: example)
      if entries.contains(where: { !$0.hasPrefix(prefix) }) {
        report(name, expected: expected, example: example, found: .secret("an entry begins with something else"))
      }
      found[environment] = entries
    }
    if found[.live] == nil {
      let missing = StripeEnvironment.allCases.filter { wanted.contains($0) && found[$0] == nil }
      if missing.contains(.live) {
        report(name, expected: "live mode's: " + expected, example: example)
      } else if found.isEmpty {
        report(name, expected: expected, example: example)
      } else {
        for environment in missing {
          report(
            name + environment.suffixOfVariables, expected: "\(environment.noun)'s: \(expected)", example: example)
        }
      }
    }
    let secrets = IntegrationConfiguration.SigningSecrets(
      live: found[.live] ?? [], test: found[.test] ?? [], sandbox: found[.sandbox] ?? [])
    if !Set(secrets.test).isDisjoint(with: secrets.sandbox) {
      report(
        name + "_SANDBOX", expected: expected + " and is of the sandbox alone", example: example,
        found: .secret("an entry stands in \(name)_TEST too"))
    }
    return secrets
  }
}
