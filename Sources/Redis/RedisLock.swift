/// A lock that this process holds until a time, and that ends by itself after it.
public struct RedisLock: Sendable {
  /// The key of the lock.
  public let name: String
  /// When the lock must be taken as lost, on this machine's clock; a little before the server lets go of it.
  public let deadline: ContinuousClock.Instant

  let owner: String
  let client: RedisClient

  /// Whether the time has not run out yet, without asking the server.
  public var isStillHeld: Bool { ContinuousClock.now < deadline }

  /// The same lock with its time beginning anew; `nil` when it was lost, and is perhaps somebody else's now.
  public func extended(for time: Duration) async throws(RedisError) -> RedisLock? {
    throw .unavailable("not built")
  }

  /// Gives the lock back.
  /// - Returns: whether it was still held; `false` when it had ended before and is perhaps somebody else's now.
  @discardableResult
  public func release() async throws(RedisError) -> Bool {
    throw .unavailable("not built")
  }
}

extension RedisClient {
  /// Takes a lock, without waiting for it.
  /// - Returns: `nil` when somebody else holds it.
  public func lock(_ name: String, for time: Duration) async throws(RedisError) -> RedisLock? {
    throw .unavailable("not built")
  }
}
