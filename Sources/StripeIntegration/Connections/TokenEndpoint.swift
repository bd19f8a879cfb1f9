import StripeAPI
import StripeHTTP

/// Stripe's token endpoint with the developer's keys of each environment.
struct TokenEndpoint: Sendable {
  let oauth: StripeOAuth
  let secretKeys: [StripeEnvironment: [String]]

  init(oauth: StripeOAuth, configuration: IntegrationConfiguration) {
    self.init(
      oauth: oauth,
      secretKeys: Dictionary(
        uniqueKeysWithValues: configuration.environments.map { ($0, configuration.mode($0)?.secretKeys ?? []) }))
  }

  init(oauth: StripeOAuth, secretKeys: [StripeEnvironment: [String]]) {
    self.oauth = oauth
    self.secretKeys = secretKeys
  }

  func secretKeys(of environment: StripeEnvironment) -> [String] { secretKeys[environment] ?? [] }

  /// The longest time that one exchange or refresh can take, since each key may be tried in vain. Before a connection's row
  /// is read, only its mode is known.
  func longestTime(livemode: Bool) -> Duration {
    let most = StripeEnvironment.all(livemode: livemode).map { secretKeys(of: $0).count }.max() ?? 0
    return oauth.deadline * max(1, most)
  }

  func exchange(code: String, in environment: StripeEnvironment) async throws(StripeOAuthError) -> TokenGrant {
    try await withKeys(of: environment) { key throws(StripeOAuthError) in
      try await oauth.exchange(code: code, secretKey: key)
    }
  }

  func refresh(
    _ refreshToken: String, in environment: StripeEnvironment
  ) async throws(StripeOAuthError) -> TokenGrant {
    try await withKeys(of: environment) { key throws(StripeOAuthError) in
      try await oauth.refresh(refreshToken: refreshToken, secretKey: key)
    }
  }

  /// Tries the next key only if the key itself was refused, because then nothing has happened. While the developer's key is
  /// being replaced, one of the two is refused.
  private func withKeys(
    of environment: StripeEnvironment, _ call: (String) async throws(StripeOAuthError) -> TokenGrant
  ) async throws(StripeOAuthError) -> TokenGrant {
    var refusal = StripeOAuthError.rejectedCredential("no key is configured for \(environment.noun)")
    for key in secretKeys(of: environment) {
      do {
        return try await call(key)
      } catch {
        guard case .rejectedCredential = error else { throw error }
        refusal = error
      }
    }
    throw refusal
  }
}
