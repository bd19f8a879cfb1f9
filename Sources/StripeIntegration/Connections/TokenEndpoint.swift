import StripeAPI

/// Stripe's token endpoint with the developer's keys of each mode.
struct TokenEndpoint: Sendable {
  let oauth: StripeOAuth
  let live: IntegrationConfiguration.Mode?
  let test: IntegrationConfiguration.Mode?

  func secretKeys(livemode: Bool) -> [String] { (livemode ? live : test)?.secretKeys ?? [] }

  /// The longest that one exchange or refresh can take: each key may be tried in vain.
  func longestTime(livemode: Bool) -> Duration { oauth.deadline * max(1, secretKeys(livemode: livemode).count) }

  func exchange(code: String, livemode: Bool) async throws(StripeOAuthError) -> TokenGrant {
    try await withKeys(livemode) { key throws(StripeOAuthError) in
      try await oauth.exchange(code: code, secretKey: key)
    }
  }

  func refresh(_ refreshToken: String, livemode: Bool) async throws(StripeOAuthError) -> TokenGrant {
    try await withKeys(livemode) { key throws(StripeOAuthError) in
      try await oauth.refresh(refreshToken: refreshToken, secretKey: key)
    }
  }

  /// Tries the next key only when one was refused as a key: nothing has happened then. While the developer's key is being
  /// replaced, one of the two is refused.
  private func withKeys(
    _ livemode: Bool, _ call: (String) async throws(StripeOAuthError) -> TokenGrant
  ) async throws(StripeOAuthError) -> TokenGrant {
    var refusal = StripeOAuthError.rejectedCredential("no key is configured for this mode")
    for key in secretKeys(livemode: livemode) {
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
