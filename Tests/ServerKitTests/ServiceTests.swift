import Hummingbird
import JSON
import Logging
import ServerKit
import ServiceLifecycle
import Synchronization
import Testing

@Suite("The HTTP service")
struct ServiceTests {
  @Test("Readiness says which part is missing; liveness does not care")
  func health() async throws {
    let router = AppRouter()
    router.addHealthRoutes([ReadinessCheck("db") { "unreachable" }, ReadinessCheck("cache") { nil }])
    try await withServer(router) { server in
      let liveness = try await server.send("GET", "/healthz").status
      #expect(liveness == 200)
      let answer = try await server.send("GET", "/readyz")
      #expect(answer.status == 503)
      #expect(answer.text.hasPrefix(#"{"data":{"status":"not_ready","db":"unreachable","cache":"ok"},"meta":"#))
    }
  }

  @Test("Starting services writes their names into the debug log, and nothing that they hold")
  func serviceNames() async throws {
    struct Holder: Service {
      let secret: String
      func run() async throws {}
    }
    let log = LogCollector()
    // A service that ends is the end of them all.
    await #expect(throws: (any Error).self) {
      try await runService([Holder(secret: "hidden-value")], logger: log.logger(level: .trace))
    }
    #expect(log.text.contains("Holder"))
    #expect(!log.text.contains("hidden-value"))
  }

  @Test("A request in progress is finished when the server is told to stop")
  func gracefulShutdown() async throws {
    let (started, start) = AsyncStream<Void>.makeStream()
    let (released, release) = AsyncStream<Void>.makeStream()
    let (bound, bind) = AsyncStream<ServerAddress>.makeStream()
    let router = AppRouter()
    router.get("slow") { _, context in
      start.yield()
      for await _ in released { break }
      return try Answer.data("done", context: context)
    }
    let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
    let service = HTTPService(router: router, address: .anyLoopbackPort, logger: logger) { bind.yield($0) }
    let group = ServiceGroup(services: [service], logger: logger)
    async let running: Void = group.run()
    var addresses = bound.makeAsyncIterator()
    let server = try #require(await addresses.next())
    #expect(server.port > 0)
    async let answer = server.send("GET", "/slow")
    for await _ in started { break }
    await group.triggerGracefulShutdown()
    release.yield()
    let status = try await answer.status
    #expect(status == 200)
    try await running
  }

  @Test("A port that is taken ends the start with an error")
  func taken() async throws {
    try await withServer(AppRouter()) { server in
      let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
      let second = HTTPService(router: AppRouter(), address: server, logger: logger)
      await #expect(throws: (any Error).self) { try await second.run() }
    }
  }

  @Test("A connection that says nothing is closed")
  func idle() async throws {
    var limits = HTTPService.Limits()
    limits.idleTimeout = .milliseconds(50)
    try await withServer(AppRouter(), limits: limits) { server in
      let connection = try RawConnection(server)
      await #expect(throws: RawConnection.Closed.self) { try await connection.exchange("POST / HTTP/1.1\r\n") }
    }
  }

  @Test("Many requests at once over a few connections are all answered")
  func concurrency() async throws {
    let router = AppRouter(metrics: MetricsRegistry(), requestTimeout: .seconds(20))
    router.post("echo") { request, context in try Answer.data(await request.decodeBody([Int].self), context: context) }
    try await withServer(router) { server in
      try await withThrowingTaskGroup(of: Void.self) { group in
        for client in 0..<16 {
          group.addTask {
            let connection = try RawConnection(server)
            for number in 0..<50 {
              let answer = try await connection.send("POST", "/echo", body: "[\(client),\(number)]")
              #expect(answer.text.hasPrefix("{\"data\":[\(client),\(number)]"))
            }
          }
        }
        try await group.waitForAll()
      }
    }
  }

  @Test("The table of routes reads like a list of contents")
  func table() {
    let router = AppRouter()
    router.group("v1").get("things/{id}") { _, _ in Answer.empty() }
    router.post("v1/things") { _, _ in Answer.empty() }
    #expect(router.table == ["POST /v1/things", "GET /v1/things/{id}"])
  }
}
