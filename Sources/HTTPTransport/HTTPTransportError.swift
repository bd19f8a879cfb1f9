/// Why no answer came. An answer of any status, 500 included, is not an error at this level.
///
/// The texts name the cause in the words of the libraries below; they never hold header values or bodies.
public enum HTTPTransportError: Error, Sendable, Hashable {
  /// The request is malformed, or its URL is one this transport does not speak to. Nothing was sent.
  case invalidRequest(String)
  /// No connection could be made: the name is unknown, the port refuses, the network is down. Nothing was sent.
  case connection(String)
  /// The name leads only to addresses that the request's `destinations` do not allow. Nothing was sent.
  case addressRefused
  /// The TLS handshake failed, for example because the certificate is not trusted. Nothing was sent.
  case tls(String)
  /// No usable connection within the connect timeout or the deadline. Nothing was sent.
  case connectTimeout
  /// The deadline passed after the request began to be sent.
  case timeout
  /// The connection broke after the request began to be sent.
  case connectionLost(String)
  /// What came back is not HTTP.
  case invalidResponse(String)
  /// The answer is larger than the limit (of the body or of the header, in bytes).
  case tooLarge(limit: Int)
  /// The calling task was cancelled, or the transport was shut down, while the request was under way.
  case cancelled
  /// More requests are under way than the configuration allows. Nothing was sent.
  case overloaded
  /// The transport was already shut down. Nothing was sent.
  case shutDown

  /// Whether the server may have seen the request and acted on it. `false` is certain: repeating is safe whatever the
  /// request. `true` means unknown: repeat only what is idempotent or carries an idempotency key.
  public var requestMayHaveBeenSent: Bool {
    switch self {
    case .invalidRequest, .connection, .addressRefused, .tls, .connectTimeout, .overloaded, .shutDown: false
    case .timeout, .connectionLost, .invalidResponse, .tooLarge, .cancelled: true
    }
  }

  /// A stable word for logs and metrics.
  public var code: String {
    switch self {
    case .invalidRequest: "invalid_request"
    case .connection: "connection"
    case .addressRefused: "address_refused"
    case .tls: "tls"
    case .connectTimeout: "connect_timeout"
    case .timeout: "timeout"
    case .connectionLost: "connection_lost"
    case .invalidResponse: "invalid_response"
    case .tooLarge: "too_large"
    case .cancelled: "cancelled"
    case .overloaded: "overloaded"
    case .shutDown: "shut_down"
    }
  }
}

extension HTTPTransportError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .invalidRequest(let reason), .connection(let reason), .tls(let reason), .connectionLost(let reason),
      .invalidResponse(let reason):
      "\(code): \(reason)"
    case .tooLarge(let limit): "\(code): more than \(limit) bytes"
    case .addressRefused, .connectTimeout, .timeout, .cancelled, .overloaded, .shutDown: code
    }
  }
}
