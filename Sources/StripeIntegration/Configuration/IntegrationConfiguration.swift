package import Cryptography
package import StripeAPI
package import StripeHTTP

/// Everything that the environment configures about the Stripe integration, read once and checked as a whole.
package struct IntegrationConfiguration: Sendable {
  /// How Stripe is called for a merchant. An app cannot change its kind later (Stripe Apps docs, "Authentication").
  package enum APIAccess: String, Sendable, Hashable, CaseIterable {
    /// With the tokens of each installation.
    case oauth
    /// With the developer's own key and a `Stripe-Account` header.
    case platform
  }

  /// The app's credentials in one environment. Live, test and sandbox are separate installations with separate keys.
  package struct Mode: Sendable {
    /// `ca_…`
    package let clientID: String
    /// The developer's secret keys of this environment. The first is used; the others are tried while it is being replaced.
    package let secretKeys: [String]
    /// The link that starts an installation in this environment.
    package let authorizeLink: AuthorizeLink

    /// - Precondition: there is at least one secret key.
    package init(clientID: String, secretKeys: [String], authorizeLink: AuthorizeLink = AuthorizeLink()) {
      precondition(!secretKeys.isEmpty, "a mode has at least one secret key")
      self.clientID = clientID
      self.secretKeys = secretKeys
      self.authorizeLink = authorizeLink
    }
  }

  /// Secrets that Stripe signs with, by the environment they are configured for. Live mode's vouch for all environments, the
  /// others each for their own.
  package struct SigningSecrets: Sendable, Hashable {
    package let live: [String]
    package let test: [String]
    package let sandbox: [String]

    /// A secret that is listed for live mode and for another environment counts as live mode's.
    package init(live: [String], test: [String] = [], sandbox: [String] = []) {
      self.live = live
      self.test = test.filter { !live.contains($0) }
      self.sandbox = sandbox.filter { !live.contains($0) }
    }

    /// The secrets in the form for checking. An empty secret checks nothing, because it would accept anybody's signature.
    func checking<Purpose>() -> ModeSecrets<Purpose> {
      ModeSecrets(
        live: live.compactMap { try? SigningSecret($0) },
        test: test.compactMap { try? SigningSecret($0) },
        sandbox: sandbox.compactMap { try? SigningSecret($0) })
    }
  }

  /// The service-wide LicenseKit, for connections that have none of their own.
  package struct LicenseKit: Sendable {
    /// Nil only where the server runs in the same process.
    package let baseURL: String?
    /// The token; in the same process, that of the default tenant.
    package let token: String
    /// Where a vendor goes after an installation; nil for this service's own console.
    package let appURL: String?

    package init(baseURL: String?, token: String, appURL: String? = nil) {
      self.baseURL = baseURL
      self.token = token
      self.appURL = appURL
    }
  }

  /// At least one of the three is configured.
  package let live: Mode?
  package let test: Mode?
  package let sandbox: Mode?
  /// The secrets that webhooks may be signed with. A live endpoint receives the events of all environments.
  package let webhookSecrets: SigningSecrets
  /// The secrets that requests of the Dashboard app may be signed with.
  package let appSigningSecrets: SigningSecrets
  /// Where browsers and Stripe reach this service, without a slash at the end.
  package let publicBaseURL: String
  package let stripeAPIBaseURL: String
  /// Origins of the Dashboard app.
  package let allowedOrigins: [String]
  /// Which roles may do what in the Dashboard app.
  package let appRights: AppRights
  /// The operator's token for the admin routes.
  package let adminToken: String
  package let apiAccess: APIAccess
  /// Encrypts what must not be readable in a database dump.
  package let keyRing: KeyRing
  package let licenseKit: LicenseKit
  /// How messages to vendors and mail to buyers leave this service.
  package let delivery: DeliveryConfiguration
  /// The time between two event syncs of a tenant; nil if only persons start them.
  package let eventSyncInterval: Duration?
  /// How much background work a replica does.
  package let backgroundWork: BackgroundWork
  /// The app, by the id in its manifest. What Stripe says about other apps' installations does not concern this service.
  package let appID: String

  package init(
    live: Mode?, test: Mode?, sandbox: Mode? = nil, webhookSecrets: SigningSecrets, appSigningSecrets: SigningSecrets,
    publicBaseURL: String,
    stripeAPIBaseURL: String = StripeClient.defaultBaseURL,
    allowedOrigins: [String] = IntegrationConfiguration.defaultAllowedOrigins, appRights: AppRights = AppRights(),
    adminToken: String,
    apiAccess: APIAccess = .oauth, keyRing: KeyRing, licenseKit: LicenseKit,
    delivery: DeliveryConfiguration = DeliveryConfiguration(), eventSyncInterval: Duration? = .seconds(3_600),
    backgroundWork: BackgroundWork = BackgroundWork(), appID: String = IntegrationConfiguration.defaultAppID
  ) {
    self.live = live
    self.test = test
    self.sandbox = sandbox
    self.webhookSecrets = webhookSecrets
    self.appSigningSecrets = appSigningSecrets
    self.publicBaseURL = publicBaseURL
    self.stripeAPIBaseURL = stripeAPIBaseURL
    self.allowedOrigins = allowedOrigins
    self.appRights = appRights
    self.adminToken = adminToken
    self.apiAccess = apiAccess
    self.keyRing = keyRing
    self.licenseKit = licenseKit
    self.delivery = delivery
    self.eventSyncInterval = eventSyncInterval
    self.backgroundWork = backgroundWork
    self.appID = appID
  }

  /// The id in the manifest of `integrations/stripe-app`.
  package static let defaultAppID = "dev.licensekit.stripe"

  /// The sandboxed frame of the Dashboard app, whose origin is opaque, and the Dashboard itself.
  package static let defaultAllowedOrigins = ["null", "https://dashboard.stripe.com"]

  /// The credentials of an environment; nil if it is not configured.
  package func mode(_ environment: StripeEnvironment) -> Mode? {
    switch environment {
    case .live: live
    case .test: test
    case .sandbox: sandbox
    }
  }

  /// The environments with credentials, live first.
  package var environments: [StripeEnvironment] { StripeEnvironment.allCases.filter { mode($0) != nil } }

  /// Whether cookies are sent over HTTPS only.
  package var usesSecureCookies: Bool { publicBaseURL.lowercased().hasPrefix("https:") }

  /// The address that the app's manifest lists under `allowed_redirect_uris`, character for character.
  package var redirectURI: String { publicBaseURL + "/stripe/oauth/callback" }

  /// The name of this service in calls to Stripe.
  package static let userAgent = "LicenseKit-Stripe/1 (https://licensekit.dev)"
}

extension IntegrationConfiguration: CustomStringConvertible, CustomReflectable {
  /// Names what is configured, never a secret.
  package var description: String {
    let names = environments.map(\.rawValue).joined(separator: ", ")
    return "IntegrationConfiguration(\(names), \(apiAccess.rawValue), \(publicBaseURL))"
  }

  package var customMirror: Mirror { Mirror(self, children: ["publicBaseURL": publicBaseURL]) }
}

extension IntegrationConfiguration.Mode: CustomStringConvertible, CustomReflectable {
  package var description: String { "Mode(\(clientID))" }
  package var customMirror: Mirror { Mirror(self, children: ["clientID": clientID]) }
}

extension IntegrationConfiguration.SigningSecrets: CustomStringConvertible, CustomReflectable {
  package var description: String { "SigningSecrets(withheld)" }
  package var customMirror: Mirror { Mirror(self, children: [:]) }
}

extension IntegrationConfiguration.LicenseKit: CustomStringConvertible, CustomReflectable {
  package var description: String { "LicenseKit(\(baseURL ?? "in this process"))" }
  package var customMirror: Mirror { Mirror(self, children: ["baseURL": baseURL as Any]) }
}
