import Hummingbird
import HummingbirdCore
public import Logging
import NIOCore
public import ServiceLifecycle

/// The HTTP server as a service: binds, serves until it is told to stop, then lets the requests in progress finish.
public struct HTTPService: Service {
  /// The limits of one client, or of all together.
  public struct Limits: Sendable {
    /// Connections that the system holds before they are accepted.
    public var backlog = 1024
    /// Connections at once; further ones wait in the backlog. Fewer if the limit of open files is lower.
    public var maximumConnections = 10_000
    /// Open files that are kept for everything but connections.
    public var reservedFiles = 192
    /// How long a connection may be silent between requests.
    public var idleTimeout = Duration.seconds(75)
    /// From the first byte of a request, or the beginning of a connection, to the end of the request's head.
    public var headTimeout = Duration.seconds(20)
    /// From the head of a request to the end of its body.
    public var requestTimeout = Duration.seconds(30)
    /// How long to wait for the last answer of a connection to arrive before the connection is closed.
    public var lingerTimeout = Duration.seconds(2)
    /// The head of a request in bytes.
    public var maximumHeaderBytes = 32 * 1024
    /// The fields of a request's head.
    public var maximumHeaderFields = 200
    /// Requests, over all connections, whose body did not come in one piece and is awaited; further ones get 503.
    public var maximumUnfinishedRequests = 4_000
    /// Bytes of bodies, over all connections, of unanswered requests; further ones get 503.
    public var maximumBodyBytes = 128 << 20
    /// This many bytes of each body are not counted there, so that short requests are served beside long ones. The number of
    /// connections limits them.
    public var freeBodyBytes = 16 << 10

    /// The defaults, which suit a server behind a proxy.
    public init() {}
  }

  private let responder: AppResponder
  private let address: ServerAddress
  private let limits: Limits
  private let logger: Logger
  private let onBound: @Sendable (ServerAddress) async -> Void

  /// - Parameters:
  ///   - router: frozen here; add nothing later.
  ///   - address: port 0 lets the system choose; `onBound` and the log tell which.
  ///   - onBound: called once the server accepts connections, with the real port.
  public init(
    router: AppRouter, address: ServerAddress, limits: Limits = Limits(), logger: Logger,
    onBound: @escaping @Sendable (ServerAddress) async -> Void = { _ in }
  ) {
    responder = router.buildResponder()
    self.address = address
    self.limits = limits
    self.logger = logger
    self.onBound = onBound
  }

  /// Serves until graceful shutdown or cancellation.
  ///
  /// - Throws: when the address cannot be bound.
  public func run() async throws {
    let openFiles = OpenFiles.limit
    let connections = OpenFiles.connections(
      wanted: limits.maximumConnections, limit: openFiles, reserved: limits.reservedFiles)
    logger.log(
      level: connections < limits.maximumConnections ? .warning : .info,
      connections < limits.maximumConnections
        ? "The limit of open files bounds the number of connections" : "The number of connections is bounded",
      metadata: [
        "connections": "\(connections)", "open_files": openFiles.map { "\($0)" } ?? "unlimited",
      ])
    let load = ServerLoad(maximumRequests: limits.maximumUnfinishedRequests, maximumBytes: limits.maximumBodyBytes)
    let host = address.host
    let application = Application(
      responder: responder,
      server: HTTPServerBuilder { [limits] responder in
        ConnectionChannel(responder: responder, limits: limits, load: load)
      },
      configuration: ApplicationConfiguration(
        address: .hostname(address.host, port: address.port), serverName: nil, backlog: limits.backlog,
        availableConnectionsDelegate: .maximum(connections, logger: logger)),
      onServerRunning: { [onBound] channel in
        await onBound(ServerAddress(host: host, port: channel.localAddress?.port ?? 0))
      },
      logger: logger)
    try await application.run()
  }
}
