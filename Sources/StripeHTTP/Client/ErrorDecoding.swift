import HTTPTransport
import JSON
import StripeAPI

/// Reads the error from any answer: Stripe's error object, the flat shape of its OAuth endpoint, an empty body, or the page
/// of a proxy in between (API reference, "Errors").
struct StripeErrorBody: Hashable, Sendable {
  var type: String?
  var code: String?
  var message: String?
  var param: String?

  init(_ body: [UInt8]) {
    guard let value = try? JSONValue(ofOutside: body, maximumDepth: 32), let error = value["error"] else { return }
    if let word = error.string {
      code = BoundedText.word(word)
      message = value["error_description"]?.string.map(BoundedText.message)
    } else {
      type = BoundedText.word(error["type"]?.string)
      code = BoundedText.word(error["code"]?.string)
      message = error["message"]?.string.map(BoundedText.message)
      param = BoundedText.word(error["param"]?.string)
    }
  }
}

extension StripeError {
  /// The error of an answer that is not a success.
  init(_ response: HTTPTransportResponse) {
    let body = StripeErrorBody(response.body)
    let status = response.status
    self.init(
      status: status, type: body.type, code: body.code,
      message: body.message ?? "status \(status) without an explanation", param: body.param,
      requestID: response.headers["Request-Id"],
      retry: Self.retryClass(
        status: status, body: body, rateLimitReason: BoundedText.word(response.headers["Stripe-Rate-Limited-Reason"]),
        after: RetryAfter.duration(response.headers)),
      mayHaveHappened: status >= 500 || status == 409 || status < 400)
  }

  /// The table of API reference "Errors" and "Error codes". Codes are checked before the status, because some come with
  /// several statuses.
  static func retryClass(
    status: Int, body: StripeErrorBody, rateLimitReason: String? = nil, after: Duration? = nil
  ) -> RetryClass {
    switch body.code {
    case "lock_timeout": return .lockTimeout
    // An older form of 429 is a 400 with this code.
    case "rate_limit": return .rateLimited(reason: rateLimitReason, after: after)
    case "idempotency_key_in_use": return .retry(after: after)
    case "account_invalid": return .accountGone
    case "api_key_expired", "platform_api_key_expired": return .credential
    case let code? where code.hasPrefix("more_permissions_required"): return .permission
    case "resource_missing" where status == 404 || status == 400: return .notFound
    default: break
    }
    // With 409, two calls with one key met and the first is still running. With any other status the key belongs to another
    // request.
    if body.type == "idempotency_error", status != 409 { return .idempotencyConflict }
    switch status {
    case 401: return .credential
    case 403: return .permission
    case 404: return .notFound
    case 429: return .rateLimited(reason: rateLimitReason, after: after)
    case 408, 409, 424, 425, 500...: return .retry(after: after)
    // The API itself never redirects, so something in between did.
    case ..<400: return .retry(after: after)
    default: return .invalid
    }
  }
}
