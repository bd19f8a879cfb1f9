public import Redis
public import ServerKit

extension RateLimiter {
  /// Counts in Redis, over all replicas. Without Redis, and while it is down, each process counts separately.
  public convenience init(_ redis: RedisClient?) {
    guard let redis else {
      self.init(shared: nil)
      return
    }
    let shared: Shared = { bucket, limit in
      let decision = try await redis.takeToken(bucket: bucket, capacity: limit.burst, perSecond: limit.perSecond)
      switch decision {
      case .allowed: return .allowed
      case .retry(let after): return .retry(after: after)
      }
    }
    self.init(shared: shared)
  }
}
