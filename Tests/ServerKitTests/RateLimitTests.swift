import HTTPTypes
import Hummingbird
import Networks
import Synchronization
import Testing

@testable import ServerKit

@Suite("Limits")
struct RateLimitTests {
  private let limit = RateLimit("test:", burst: 3, perSecond: 2)
  private let start = ContinuousClock.now

  private struct Away: Error {}

  @Test("a bucket gives its burst at once, then says how long to wait, and fills at its rate")
  func bucket() {
    var bucket = TokenBucket(limit, at: start)
    for _ in 0..<3 { #expect(bucket.take(limit, at: start) == .allowed) }
    #expect(bucket.take(limit, at: start) == .retry(after: .milliseconds(500)))
    #expect(bucket.take(limit, at: start + .milliseconds(250)) == .retry(after: .milliseconds(250)))
    #expect(bucket.take(limit, at: start + .milliseconds(500)) == .allowed)
    #expect(!bucket.isFull(limit, at: start + .seconds(1)))
    #expect(bucket.isFull(limit, at: start + .seconds(2)))
    // It never holds more than its burst, and a clock that goes back takes nothing away.
    for _ in 0..<3 { #expect(bucket.take(limit, at: start + .seconds(100)) == .allowed) }
    #expect(bucket.take(limit, at: start + .seconds(99)) == .retry(after: .milliseconds(500)))
  }

  @Test("the buckets of a process are bounded, and those that are full go first")
  func bounded() {
    var buckets = TokenBuckets(maximumCount: 10)
    for number in 0..<9 { _ = buckets.take(limit, of: "old \(number)", at: start) }
    for _ in 0..<3 { _ = buckets.take(limit, of: "busy", at: start + .seconds(60)) }
    for number in 0..<5 { _ = buckets.take(limit, of: "new \(number)", at: start + .seconds(60)) }
    #expect(buckets.take(limit, of: "busy", at: start + .seconds(60)) != .allowed)
    for number in 0..<1_000 { _ = buckets.take(limit, of: "made up \(number)", at: start + .seconds(60)) }
    #expect(buckets.count <= 10)
  }

  @Test("while the shared store is away, the limit holds in the process")
  func away() async throws {
    let asked = Mutex<[String]>([])
    let (start, limit) = (start, limit)
    let limiter = RateLimiter(
      shared: { bucket, _ in
        asked.withLock { $0.append(bucket) }
        throw Away()
      }, now: { start })
    for _ in 0..<3 { try await limiter.take(limit, of: "a") }
    let failure = await #expect(throws: APIFailure.self) { try await limiter.take(limit, of: "a") }
    #expect(failure?.status == .tooManyRequests && failure?.code == "RATE_LIMITED")
    #expect(failure?.headers.first?.name == "Retry-After")
    try await limiter.take(limit, of: "b")
    #expect(asked.withLock { $0 } == ["test:a", "test:a", "test:a", "test:a", "test:b"])
  }

  @Test("an IPv6 network of a subscriber counts as one address")
  func networks() throws {
    let names = try ["2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:db8:1:3::1", "192.0.2.1"].map {
      RateLimiter.name(try #require(IPAddress($0)))
    }
    #expect(names == ["2001:db8:1:2::/64", "2001:db8:1:2::/64", "2001:db8:1:3::/64", "192.0.2.1"])
  }

  private func router() throws -> AppRouter {
    let start = start
    let limiter = RateLimiter(shared: nil, now: { start })
    let router = AppRouter(trustedProxies: TrustedProxies([try #require(NetworkBlock("127.0.0.0/8"))]))
    router.limit(AddressLimit(RateLimit("open:", burst: 3, perSecond: 1), on: .requests, under: ["/open"]), by: limiter)
    router.limit(
      AddressLimit(
        RateLimit("keys:", burst: 3, perSecond: 1), on: .refusedCredentials(scheme: "Key"), under: ["/closed"]),
      by: limiter)
    router.cors(CORSPolicy(.all), under: "/closed")
    router.get("open/page") { _, context in try Answer.data("ok", context: context) }
    router.get("opening") { _, context in try Answer.data("ok", context: context) }
    router.get("closed") { request, context in
      guard request.headers[.authorization] == "key good" else { throw APIFailure.unauthorized() }
      return try Answer.data("ok", context: context)
    }
    return router
  }

  @Test("beyond a limit an address gets 429 and the others go on")
  func requests() async throws {
    try await withServer(router()) { server in
      func get(_ target: String, from address: String) async throws -> RawConnection.Answer {
        try await server.send("GET", target, headers: [("X-Forwarded-For", address)])
      }
      for _ in 0..<3 { #expect(try await get("/open/page", from: "203.0.113.1").status == 200) }
      let refused = try await get("/open/page", from: "203.0.113.1")
      #expect(refused.status == 429 && refused.header("Retry-After") == "1")
      #expect(refused.text.contains("RATE_LIMITED") && refused.header("X-Request-Id") != nil)
      #expect(try await get("/open/nothing", from: "203.0.113.1").status == 429)
      #expect(try await get("/opening", from: "203.0.113.1").status == 200)
      #expect(try await get("/open/page", from: "203.0.113.2").status == 200)
    }
  }

  @Test("who guesses keys gets 429; a good key at the same address is never refused for it")
  func guesses() async throws {
    try await withServer(router()) { server in
      func get(_ credential: String?) async throws -> RawConnection.Answer {
        let headers = [("X-Forwarded-For", "203.0.113.1")] + (credential.map { [("Authorization", $0)] } ?? [])
        return try await server.send("GET", "/closed", headers: headers)
      }
      for number in 0..<3 { #expect(try await get("Key \(number)").status == 401) }
      let refused = try await get("KEY 4")
      #expect(refused.status == 429 && refused.header("Access-Control-Allow-Origin") == "*")
      #expect(try await get("key good").status == 200)
      // No guess at all.
      #expect(try await get(nil).status == 401)
    }
  }
}
