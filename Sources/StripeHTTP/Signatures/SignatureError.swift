/// Why a signed message is refused. `code` is stable; no case contains anything of the message itself.
public enum SignatureError: Error, Hashable, Sendable {
  /// No header, or an empty one.
  case missingHeader
  /// More than `SignatureHeader.maximumLength` bytes.
  case headerTooLong
  /// No `t=`.
  case missingTimestamp
  /// The last `t=` is not a whole number of seconds.
  case malformedTimestamp
  /// No `v1=` of 64 lower-case hexadecimal digits. Other schemes are ignored.
  case noSignature
  /// No signature belongs to this payload under any of the secrets.
  case mismatch
  /// Validly signed, but longer ago than the tolerance allows: a replay, or a wrong clock here.
  case tooOld
  /// Validly signed, but further in the future than the tolerance allows.
  case fromTheFuture
  /// No secret is configured to check with.
  case noSecret
  /// The signed payload names no user or no account, or one that cannot be an id.
  case invalidIdentity
  /// The payload is validly signed but not a JSON object.
  case malformedPayload

  /// A stable word for logs, metrics and answers.
  public var code: String {
    switch self {
    case .missingHeader: "missing_header"
    case .headerTooLong: "header_too_long"
    case .missingTimestamp: "missing_timestamp"
    case .malformedTimestamp: "malformed_timestamp"
    case .noSignature: "no_signature"
    case .mismatch: "mismatch"
    case .tooOld: "too_old"
    case .fromTheFuture: "from_the_future"
    case .noSecret: "no_secret"
    case .invalidIdentity: "invalid_identity"
    case .malformedPayload: "malformed_payload"
    }
  }
}

extension SignatureError: CustomStringConvertible {
  public var description: String { code }
}
