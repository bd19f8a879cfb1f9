import Logging
import Redis
import TestSupport
import Testing

/// A client of the shared test server, with limits generous enough for a busy machine.
func makeClient(url: String? = nil, connections: Int = 2) throws -> RedisClient {
  let configuration = try RedisConfiguration(
    url: url ?? TestRedis.make().url, connections: connections, timeout: .seconds(5), connectTimeout: .seconds(5),
    maximumWait: .seconds(20))
  return RedisClient(configuration, logger: Logger(label: "test"))
}

@Suite("Commands")
struct CommandTests {
  let redis: RedisClient
  let prefix: String

  init() throws {
    prefix = try TestRedis.make().keyPrefix
    redis = try makeClient()
  }

  @Test("Ten thousand commands at once each get their own reply")
  func pipelining() async throws {
    let (redis, prefix) = (redis, prefix)
    let wrong = try await withThrowingTaskGroup(of: Bool.self) { group in
      for index in 0..<10_000 {
        group.addTask { try await redis.send(["ECHO", "\(prefix)\(index)"]).string != "\(prefix)\(index)" }
      }
      return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
    }
    #expect(wrong == 0)
  }

  @Test("Values are any bytes, from none to a megabyte")
  func binary() async throws {
    for value in [[], [0], Array(0...255), Array("a\r\n$3\r\n".utf8), [UInt8](repeating: 0, count: 1_048_576)]
      as [[UInt8]]
    {
      try await redis.set("\(prefix)binary", value, expiry: .seconds(10))
      #expect(try await redis.get("\(prefix)binary") == value)
    }
  }

  @Test("Reading, taking and removing keys")
  func keys() async throws {
    let key = "\(prefix)key"
    #expect(try await redis.get(key) == nil)
    #expect(try await redis.set(key, "1", onlyIfAbsent: true, expiry: .seconds(10)))
    #expect(try await !redis.set(key, "2", onlyIfAbsent: true, expiry: .seconds(10)))
    #expect(try await redis.getdel(key) == Array("1".utf8))
    #expect(try await redis.getdel(key) == nil)
    #expect(try await redis.incr(key) == 1)
    #expect(try await redis.incr(key, by: 41) == 42)
    #expect(try await redis.expire(key, after: .seconds(10)))
    #expect(try await redis.send(["PTTL", key]).integer.map { (1...10_000).contains($0) } == true)
    #expect(try await redis.del(key, "\(prefix)other") == 1)
    #expect(try await !redis.expire(key, after: .seconds(10)))
  }

  @Test("Nested replies keep their shape, and an error is thrown")
  func shapes() async throws {
    let reply = try await redis.send(["EVAL", "return {1, 'two', {3, false}}", "0"])
    #expect(reply == .array([.integer(1), .bytes(Array("two".utf8)), .array([.integer(3), .null])]))
    try await redis.set("\(prefix)text", "x", expiry: .seconds(10))
    await #expect {
      try await redis.incr("\(prefix)text")
    } throws: { error in
      if case .server(let text)? = error as? RedisError { text.hasPrefix("ERR") } else { false }
    }
    await #expect(throws: RedisError.invalidArgument("a command has at least one word")) {
      try await redis.send([RedisArgument]())
    }
  }

  @Test("A script runs again after the server forgot it")
  func scripts() async throws {
    let script = RedisScript("return {KEYS[1], ARGV[1]} -- \(prefix)")
    let expected = RedisReply.array([.bytes(Array("k".utf8)), .bytes([0, 255])])
    for _ in 0..<3 {
      #expect(try await redis.eval(script, keys: ["k"], arguments: [RedisArgument([0, 255])]) == expected)
      try await redis.send(["SCRIPT", "FLUSH", "SYNC"])
    }
  }

  @Test("A key is new once, and again when it was not seen for its time")
  func remembering() async throws {
    let key = "\(prefix)seen"
    #expect(try await redis.rememberOnce(key, for: .seconds(10)))
    #expect(try await !redis.rememberOnce(key, for: .milliseconds(1)))
    while try await redis.get(key) != nil {}
    #expect(try await redis.rememberOnce(key, for: .seconds(10)))
    // Seen again, it is remembered for the whole time again.
    try await redis.expire(key, after: .seconds(1))
    #expect(try await !redis.rememberOnce(key, for: .seconds(10)))
    #expect(try await redis.send(["PTTL", key]).integer.map { $0 > 5_000 } == true)
  }

  @Test("A client whose task is cancelled closes its connections")
  func running() async throws {
    let client = try makeClient()
    try await client.ping()
    let task = Task { await client.run() }
    task.cancel()
    await task.value
    #expect(!client.isAvailable)
    await #expect(throws: RedisError.unavailable("not connected")) { try await client.ping() }
  }
}
