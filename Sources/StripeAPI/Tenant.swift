public import Identity

/// A connected Stripe account in one mode: the unit of isolation of everything here.
///
/// Live and test are separate installations of the app and never share data (Stripe docs, "Handling modes").
public struct Tenant: Hashable, Sendable, Codable, CustomStringConvertible {
  public let account: Stripe.AccountID
  public let livemode: Bool

  public init(account: Stripe.AccountID, livemode: Bool) {
    self.account = account
    self.livemode = livemode
  }

  /// `acct_1/live` or `acct_1/test`; safe to log.
  public var description: String { "\(account.rawValue)/\(livemode ? "live" : "test")" }
}
