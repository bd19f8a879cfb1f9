import HTTPTransport
import StripeAPI

extension StripeError {
  /// The error of a call that ended below HTTP.
  init(_ error: HTTPTransportError) {
    let retry: RetryClass =
      switch error {
      case .cancelled, .shutDown: .cancelled
      case .invalidRequest, .tooLarge, .addressRefused: .invalid
      case .connection, .tls, .connectTimeout, .timeout, .connectionLost, .invalidResponse, .overloaded:
        .retry(after: nil)
      }
    self.init(
      message: error.description, retry: retry, mayHaveHappened: error.requestMayHaveBeenSent,
      transportCode: error.code, cause: error)
  }
}
