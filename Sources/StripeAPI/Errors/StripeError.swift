/// Why a call to Stripe's API gave no result.
///
/// The type answers three questions: what to do now (`retry`), what Stripe said (`status`, `type`, `code`, `message`),
/// and where to look it up (`requestID`, also in the merchant's Dashboard). Texts are bounded, and what looks like a
/// credential or a mail address in them is replaced.
public struct StripeError: Error, Sendable {
  /// The HTTP status; nil when no answer came.
  public var status: Int?
  /// Stripe's word for the kind of error: `api_error`, `card_error`, `idempotency_error`, `invalid_request_error`.
  public private(set) var type: String?
  /// Stripe's word for the cause, for example `resource_missing`.
  public private(set) var code: String?
  /// What happened, in Stripe's words if there are any.
  public private(set) var message: String
  /// The parameter Stripe objects to.
  public private(set) var param: String?
  /// `req_…`
  public private(set) var requestID: String?
  /// What the caller should do.
  public var retry: RetryClass
  /// Whether Stripe may have done what was asked although no success came back. Repeat a write with the same idempotency key,
  /// or read its effect back, before you conclude anything else.
  public var mayHaveHappened: Bool
  /// How many times the request was sent.
  public var attempts: Int
  /// The transport's word for what broke, if no complete answer came.
  public var transportCode: String?
  /// The underlying error, if it was not an answer from Stripe: a transport error, or what the budget threw.
  public var cause: (any Error)?

  public init(
    status: Int? = nil, type: String? = nil, code: String? = nil, message: String, param: String? = nil,
    requestID: String? = nil, retry: RetryClass, mayHaveHappened: Bool = false, attempts: Int = 1,
    transportCode: String? = nil, cause: (any Error)? = nil
  ) {
    self.status = status
    self.type = BoundedText.word(type)
    self.code = BoundedText.word(code)
    self.message = BoundedText.message(message)
    self.param = BoundedText.word(param)
    self.requestID = BoundedText.word(requestID)
    self.retry = retry
    self.mayHaveHappened = mayHaveHappened
    self.attempts = attempts
    self.transportCode = transportCode
    self.cause = cause
  }
}

/// What to do after a call that failed.
public enum RetryClass: Hashable, Sendable {
  /// A passing failure: call again later with the same idempotency key, and not before `after` if it is given.
  case retry(after: Duration?)
  /// Too many calls. `reason` is Stripe's own word, for example `global-rate` or `endpoint-concurrency`.
  case rateLimited(reason: String?, after: Duration?)
  /// Another request holds the object: call again, one at a time for this object.
  case lockTimeout
  /// 401: the credential is expired, revoked or wrong. Refresh it once, then ask the merchant.
  case credential
  /// 403: the merchant has not granted what this call needs. Only the merchant can change that.
  case permission
  /// The credential no longer has access to the account: the app was uninstalled.
  case accountGone
  /// No such object, or one of another account or mode.
  case notFound
  /// The request itself is wrong; the same request will always fail.
  case invalid
  /// The idempotency key was already used with other parameters.
  case idempotencyConflict
  /// The calling task was cancelled.
  case cancelled

  /// Whether the same call may succeed later without any action.
  public var isTransient: Bool {
    switch self {
    case .retry, .rateLimited, .lockTimeout: true
    case .credential, .permission, .accountGone, .notFound, .invalid, .idempotencyConflict, .cancelled: false
    }
  }

  /// A stable word for logs and metrics.
  public var code: String {
    switch self {
    case .retry: "retry"
    case .rateLimited: "rate_limited"
    case .lockTimeout: "lock_timeout"
    case .credential: "credential"
    case .permission: "permission"
    case .accountGone: "account_gone"
    case .notFound: "not_found"
    case .invalid: "invalid"
    case .idempotencyConflict: "idempotency_conflict"
    case .cancelled: "cancelled"
    }
  }
}

extension StripeError: CustomStringConvertible {
  public var description: String {
    var text = "Stripe: \(retry.code)"
    if let status { text += ", status \(status)" }
    if let code { text += ", \(code)" }
    if let param { text += ", parameter \(param)" }
    if let requestID { text += ", \(requestID)" }
    return text + ": " + message
  }
}
