import Foundation
import Logging
import Redis
import TestSupport
import Testing

@Suite("A server that others use as well")
struct SharedServerTests {
  private func client(prefix: String) throws -> RedisClient {
    var configuration = try RedisConfiguration(
      url: TestRedis.make().url, timeout: .seconds(5), connectTimeout: .seconds(5), maximumWait: .seconds(20))
    configuration.keyPrefix = prefix
    return RedisClient(configuration, logger: Logger(label: "test"))
  }

  @Test("no command with a key sees or takes what is another service's")
  func apart() async throws {
    let run = try TestRedis.make().keyPrefix
    let (one, two) = (try client(prefix: run + "one:"), try client(prefix: run + "two:"))
    #expect(try await one.set("key", "1", onlyIfAbsent: true, expiry: .seconds(60)))
    #expect(try await two.get("key") == nil)
    #expect(try await two.areThere(["key", "other"]) == [false, false])
    #expect(try await one.areThere(["other", "key"]) == [false, true])
    #expect(try await two.set("key", "2", onlyIfAbsent: true, expiry: .seconds(60)))
    #expect(try await two.getdel("key") == Array("2".utf8))
    #expect(try await one.get("key") == Array("1".utf8))
    #expect(try await one.incr("count") == 1)
    #expect(try await two.incr("count") == 1)
    #expect(try await two.expire("count", after: .seconds(60)))
    #expect(try await two.del("key") == 0)
    #expect(try await one.del("key", "count") == 2)
    #expect(try await one.rememberOnce("seen", for: .seconds(60)))
    #expect(try await two.rememberOnce("seen", for: .seconds(60)))

    let lock = try #require(try await one.lock("lock", for: .seconds(60)))
    #expect(try await one.lock("lock", for: .seconds(60)) == nil)
    #expect(try await two.lock("lock", for: .seconds(60)) != nil)
    #expect(try await lock.extended(for: .seconds(60)) != nil)
    #expect(try await lock.release())

    for client in [one, two] {
      let decision = try await client.takeToken(bucket: "bucket", capacity: 1, perSecond: 0.001)
      #expect(decision == .allowed(remaining: 0))
    }
    let plain = try client(prefix: "")
    #expect(try await plain.get(run + "one:seen") != nil)
  }
}

@Suite("A server that became a replica", .enabled(if: PrivateServer.executable != nil), .serialized)
struct ReplicaTests {
  @Test("it is given up at its first refusal, not used while it is a replica, and used again when it is none")
  func failover() async throws {
    let server = try PrivateServer()
    try server.start()
    let redis = RedisClient(
      try RedisConfiguration(
        url: server.url, connections: 1, timeout: .seconds(5), connectTimeout: .seconds(5), maximumWait: .seconds(20),
        backoff: .init(first: .milliseconds(20), longest: .milliseconds(100))),
      logger: Logger(label: "test"))
    try await redis.set("key", "1")
    try server.command("REPLICAOF", "127.0.0.1", "1")
    let refused = await #expect(throws: RedisError.self) { try await redis.set("key", "2") }
    #expect(refused?.code == "unavailable")
    try await Task.sleep(for: .milliseconds(200))
    #expect(!redis.isAvailable)
    try server.command("REPLICAOF", "NO", "ONE")
    let start = ContinuousClock.now
    while (try? await redis.set("key", "3")) == nil {
      try #require(start.duration(to: .now) < .seconds(20))
      try await Task.sleep(for: .milliseconds(20))
    }
    #expect(try await redis.get("key") == Array("3".utf8))
  }
}
