public import Identity
import JSON
public import StripeAPI

/// The tokens that Stripe gives for an authorization code or a refresh token (Stripe Apps docs, "OAuth 2.0").
///
/// The answer contains no lifetime: an access token lives one hour and a refresh token one year, both from this answer on,
/// and each exchange ends the refresh token it was made with.
public struct TokenGrant: Hashable, Sendable {
  /// How long Stripe's documentation says an access token lives, in seconds.
  public static let accessTokenLifetime: Duration = .seconds(3600)
  /// How long Stripe's documentation says a refresh token lives.
  public static let refreshTokenLifetime: Duration = .seconds(365 * 86_400)

  /// The token for API calls on behalf of the merchant.
  public let accessToken: String
  /// The token for the next grant. It must be stored before `accessToken` is used.
  public let refreshToken: String
  /// The mode of the installation.
  public let livemode: Bool
  /// The merchant who installed the app.
  public let account: Stripe.AccountID
  public let publishableKey: String?
  /// `stripe_apps`.
  public let scope: String?
  /// `bearer`.
  public let tokenType: String?

  public init(
    accessToken: String, refreshToken: String, livemode: Bool, account: Stripe.AccountID,
    publishableKey: String? = nil, scope: String? = nil, tokenType: String? = nil
  ) {
    self.accessToken = accessToken
    self.refreshToken = refreshToken
    self.livemode = livemode
    self.account = account
    self.publishableKey = publishableKey
    self.scope = scope
    self.tokenType = tokenType
  }

  /// Reads the answer of the token endpoint; nil if a required field is missing.
  init?(_ body: [UInt8]) {
    guard let value = try? JSONValue(ofOutside: body, maximumDepth: 16),
      let accessToken = value["access_token"]?.string, !accessToken.isEmpty,
      let refreshToken = value["refresh_token"]?.string, !refreshToken.isEmpty,
      let livemode = value["livemode"]?.bool,
      let account = value["stripe_user_id"]?.string, Stripe.isPlain(account)
    else { return nil }
    self.init(
      accessToken: accessToken, refreshToken: refreshToken, livemode: livemode, account: Stripe.AccountID(account),
      publishableKey: value["stripe_publishable_key"]?.string, scope: value["scope"]?.string,
      tokenType: value["token_type"]?.string)
  }
}

extension TokenGrant: CustomStringConvertible, CustomReflectable {
  /// Names the account and the mode, never a token.
  public var description: String { "TokenGrant(\(account), livemode: \(livemode), tokens withheld)" }
  public var customMirror: Mirror { Mirror(self, children: ["account": account, "livemode": livemode]) }
}
