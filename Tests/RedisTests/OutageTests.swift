import Foundation
import Logging
import Redis
import Testing

@Suite("Outages", .enabled(if: PrivateServer.executable != nil), .serialized)
struct OutageTests {
  private func client(of server: PrivateServer, timeout: Duration = .milliseconds(250)) throws -> RedisClient {
    let configuration = try RedisConfiguration(
      url: server.url, timeout: timeout, backoff: .init(first: .milliseconds(20), longest: .milliseconds(200)))
    return RedisClient(configuration, logger: Logger(label: "test"))
  }

  private func failure(_ redis: RedisClient) async -> (RedisError?, Duration) {
    let start = ContinuousClock.now
    do throws(RedisError) {
      try await redis.ping()
      return (nil, start.duration(to: .now))
    } catch {
      return (error, start.duration(to: .now))
    }
  }

  /// Asks until the server is back; each question ends by itself.
  private func waitUntilBack(_ redis: RedisClient) async throws {
    let start = ContinuousClock.now
    while await failure(redis).0 != nil {
      try #require(start.duration(to: .now) < .seconds(10))
      try await Task.sleep(for: .milliseconds(10))
    }
  }

  @Test("A server that stops answering costs each caller the timeout, then nothing, and comes back by itself")
  func stopped() async throws {
    let server = try PrivateServer()
    try server.start()
    let redis = try client(of: server)
    try await redis.ping()

    server.send(signal: SIGSTOP)
    let results = await withTaskGroup(of: (RedisError?, Duration).self) { group in
      for _ in 0..<2_000 { group.addTask { await failure(redis) } }
      return await group.reduce(into: []) { $0.append($1) }
    }
    #expect(results.allSatisfy { $0.0 != nil })
    #expect(results.contains { $0.0 == .timeout })
    #expect(results.allSatisfy { $0.1 < .seconds(2) })

    // The circuit is open now: no waiting.
    let (error, elapsed) = await failure(redis)
    #expect(error == .unavailable("not connected"))
    #expect(elapsed < .milliseconds(200))
    #expect(!redis.isAvailable)

    server.send(signal: SIGCONT)
    try await waitUntilBack(redis)
  }

  @Test("A killed server fails at once, and a new one in its place is found")
  func killed() async throws {
    let server = try PrivateServer()
    try server.start()
    let redis = try client(of: server)
    try await redis.set("key", "value")

    server.killNow()
    for _ in 0..<10 {
      let (error, elapsed) = await failure(redis)
      #expect(error != nil)
      #expect(elapsed < .seconds(1))
    }
    try server.start()
    try await waitUntilBack(redis)
    #expect(try await redis.get("key") == nil)
    // Scripts were forgotten with the old server.
    #expect(try await redis.takeToken(bucket: "b", capacity: 1, perSecond: 1) == .allowed(remaining: 0))
  }

  @Test("A server restarted while nobody asked is not noticed at all")
  func restartedWhileIdle() async throws {
    let server = try PrivateServer()
    try server.start()
    let redis = try client(of: server, timeout: .seconds(5))
    for _ in 0..<4 { try await redis.ping() }
    _ = try await redis.takeToken(bucket: "b", capacity: 1, perSecond: 1)
    server.killNow()
    try server.start()
    for _ in 0..<4 { try await redis.ping() }
    #expect(try await redis.takeToken(bucket: "b", capacity: 1, perSecond: 1) == .allowed(remaining: 0))
  }

  @Test("Killed under load, every command ends, and none hangs")
  func killedUnderLoad() async throws {
    let server = try PrivateServer()
    try server.start()
    let redis = try client(of: server)
    let (answered, failed) = await withTaskGroup(of: Bool.self) { group in
      for index in 0..<5_000 {
        group.addTask { (try? await redis.incr("counter-\(index % 7)")) != nil }
      }
      var counts = (0, 0)
      for await wasAnswered in group {
        if wasAnswered { counts.0 += 1 } else { counts.1 += 1 }
        if counts.0 == 500 { server.killNow() }
      }
      return counts
    }
    #expect(answered + failed == 5_000)
    #expect(answered >= 500)
  }

  @Test("A server that is not there fails at once and without limit to how often it is asked")
  func absent() async throws {
    let server = try PrivateServer()
    let redis = try client(of: server)
    for _ in 0..<100 {
      let (error, elapsed) = await failure(redis)
      #expect(error != nil)
      #expect(elapsed < .seconds(1))
    }
    try server.start()
    try await waitUntilBack(redis)
  }

  @Test("A wrong password is an outage, and the right one with a database is not")
  func passwords() async throws {
    let server = try PrivateServer()
    try server.start(["--requirepass", "p@ss"])
    let path = server.url.dropFirst("unix://".count)
    let wrong = RedisClient(try .init(url: "unix://:no@\(path)"), logger: Logger(label: "test"))
    #expect(await failure(wrong).0 != nil)
    let right = RedisClient(try .init(url: "unix://:p%40ss@\(path)?db=3"), logger: Logger(label: "test"))
    try await right.set("key", "value")
    let other = RedisClient(try .init(url: "unix://:p%40ss@\(path)"), logger: Logger(label: "test"))
    #expect(try await other.get("key") == nil)
  }
}
