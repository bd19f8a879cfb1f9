import Logging
import Redis
import ServerKit

/// How fast one caller may ask, over all replicas: one tenant's script must not slow the pages of the others.
struct TenantRateLimit: Sendable {
  let redis: RedisClient?
  /// Before the caller's name in Redis.
  let prefix: String
  /// The largest burst.
  let capacity: Int
  /// In the long run.
  let perSecond: Double

  /// Takes one request out of the caller's allowance. While Redis is away everything is allowed: the limit protects, it
  /// is no promise.
  /// - Throws: 429 with `Retry-After`.
  func take(_ caller: String) async throws(APIFailure) {
    guard let redis else { return }
    let decision: TokenDecision
    do {
      decision = try await redis.takeToken(bucket: prefix + caller, capacity: capacity, perSecond: perSecond)
    } catch {
      return
    }
    if case .retry(let after) = decision { throw .tooManyRequests(retryAfter: after) }
  }
}
