/// How an `HTTPTransport` behaves for all its requests.
public struct HTTPTransportConfiguration: Sendable {
  /// The `User-Agent` of requests that name none themselves.
  public var userAgent: String?
  /// Whether `http` is allowed to any host. By default only to 127.0.0.0/8, `::1` and `localhost`.
  public var allowsPlainHTTP: Bool
  /// A PEM file of the certificate authorities to trust instead of the system's. Certificates are always verified.
  public var certificateAuthorityFile: String?
  /// Whether HTTP/2 is offered over TLS; up to 100 requests at once then share a connection. Plain connections always
  /// speak HTTP/1.1.
  public var offersHTTP2: Bool
  /// The most connections open at once; further requests wait inside their deadline.
  public var maximumConnections: Int
  /// The most connections open at once to one host and port.
  public var maximumConnectionsPerHost: Int
  /// The most requests under way or waiting at once; beyond it `send` fails with `.overloaded`.
  public var maximumRequests: Int
  /// How long a looked-up address is kept.
  public var dnsCacheTime: Duration
  /// How long an unused connection may be kept and still be used again.
  public var idleConnectionTime: Duration
  /// The largest response header accepted, all fields together, in bytes.
  public var maximumHeaderBytes: Int

  /// The defaults suit a server that calls a few hosts often.
  public init(
    userAgent: String? = nil,
    allowsPlainHTTP: Bool = false,
    certificateAuthorityFile: String? = nil,
    offersHTTP2: Bool = true,
    maximumConnections: Int = 256,
    maximumConnectionsPerHost: Int = 64,
    maximumRequests: Int = 10_000,
    dnsCacheTime: Duration = .seconds(60),
    idleConnectionTime: Duration = .seconds(60),
    maximumHeaderBytes: Int = 65_536
  ) {
    self.userAgent = userAgent
    self.allowsPlainHTTP = allowsPlainHTTP
    self.certificateAuthorityFile = certificateAuthorityFile
    self.offersHTTP2 = offersHTTP2
    self.maximumConnections = maximumConnections
    self.maximumConnectionsPerHost = maximumConnectionsPerHost
    self.maximumRequests = maximumRequests
    self.dnsCacheTime = dnsCacheTime
    self.idleConnectionTime = idleConnectionTime
    self.maximumHeaderBytes = maximumHeaderBytes
  }
}
