package import Foundation
import Purchases
package import StripeAPI

/// The state of an installation of the app.
package enum ConnectionStatus: String, Sendable, Hashable, Codable, CaseIterable {
  /// Stripe announced the installation; the browser has not come back with a code yet.
  case pending
  case connected
  case disconnected
}

/// What the news of an uninstallation did to a connection. Stripe sends more than one event about it.
enum ConnectionEnd: Hashable, Sendable {
  case ended, endedBefore
  /// The app has been installed again since.
  case ofAnEarlierInstallation
}

/// An installation as the operator's pages show it. It contains no token.
package struct ConnectionSummary: Sendable, Hashable, Codable {
  package let accountID: Stripe.AccountID
  package let livemode: Bool
  /// The environment in which the account is installed, or was last.
  package let environment: StripeEnvironment
  package let status: ConnectionStatus
  package let installedAt: Date?
  package let uninstalledAt: Date?
  package let accessTokenExpiresAt: Date?
  /// Nil if the service-wide LicenseKit is used.
  package let licensekitBaseURL: String?
  /// Why nothing is done for the account until a person acts; nil while all is well.
  package let blockedReason: String?
  package let blockedDetail: String?
  package let blockedAt: Date?
  /// When the newest backfill ended; nil if there was none.
  package let backfilledAt: Date?
  /// Nil until the first installation is complete.
  package let eventSync: EventSync?
  /// What the app asks for and the vendor has not approved; nil if nothing is pending.
  package let pendingApproval: PendingApproval?
  package let createdAt: Date
  package let updatedAt: Date

  /// The state of event sync, which looks for events that no webhook brought.
  package struct EventSync: Sendable, Hashable, Codable {
    /// Every event made before this is known.
    package let readUpTo: Date
    package let syncedAt: Date?
    /// Nil while none is planned.
    package let nextAt: Date?
    /// Events that no webhook had brought, over all syncs. More than a few mean that the webhooks do not work.
    package let found: Int64
    package let foundAt: Date?
    /// Why event sync fails; nil while it works.
    package let problem: String?
    /// A time whose events Stripe no longer listed; a backfill covered it.
    package let gapFrom: Date?
    package let gapTo: Date?
  }

  /// The tenant this row is about.
  package var tenant: Tenant { Tenant(account: accountID, livemode: livemode) }
}

/// Which connections a list shows.
package struct ConnectionFilter: Sendable, Hashable {
  package var status: ConnectionStatus?
  package var livemode: Bool?
  package var environment: StripeEnvironment?
  /// True for the blocked ones only, false for the others only.
  package var isBlocked: Bool?

  package init(
    status: ConnectionStatus? = nil, livemode: Bool? = nil, environment: StripeEnvironment? = nil,
    isBlocked: Bool? = nil
  ) {
    self.status = status
    self.livemode = livemode
    self.environment = environment
    self.isBlocked = isBlocked
  }
}

/// A LicenseKit of the connection's own.
package struct ConnectionLicenseKit: Sendable, Hashable {
  /// Nil means the service's own address.
  package let baseURL: String?
  package let token: String

  package init(baseURL: String?, token: String) {
    self.baseURL = baseURL
    self.token = token
  }
}

extension ConnectionLicenseKit: CustomStringConvertible, CustomReflectable {
  /// The address, without the token.
  package var description: String { "LicenseKit at \(baseURL ?? "the service's address")" }
  package var customMirror: Mirror { Mirror(self, children: ["baseURL": baseURL as Any]) }
}

/// The stored tokens of a connection, decrypted.
struct StoredTokens: Sendable {
  let status: ConnectionStatus
  /// The environment whose credentials got the tokens.
  let environment: StripeEnvironment
  /// Grows with each new pair.
  let generation: Int64
  let access: String?
  let refresh: String?
  /// How long the access token is still valid, by the database's clock.
  let remaining: Duration
  let blockedReason: TenantUnavailable.Reason?
  let blockedDetail: String?

  /// The reason why Stripe cannot be called until a person acts, if there is one.
  var obstacle: TenantUnavailable? {
    guard status == .connected else { return .notConnected(status) }
    switch blockedReason {
    case .stripeCredential?, .stripeAccountGone?:
      return TenantUnavailable(blockedReason ?? .stripeCredential, blockedDetail ?? "")
    default: return nil
    }
  }
}

extension TenantUnavailable {
  static func notConnected(_ status: ConnectionStatus?) -> TenantUnavailable {
    switch status {
    case .disconnected?: TenantUnavailable(.notConnected, "The app was uninstalled. Install it again.")
    case .pending?: TenantUnavailable(.notConnected, "The installation was begun at Stripe and never finished here.")
    case .connected?, nil: TenantUnavailable(.notConnected, "The account has not installed the app.")
    }
  }

  /// Stripe ended the tokens, or an answer with new ones was lost. Only a new authorization helps.
  static func authorizationLost(_ stripesWords: String) -> TenantUnavailable {
    TenantUnavailable(
      .stripeCredential,
      "Stripe no longer accepts this connection's authorization (\(stripesWords)). Authorize the app again: "
        + "open /stripe/oauth/install and choose this account. Nothing that was sold meanwhile is lost.")
  }
}
