/// A lock that this process holds until a time, and that ends by itself after it.
///
/// It saves work but does not guarantee exclusion: a process that stops for longer than the lock lasts continues without it.
/// What must never happen twice needs a second guard at the data, such as a unique key or a fencing number.
public struct RedisLock: Sendable {
  /// The key of the lock.
  public let name: String
  /// When the lock must count as lost, on this machine's clock. It is counted from before the server was asked, and shortened
  /// to allow for clock drift, so the server releases the lock only later.
  public let deadline: ContinuousClock.Instant

  let owner: String
  let client: RedisClient

  /// Whether the time has not run out yet, without asking the server.
  public var isStillHeld: Bool { ContinuousClock.now < deadline }

  /// The same lock with its time restarted; `nil` if it was lost, and perhaps belongs to another owner now.
  public func extended(for time: Duration) async throws(RedisError) -> RedisLock? {
    let asked = ContinuousClock.now
    let reply = try await client.eval(
      Self.extendScript, keys: [name], arguments: [RedisArgument(owner), RedisArgument(time.positiveMilliseconds)])
    guard reply.integer == 1 else { return nil }
    return RedisLock(name: name, deadline: Self.deadline(asked: asked, time: time), owner: owner, client: client)
  }

  /// Gives the lock back.
  /// - Returns: whether it was still held; `false` if it had ended before and perhaps belongs to another owner now.
  @discardableResult
  public func release() async throws(RedisError) -> Bool {
    try await client.eval(Self.releaseScript, keys: [name], arguments: [RedisArgument(owner)]).integer == 1
  }

  /// A hundredth of the time and two milliseconds are given up, the allowance that the Redis documentation
  /// ("Distributed locks with Redis") suggests for drifting clocks and the server's own precision.
  static func deadline(asked: ContinuousClock.Instant, time: Duration) -> ContinuousClock.Instant {
    asked + time - time / 100 - .milliseconds(2)
  }

  private static let extendScript = RedisScript(
    """
    if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
    return redis.call('PEXPIRE', KEYS[1], ARGV[2])
    """)

  private static let releaseScript = RedisScript(
    """
    if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
    return redis.call('DEL', KEYS[1])
    """)
}

extension RedisClient {
  /// Takes a lock, without waiting for it.
  /// - Parameters:
  ///   - name: the key that stands for the lock.
  ///   - time: after this long the lock ends by itself.
  /// - Returns: `nil` if another owner holds it. If an error is thrown, the result is unknown: the lock may have been taken,
  ///   and then ends by itself.
  public func lock(_ name: String, for time: Duration) async throws(RedisError) -> RedisLock? {
    let asked = ContinuousClock.now
    let owner = Self.randomOwner()
    guard try await set(name, owner, onlyIfAbsent: true, expiry: time) else { return nil }
    return RedisLock(
      name: name, deadline: RedisLock.deadline(asked: asked, time: time), owner: owner, client: self)
  }

  /// 128 random bits: no two owners are ever the same.
  private static func randomOwner() -> String {
    var generator = SystemRandomNumberGenerator()
    return String(generator.next(), radix: 36) + "-" + String(generator.next(), radix: 36)
  }
}
