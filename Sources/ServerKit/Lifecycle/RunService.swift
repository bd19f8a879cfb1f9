public import Logging
public import ServiceLifecycle
import UnixSignals

/// Runs services together until one fails or the process is told to stop (SIGTERM, SIGINT). They are stopped in
/// reverse order, each before the ones it was listed after: list what others depend on first, and the HTTP server last.
///
/// - Parameters:
///   - gracefulShutdownTimeout: after this, whatever still runs is cancelled.
/// - close: called once after the last service has ended, even by an error, so that pending data can be written.
public func runService(
  _ services: [any Service], gracefulShutdownTimeout: Duration = .seconds(25), logger: Logger,
  thenClose close: () async -> Void = {}
) async throws {
  var configuration = ServiceGroupConfiguration(
    services: services.map { ServiceGroupConfiguration.ServiceConfiguration(service: NamedService($0)) },
    gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
  configuration.maximumGracefulShutdownDuration = gracefulShutdownTimeout
  configuration.maximumCancellationDuration = .seconds(10)
  do {
    try await ServiceGroup(configuration: configuration).run()
  } catch {
    await close()
    throw error
  }
  await close()
}

/// A service that shows only the name of its type: a service group writes its services into the debug log with everything in
/// them, including credentials.
struct NamedService: Service, CustomStringConvertible, CustomReflectable {
  private let service: any Service

  init(_ service: any Service) { self.service = service }

  func run() async throws { try await service.run() }

  var description: String { "\(type(of: service))" }
  var customMirror: Mirror { Mirror(self, children: []) }
}

/// Runs a server on a loopback port of the system's choice for as long as `body` takes: for tests and tools.
///
/// - Parameter services: run beside the server.
/// - Returns: what `body` returns, after the server has stopped.
public func withServer<R>(
  _ router: AppRouter, services: [any Service] = [], limits: HTTPService.Limits = HTTPService.Limits(),
  logger: Logger = Logger(label: "server", factory: { _ in SwiftLogNoOpLogHandler() }),
  isolation: isolated (any Actor)? = #isolation, _ body: (ServerAddress) async throws -> R
) async throws -> R {
  let (bound, announce) = AsyncStream<ServerAddress>.makeStream()
  let server = HTTPService(router: router, address: .anyLoopbackPort, limits: limits, logger: logger) { address in
    announce.yield(address)
    announce.finish()
  }
  let group = ServiceGroup(services: services + [server], logger: logger)
  async let running: Void = {
    defer { announce.finish() }
    try await group.run()
  }()
  for await address in bound {
    do {
      let result = try await body(address)
      await group.triggerGracefulShutdown()
      try await running
      return result
    } catch {
      await group.triggerGracefulShutdown()
      try? await running
      throw error
    }
  }
  try await running
  throw CancellationError()
}
