import Testing

@testable import Redis

@Suite("Redis URLs")
struct RedisConfigurationTests {
  @Test("Host, port, database, user and password are read")
  func tcp() throws {
    let plain = try RedisConfiguration(url: "redis://127.0.0.1").address
    #expect(plain.endpoint == .tcp(host: "127.0.0.1", port: 6379))
    #expect(plain.database == 0 && plain.user == nil && plain.password == nil)

    let full = try RedisConfiguration(url: "redis://app:p%40ss%2F@cache.internal:6380/3").address
    #expect(full.endpoint == .tcp(host: "cache.internal", port: 6380))
    #expect(full.user == "app" && full.password == "p@ss/" && full.database == 3)

    let six = try RedisConfiguration(url: "redis://:secret@[::1]:7000/").address
    #expect(six.endpoint == .tcp(host: "::1", port: 7000))
    #expect(six.user == nil && six.password == "secret")
  }

  @Test("rediss is the same with TLS")
  func tls() throws {
    let address = try RedisConfiguration(url: "rediss://app:secret@cache.example.com/2").address
    #expect(address.endpoint == .tls(host: "cache.example.com", port: 6379) && address.database == 2)
  }

  @Test("A socket's path is read")
  func unix() throws {
    #expect(
      try RedisConfiguration(url: "unix:///run/redis%20x.sock").address.endpoint == .unix(path: "/run/redis x.sock"))
    let full = try RedisConfiguration(url: "unix://:secret@/run/redis.sock?db=2").address
    #expect(full.endpoint == .unix(path: "/run/redis.sock") && full.password == "secret" && full.database == 2)
  }

  @Test(
    "What is not such a URL is refused, without repeating it",
    arguments: [
      "", "localhost:6379", "http://secret.example/", "redisss://secret.example/", "redis://", "redis://:secret@",
      "redis://secret@host", "redis://host:0", "redis://host:99999", "redis://host:x", "redis://host/secret",
      "redis://host/-1",
      "redis://ho st", "unix://relative/secret.sock", "unix:///" + String(repeating: "x", count: 107),
      "redis://:%zz@host",
    ])
  func refused(url: String) {
    let error = #expect(throws: RedisConfigurationError.self) { try RedisConfiguration(url: url) }
    #expect(error?.description.contains("secret") == false)
  }
}
