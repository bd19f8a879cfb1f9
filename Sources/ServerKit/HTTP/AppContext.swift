public import Hummingbird
import Logging
public import NIOCore
public import Networks

/// A request context that knows the id its answer carries. A child context made by `group(context:)` adopts this so
/// that ``Answer`` can be used with it.
public protocol IdentifiedRequestContext: RequestContext {
  /// The id of this request, `req_` and 24 random characters; the same in `meta.request_id`, in the `X-Request-Id`
  /// header and in the log.
  var requestID: String { get }
}

/// What every handler of a server knows about the request it serves, beside the request itself.
public struct AppContext: IdentifiedRequestContext, RemoteAddressRequestContext {
  /// The framework's own part.
  public var coreContext: CoreRequestContextStorage

  /// See ``IdentifiedRequestContext/requestID``. It is always made here: an id sent by a client is ignored, so that nobody
  /// can forge a log entry.
  public let requestID: String

  /// The peer of the connection. Behind a proxy this is the proxy; see ``clientAddress``.
  public let remoteAddress: SocketAddress?

  /// The sender of the request: the connection's peer or, if the peer is a trusted proxy, the address that it names. Nil if
  /// this is no IP connection. An IPv4 address mapped into IPv6 counts as the IPv4 address.
  public internal(set) var clientAddress: IPAddress?

  /// The connection, which must be told when a body is wanted.
  let channel: any Channel

  /// When the head of the request had been read, for the duration in the access log and the metrics.
  public let startedAt: ContinuousClock.Instant

  public init(source: ApplicationRequestContextSource) {
    requestID = RequestID.random()
    channel = source.channel
    remoteAddress = source.channel.remoteAddress
    clientAddress = remoteAddress?.ipAddress.flatMap { IPAddress($0) }.map { $0.mappedIPv4 ?? $0 }
    startedAt = .now
    coreContext = CoreRequestContextStorage(source: source)
    coreContext.parameters = Parameters()
    var logger = source.logger
    logger[metadataKey: "hb.request.id"] = nil
    logger[metadataKey: "request_id"] = .string(requestID)
    self.logger = logger
  }

  /// The same as ``requestID``; stands in for the framework's own counter.
  public var id: String { requestID }

  /// ``clientAddress`` as text, or `unknown`.
  public var clientAddressText: String { clientAddress?.description ?? "unknown" }
}

extension RequestContext {
  /// The value of the path parameter `name`, percent-decoded.
  ///
  /// - Throws: ``APIFailure/notFound(_:)`` when the text in the path is not valid percent-encoded UTF-8, or holds NUL: no
  ///   resource has such a name.
  public func pathParameter(_ name: String) throws -> String {
    guard let raw = parameters.get(name), let decoded = PercentCoding.decode(raw), !decoded.isEmpty,
      !decoded.utf8.contains(0)
    else { throw APIFailure.notFound() }
    return decoded
  }
}

/// Ids of requests.
enum RequestID {
  private static let alphabet = Array("abcdefghijklmnopqrstuvwxyz234567".utf8)

  /// `req_` and 120 random bits in base 32.
  static func random() -> String {
    var generator = SystemRandomNumberGenerator()
    var bits = generator.next()
    var rest = generator.next()
    return String(unsafeUninitializedCapacity: 28) { buffer in
      _ = buffer.initialize(fromContentsOf: Array("req_".utf8))
      for index in 0..<24 {
        if index == 12 { swap(&bits, &rest) }
        buffer.initializeElement(at: 4 + index, to: alphabet[Int(bits & 31)])
        bits >>= 5
      }
      return 28
    }
  }
}
