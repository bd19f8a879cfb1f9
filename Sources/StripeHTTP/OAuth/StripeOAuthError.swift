/// Why the token endpoint gave no grant. Descriptions are Stripe's text, bounded, without credentials.
public enum StripeOAuthError: Error, Hashable, Sendable {
  /// The code or refresh token was used, replaced by another holder, has expired, is of another environment, or its
  /// installation is gone. Asking again with the same one is useless. Whether the connection is lost depends on whether a
  /// newer refresh token has been stored meanwhile.
  case invalidGrant(String)
  /// The developer's secret key was refused: wrong, of another kind, or expired. The operator must act.
  case rejectedCredential(String)
  /// The endpoint refuses the request for another reason, which `error` names.
  case refused(error: String, description: String)
  /// Too many calls; nothing has happened.
  case rateLimited(after: Duration?)
  /// No usable answer. If `mayHaveHappened` is true, the code or refresh token may be used up and its successor lost.
  case unavailable(mayHaveHappened: Bool)
  /// The calling task was cancelled, or the transport shut down. As above.
  case cancelled(mayHaveHappened: Bool)

  /// A stable word for logs and metrics.
  public var code: String {
    switch self {
    case .invalidGrant: "invalid_grant"
    case .rejectedCredential: "rejected_credential"
    case .refused: "refused"
    case .rateLimited: "rate_limited"
    case .unavailable: "unavailable"
    case .cancelled: "cancelled"
    }
  }

  /// Whether the code or refresh token may be used up although no answer came.
  public var mayHaveHappened: Bool {
    switch self {
    case .unavailable(let mayHaveHappened), .cancelled(let mayHaveHappened): mayHaveHappened
    case .invalidGrant, .rejectedCredential, .refused, .rateLimited: false
    }
  }
}

extension StripeOAuthError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .invalidGrant(let text), .rejectedCredential(let text): "\(code): \(text)"
    case .refused(let error, let text): "\(code): \(error): \(text)"
    case .rateLimited: code
    case .unavailable(let mayHaveHappened), .cancelled(let mayHaveHappened):
      mayHaveHappened ? "\(code), and the request may have been carried out" : code
    }
  }
}
