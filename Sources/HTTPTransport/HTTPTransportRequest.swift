/// One request, complete: everything is in memory, nothing is streamed.
public struct HTTPTransportRequest: Sendable {
  /// The method as sent, for example `GET`. Only RFC 9110 token characters are accepted.
  public var method: String
  /// An absolute `https` URL; `http` only for this machine itself unless the configuration allows more. A URL with a
  /// user name or password is refused, because credentials belong in a header that nobody logs by accident.
  public var url: String
  /// Header fields in the order they are sent. `Content-Length` and `Transfer-Encoding` are the transport's own and
  /// refused here.
  public var headers: [(String, String)]
  /// The body; `nil` sends none (a `POST`, `PUT` or `PATCH` then says `Content-Length: 0`).
  public var body: [UInt8]?
  /// The longest this request may take, from the call of `send` to the last byte of the answer, waiting for a free
  /// connection included.
  public var deadline: Duration
  /// The largest body accepted, in bytes; a longer answer ends in `HTTPTransportError.tooLarge`.
  public var maximumResponseBytes: Int
  /// The longest that name look-up, TCP and TLS may take together.
  public var connectTimeout: Duration
  /// Which addresses the request may be sent to, checked on the address that is really connected to. Anywhere by
  /// default; restrict it for URLs that come from other people.
  public var destinations: AddressPolicy

  /// A request. See the properties for the meaning of each part.
  public init(
    method: String = "GET",
    url: String,
    headers: [(String, String)] = [],
    body: [UInt8]? = nil,
    deadline: Duration = .seconds(20),
    maximumResponseBytes: Int = 4 * 1_048_576,
    connectTimeout: Duration = .seconds(5),
    destinations: AddressPolicy = .anywhere
  ) {
    self.method = method
    self.url = url
    self.headers = headers
    self.body = body
    self.deadline = deadline
    self.maximumResponseBytes = maximumResponseBytes
    self.connectTimeout = connectTimeout
    self.destinations = destinations
  }
}

/// Anything that can carry a request to a server and bring the answer back: the real `HTTPTransport`, or a fake in a
/// test.
public protocol HTTPSending: Sendable {
  /// Sends one request and returns the complete answer, whatever its status. Redirects are never followed.
  func send(_ request: HTTPTransportRequest) async throws(HTTPTransportError) -> HTTPTransportResponse
}
