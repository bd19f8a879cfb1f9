import Redis
import TestSupport
import Testing

@Suite("Token buckets")
struct TokenBucketTests {
  let redis: RedisClient
  let prefix: String

  init() throws {
    prefix = try TestRedis.make().keyPrefix
    redis = try makeClient()
  }

  @Test("A full bucket allows its capacity at once, then says how long to wait")
  func burst() async throws {
    let bucket = "\(prefix)burst"
    for left in (0..<5).reversed() {
      #expect(try await redis.takeToken(bucket: bucket, capacity: 5, perSecond: 0.001) == .allowed(remaining: left))
    }
    guard case .retry(let wait) = try await redis.takeToken(bucket: bucket, capacity: 5, perSecond: 0.001) else {
      Issue.record("a sixth token was given")
      return
    }
    #expect(wait > .seconds(900) && wait <= .seconds(1000))
  }

  @Test("Over time the rate is kept, however many ask")
  func rate() async throws {
    let (redis, bucket) = (redis, "\(prefix)rate")
    let start = ContinuousClock.now
    let first = try await redis.takeToken(bucket: bucket, capacity: 10, perSecond: 50)
    #expect(first == .allowed(remaining: 9))
    let end = ContinuousClock.now + .seconds(1)
    let allowed = try await withThrowingTaskGroup(of: Int.self) { group in
      for _ in 0..<16 {
        group.addTask {
          var count = 0
          while ContinuousClock.now < end {
            if case .allowed = try await redis.takeToken(bucket: bucket, capacity: 10, perSecond: 50) { count += 1 }
          }
          return count
        }
      }
      return try await group.reduce(1, +)
    }
    let elapsed = start.duration(to: .now) / .seconds(1)
    #expect(Double(allowed) <= 10 + elapsed * 50)
    // A busy machine may ask too seldom to get everything; what is tested is that the bucket fills at all.
    #expect(allowed >= 15)
  }

  @Test("Waiting as long as it says is enough")
  func waiting() async throws {
    let bucket = "\(prefix)waiting"
    #expect(try await redis.takeToken(bucket: bucket, capacity: 3, perSecond: 3, cost: 3) == .allowed(remaining: 0))
    guard case .retry(let wait) = try await redis.takeToken(bucket: bucket, capacity: 3, perSecond: 3, cost: 2) else {
      Issue.record("tokens were given from an empty bucket")
      return
    }
    #expect(wait > .zero && wait <= .microseconds(666_667))
    try await Task.sleep(for: wait)
    guard case .allowed = try await redis.takeToken(bucket: bucket, capacity: 3, perSecond: 3, cost: 2) else {
      Issue.record("the wait was too short")
      return
    }
  }

  @Test("Asking often does not keep a slow bucket from filling")
  func slow() async throws {
    let bucket = "\(prefix)slow"
    let clock = ContinuousClock()
    let start = clock.now
    _ = try await redis.takeToken(bucket: bucket, capacity: 1, perSecond: 4)
    while case .retry = try await redis.takeToken(bucket: bucket, capacity: 1, perSecond: 4) {
      try #require(start.duration(to: clock.now) < .seconds(20))
    }
    #expect(start.duration(to: clock.now) >= .milliseconds(249))
  }

  @Test("Big numbers keep their digits, and the key ends when the bucket is full")
  func digits() async throws {
    let bucket = "\(prefix)digits"
    let capacity = 1_000_000_000
    let first = try await redis.takeToken(bucket: bucket, capacity: capacity, perSecond: 0.000_1, cost: 1)
    #expect(first == .allowed(remaining: capacity - 1))
    let second = try await redis.takeToken(bucket: bucket, capacity: capacity, perSecond: 0.000_1, cost: 1)
    #expect(second == .allowed(remaining: capacity - 2))
    let kept = try await redis.send(["HGET", bucket, "at"]).string ?? ""
    #expect(kept.count == 16 && kept.allSatisfy(\.isNumber))

    let quick = "\(prefix)quick"
    _ = try await redis.takeToken(bucket: quick, capacity: 10, perSecond: 10)
    #expect(try await redis.send(["PTTL", quick]).integer.map { (1...1_100).contains($0) } == true)
    try await redis.del(bucket)
  }

  @Test("A cost that no bucket of this size can ever give is a mistake", arguments: [-1, 6])
  func mistakes(cost: Int) async {
    await #expect(throws: RedisError.invalidArgument("the cost must be 0 to the capacity")) {
      try await redis.takeToken(bucket: "\(prefix)mistake", capacity: 5, perSecond: 1, cost: cost)
    }
  }
}
