package import JSON

/// Why a call to a LicenseKit server failed. Never holds a token, a license key or a body.
///
/// The server may be anybody's: whatever it answered, the texts here are short, on one line and without control characters
/// (``OutsideText``).
public struct LicenseKitError: Error, Hashable, Sendable {
  /// What a caller can do about a failure.
  public enum RetryClass: String, Hashable, Sendable {
    /// The same call fails again; a person must look.
    case no
    /// The server was unavailable, busy or unclear: the same call with the same idempotency key may succeed later.
    case later
    /// The request breaks a rule of the server: a mapping or setting must change first.
    case configuration
    /// The token is wrong, out of date or lacks the scope: nothing works until it is replaced.
    case credential
    /// The record is not there any more.
    case gone
    /// The record exists already, or its state forbids the call: look and adopt.
    case conflict
  }

  /// The HTTP status, or nil when no answer came.
  public var status: Int?
  /// The server's error code, or one of this client's own (`TRANSPORT_…`, `UNKNOWN_ERROR`). A hint: `retry` follows the status.
  public private(set) var code: String
  /// A sentence for people.
  public private(set) var message: String
  /// More about it, for example the field or the scope.
  public private(set) var detail: String?
  /// The server's id of the request, to find it in its logs.
  public private(set) var requestID: String?
  /// What a caller can do about it.
  public var retry: RetryClass
  /// When the server asked to wait: how long.
  public var retryAfter: Duration?
  /// Whether the call may have taken effect although it failed.
  public var mayHaveTakenEffect: Bool

  /// A failure with a status, classed by it.
  public init(
    status: Int, code: String, message: String, detail: String? = nil, requestID: String? = nil,
    retryAfter: Duration? = nil
  ) {
    self.status = status
    self.code = Self.words.word(code) ?? ""
    self.message = Self.words.line(message)
    self.detail = detail.map { Self.words.line($0) }
    self.requestID = Self.words.word(requestID)
    self.retry = Self.retryClass(status: status, code: code)
    self.retryAfter = retryAfter
    self.mayHaveTakenEffect = status >= 500 || status == 408 || (200..<300).contains(status)
  }

  /// A failure without an answer.
  public init(transport code: String, message: String, mayHaveTakenEffect: Bool, retry: RetryClass = .later) {
    self.status = nil
    self.code = "TRANSPORT_" + (Self.words.word(code) ?? "").uppercased()
    self.message = Self.words.line(message)
    self.retry = retry
    self.mayHaveTakenEffect = mayHaveTakenEffect
  }

  /// What a server's words are read with.
  package static let words = OutsideText(withholding: ["lkm_", "lkw_", "lsk_"])

  /// The class of a status. A used idempotency key with another body is a fault of the caller, so it is not a conflict to
  /// be adopted; a success status that was not expected, or could not be read, may be right the next time.
  static func retryClass(status: Int, code: String) -> RetryClass {
    switch status {
    case 401, 403: .credential
    case 404, 410: .gone
    case 409: code == "IDEMPOTENCY_CONFLICT" ? .no : .conflict
    case 422: .configuration
    case 408, 425, 429: .later
    case 200..<300, 500...: .later
    case 300..<400: .configuration
    default: .no
    }
  }
}

extension LicenseKitError: CustomStringConvertible {
  /// Status, code, message, detail and request id in one line.
  public var description: String {
    var text = status.map { "\($0) \(code): \(message)" } ?? "\(code): \(message)"
    if let detail { text += " (\(detail))" }
    if let requestID { text += " [\(requestID)]" }
    return text
  }
}
