public import Logging

/// Sends HTTP requests.
public final class HTTPTransport: HTTPSending {
  /// Starts the transport's thread.
  public init(_ configuration: HTTPTransportConfiguration = .init(), logger: Logger) {
  }

  public func send(_ request: HTTPTransportRequest) async throws(HTTPTransportError) -> HTTPTransportResponse {
    throw .shutDown
  }

  /// Ends the transport: requests under way fail with `.cancelled`, later ones with `.shutDown`.
  public func shutdown() {
  }
}
