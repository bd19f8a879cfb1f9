public import Identity
public import StripeAPI

/// The identity and right with which the API is called (Stripe Apps docs, "API authentication").
public enum StripeCredential: Hashable, Sendable {
  /// The access token of one installation of an OAuth app. It identifies the account.
  case accessToken(String)
  /// The developer's own key of the right mode, acting on a merchant's account through `Stripe-Account`.
  case platform(key: String, account: Stripe.AccountID)

  /// The developer's own key on the developer's own account, for data that no merchant's credential may read.
  case developer(key: String)

  /// The headers that carry the credential.
  var headers: [(String, String)] {
    switch self {
    case .accessToken(let token): [("Authorization", "Bearer " + token)]
    case .platform(let key, let account):
      [("Authorization", "Bearer " + key), ("Stripe-Account", account.rawValue)]
    case .developer(let key): [("Authorization", "Bearer " + key)]
    }
  }
}

extension StripeCredential: CustomStringConvertible, CustomReflectable {
  /// Names the kind, never the secret.
  public var description: String {
    switch self {
    case .accessToken: "an access token"
    case .platform(_, let account): "a platform key for \(account)"
    case .developer: "the developer's key"
    }
  }

  public var customMirror: Mirror { Mirror(self, children: [:]) }
}
