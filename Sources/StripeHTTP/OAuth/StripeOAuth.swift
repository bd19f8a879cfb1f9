import Cryptography
public import HTTPTransport

/// The token endpoint of Stripe Apps, `/v1/oauth/token` (Stripe Apps docs, "OAuth 2.0").
///
/// Nothing is ever sent twice here: a code is valid for one use, and each use of a refresh token replaces it. The holder of
/// the stored tokens and their lock decides whether to ask again.
public struct StripeOAuth: Sendable {
  private let tokenURL: String
  private let transport: any HTTPSending
  private let userAgent: String?
  /// The longest one exchange may take.
  public let deadline: Duration

  /// - Parameters:
  ///   - apiBaseURL: `https://api.stripe.com`, or what stands in for it.
  ///   - deadline: the longest one exchange may take.
  public init(
    apiBaseURL: String = StripeClient.defaultBaseURL, transport: any HTTPSending, userAgent: String? = nil,
    deadline: Duration = .seconds(20)
  ) {
    tokenURL = URLBuilder.url(apiBaseURL, path: ["v1", "oauth", "token"])
    self.transport = transport
    self.userAgent = userAgent
    self.deadline = deadline
  }

  /// Exchanges the code of a callback, which is valid once and for five minutes.
  ///
  /// - Parameter secretKey: the developer's secret key of the authorize link's environment. It is the only authentication:
  ///   there is no separate client secret.
  public func exchange(code: String, secretKey: String) async throws(StripeOAuthError) -> TokenGrant {
    try await token([("grant_type", "authorization_code"), ("code", code)], secretKey)
  }

  /// Asks for new tokens. If it succeeds, the given refresh token is dead.
  public func refresh(refreshToken: String, secretKey: String) async throws(StripeOAuthError) -> TokenGrant {
    try await token([("grant_type", "refresh_token"), ("refresh_token", refreshToken)], secretKey)
  }

  private func token(_ form: [(String, String)], _ secretKey: String) async throws(StripeOAuthError) -> TokenGrant {
    var headers = [
      ("Authorization", "Basic " + Base64.encode(Array((secretKey + ":").utf8))),
      ("Content-Type", FormEncoding.contentType),
      ("Accept", "application/json"),
    ]
    if let userAgent { headers.append(("User-Agent", userAgent)) }
    let response: HTTPTransportResponse
    do {
      response = try await transport.send(
        HTTPTransportRequest(
          method: "POST", url: tokenURL, headers: headers, body: FormEncoding.bytes(form), deadline: deadline,
          maximumResponseBytes: 65_536))
    } catch {
      switch error {
      case .cancelled, .shutDown: throw .cancelled(mayHaveHappened: error.requestMayHaveBeenSent)
      default: throw .unavailable(mayHaveHappened: error.requestMayHaveBeenSent)
      }
    }
    if response.isSuccess {
      guard let grant = TokenGrant(response.body) else { throw .unavailable(mayHaveHappened: true) }
      return grant
    }
    throw Self.failure(response)
  }

  /// This endpoint uses both error shapes: the flat one of OAuth, and the API's own if the key is refused.
  static func failure(_ response: HTTPTransportResponse) -> StripeOAuthError {
    let body = StripeErrorBody(response.body)
    let text = body.message ?? "status \(response.status) without an explanation"
    switch (response.status, body.code) {
    case (_, "invalid_grant"): return .invalidGrant(text)
    case (_, "invalid_client"), (_, "unauthorized_client"): return .rejectedCredential(text)
    case (429, _), (_, "rate_limit"), (_, "lock_timeout"):
      return .rateLimited(after: RetryAfter.duration(response.headers))
    case (401, _), (403, _): return .rejectedCredential(text)
    case (400..<500, let code) where response.status != 408 && response.status != 409:
      // Without Stripe's own error words, something in between answered.
      guard code != nil || body.type != nil else { return .unavailable(mayHaveHappened: false) }
      return .refused(error: code ?? body.type ?? "unknown", description: text)
    default: return .unavailable(mayHaveHappened: true)
    }
  }
}
