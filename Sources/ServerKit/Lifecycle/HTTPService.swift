import Hummingbird
import HummingbirdCore
public import Logging
import NIOCore
public import ServiceLifecycle

/// The HTTP server as a service: binds, serves until it is told to stop, then lets the requests in progress finish.
public struct HTTPService: Service {
  /// What one client or many may take.
  public struct Limits: Sendable {
    /// Connections the system holds until they are accepted.
    public var backlog = 1024
    /// Connections at once; beyond, new ones wait in the backlog.
    public var maximumConnections = 10_000
    /// How long a connection may be silent, between requests and while a request is being sent.
    public var idleTimeout = Duration.seconds(75)
    /// The head of a request in bytes.
    public var maximumHeaderBytes = 32 * 1024

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
    let channel = HTTP1Channel.Configuration(
      idleTimeout: .nanoseconds(Int64(limits.idleTimeout / .nanoseconds(1))),
      httpDecoderConfiguration: .init(
        maxHeaderFieldSize: limits.maximumHeaderBytes, maxHeaderListSize: limits.maximumHeaderBytes,
        maxHeaderFieldCount: 200))
    let host = address.host
    let application = Application(
      responder: responder,
      server: .http1(configuration: channel),
      configuration: ApplicationConfiguration(
        address: .hostname(address.host, port: address.port), serverName: nil, backlog: limits.backlog,
        availableConnectionsDelegate: .maximum(limits.maximumConnections, logger: logger)),
      onServerRunning: { [onBound] channel in
        await onBound(ServerAddress(host: host, port: channel.localAddress?.port ?? 0))
      },
      logger: logger)
    try await application.run()
  }
}
