public import StripeAPI

extension StripeSession {
  /// The installations of an app over all accounts, newest first, page by page. Only the developer's own key may read them
  /// (API reference, "Installs").
  public func installs(
    ofApp app: String, cursor: String? = nil, limit: Int = 100
  ) async throws(StripeError) -> StripePage {
    try await page(["apps", "installs"], ["app": .string(app)], cursor: cursor, limit: limit)
  }

  /// The account of the credential.
  public func account() async throws(StripeError) -> StripeAnswer { try await get(["account"]) }
}
