/// What a token bucket says to a request.
public enum TokenDecision: Sendable, Hashable {
  /// Go on; this many whole tokens are left.
  case allowed(remaining: Int)
  /// Not now; there are enough tokens after this long, if nobody else takes them.
  case retry(after: Duration)
}

extension RedisClient {
  /// Takes tokens from a bucket that many processes share.
  public func takeToken(
    bucket: String, capacity: Int, perSecond: Double, cost: Int = 1
  ) async throws(RedisError) -> TokenDecision {
    throw .unavailable("not built")
  }
}
