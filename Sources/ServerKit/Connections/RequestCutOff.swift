import HTTPTypes

/// Why a request is not read to its end. The reader of its body gets this error; the connection ends after the answer.
enum RequestCutOff: Error, Hashable {
  /// It took too long to arrive.
  case tooSlow
  /// Too many requests are being received.
  case tooManyRequests
  /// The bodies that are being received take all available memory.
  case bodiesFull

  /// The answer.
  var failure: APIFailure {
    switch self {
    case .tooSlow:
      APIFailure(
        .requestTimeout, code: "REQUEST_TIMEOUT", message: "The request took too long to arrive.",
        detail: "send it faster, or in one piece")
    case .tooManyRequests, .bodiesFull:
      .unavailable("the server is receiving too much at the moment", code: "OVERLOADED", retryAfter: .seconds(5))
    }
  }
}
