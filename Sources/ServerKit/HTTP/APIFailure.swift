public import HTTPTypes

/// A refusal: a handler throws it, and the server turns it into the error envelope.
///
/// Everything in it is shown to the caller, so nothing internal, secret or personal belongs here.
public struct APIFailure: Error, Sendable, CustomStringConvertible {
  /// The HTTP status.
  public var status: HTTPResponse.Status
  /// A stable code in upper snake case for programs.
  public var code: String
  /// One sentence for people; may change.
  public var message: String
  /// What exactly was wrong, if that can be said: names the field or the variable.
  public var detail: String?
  /// Headers that belong to the answer, such as `Retry-After` and `Allow`.
  public var headers: [(name: String, value: String)]

  /// A failure from its parts; the named ones below are usually what is wanted.
  public init(
    _ status: HTTPResponse.Status, code: String, message: String, detail: String? = nil,
    headers: [(name: String, value: String)] = []
  ) {
    self.status = status
    self.code = code
    self.message = message
    self.detail = detail
    self.headers = headers
  }

  public var description: String {
    "\(status.code) \(code): \(message)" + (detail.map { " (\($0))" } ?? "")
  }
}

extension APIFailure {
  /// 400 `INVALID_JSON`: the body is not JSON, or has an unknown field or one of the wrong type.
  public static func invalidJSON(_ detail: String) -> APIFailure {
    APIFailure(
      .badRequest, code: "INVALID_JSON", message: "The request body is not the JSON that was expected.", detail: detail)
  }

  /// 400 `INVALID_QUERY`: a query parameter has a value that cannot be used.
  public static func invalidQuery(field: String, _ problem: String) -> APIFailure {
    APIFailure(
      .badRequest, code: "INVALID_QUERY", message: "A query parameter is not valid.", detail: "\(field): \(problem)")
  }

  /// 422 `VALIDATION_ERROR`: well-formed, but it breaks a rule, or something required is missing.
  public static func validation(_ detail: String) -> APIFailure {
    APIFailure(
      .unprocessableContent, code: "VALIDATION_ERROR", message: "The request is well-formed but not valid.",
      detail: detail)
  }

  /// 422 `VALIDATION_ERROR` that names the field.
  public static func validation(field: String, _ problem: String) -> APIFailure {
    validation("\(field): \(problem)")
  }

  /// 401 `UNAUTHORIZED`: no credential, or one that is not known.
  public static func unauthorized(_ detail: String? = nil, code: String = "UNAUTHORIZED") -> APIFailure {
    APIFailure(.unauthorized, code: code, message: "A valid credential is required.", detail: detail)
  }

  /// 403: the credential is known and may not do this.
  public static func forbidden(_ detail: String? = nil, code: String = "FORBIDDEN") -> APIFailure {
    APIFailure(.forbidden, code: code, message: "This credential may not do that.", detail: detail)
  }

  /// 404 `NOT_FOUND`: no such resource for this caller.
  public static func notFound(_ detail: String? = nil) -> APIFailure {
    APIFailure(.notFound, code: "NOT_FOUND", message: "Nothing was found.", detail: detail)
  }

  /// 405 `METHOD_NOT_ALLOWED`, with the methods that are allowed in `Allow` (RFC 9110, section 15.5.6).
  public static func methodNotAllowed(_ method: String, allowed: [String]) -> APIFailure {
    let allowed = allowed.joined(separator: ", ")
    return APIFailure(
      .methodNotAllowed, code: "METHOD_NOT_ALLOWED", message: "This method cannot be used here.",
      detail: "allowed: \(allowed)", headers: [("Allow", allowed)])
  }

  /// 409: the request contradicts what exists.
  public static func conflict(_ detail: String, code: String = "CONFLICT") -> APIFailure {
    APIFailure(.conflict, code: code, message: "The request contradicts what already exists.", detail: detail)
  }

  /// 413 `PAYLOAD_TOO_LARGE`.
  public static func payloadTooLarge(limit: Int) -> APIFailure {
    APIFailure(
      .contentTooLarge, code: "PAYLOAD_TOO_LARGE", message: "The request body is too large.",
      detail: "at most \(limit) bytes are accepted")
  }

  /// 429 `RATE_LIMITED`, with `Retry-After` in whole seconds, rounded up, at least one.
  public static func tooManyRequests(retryAfter: Duration) -> APIFailure {
    let seconds = retryAfterSeconds(retryAfter)
    return APIFailure(
      .tooManyRequests, code: "RATE_LIMITED", message: "Too many requests.",
      detail: "try again in \(seconds) s", headers: [("Retry-After", String(seconds))])
  }

  /// 503: something that this server needs is down; the same request may work later.
  public static func unavailable(
    _ detail: String? = nil, code: String = "UNAVAILABLE", retryAfter: Duration? = nil
  ) -> APIFailure {
    APIFailure(
      .serviceUnavailable, code: code, message: "The service cannot answer this at the moment.", detail: detail,
      headers: retryAfter.map { [("Retry-After", String(retryAfterSeconds($0)))] } ?? [])
  }

  /// 500 `INTERNAL_ERROR`: without details; the log has the reason under the same request id.
  public static var internalError: APIFailure {
    APIFailure(.internalServerError, code: "INTERNAL_ERROR", message: "Something went wrong on our side.")
  }

  /// The failure for a bare HTTP status, with that status's usual code.
  public static func of(_ status: HTTPResponse.Status, detail: String? = nil) -> APIFailure {
    switch status.code {
    case 401: .unauthorized(detail)
    case 403: .forbidden(detail)
    case 404: .notFound(detail)
    case 500: .internalError
    case 503: .unavailable(detail)
    default:
      APIFailure(
        status, code: codes[status.code] ?? "HTTP_\(status.code)",
        message: status.reasonPhrase.isEmpty ? "The request failed." : "\(status.reasonPhrase).", detail: detail)
    }
  }

  private static let codes: [Int: String] = [
    400: "BAD_REQUEST", 405: "METHOD_NOT_ALLOWED", 406: "NOT_ACCEPTABLE", 408: "REQUEST_TIMEOUT", 409: "CONFLICT",
    410: "GONE", 412: "PRECONDITION_FAILED", 413: "PAYLOAD_TOO_LARGE", 415: "UNSUPPORTED_MEDIA_TYPE",
    422: "VALIDATION_ERROR", 429: "RATE_LIMITED", 431: "HEADERS_TOO_LARGE", 501: "NOT_IMPLEMENTED",
    502: "BAD_GATEWAY", 504: "TIMEOUT",
  ]

  private static func retryAfterSeconds(_ duration: Duration) -> Int64 {
    let (seconds, attoseconds) = duration.components
    return max(1, seconds + (attoseconds > 0 ? 1 : 0))
  }
}
