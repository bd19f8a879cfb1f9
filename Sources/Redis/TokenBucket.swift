/// The answer of a token bucket to a request.
public enum TokenDecision: Sendable, Hashable {
  /// Go on; this many whole tokens are left.
  case allowed(remaining: Int)
  /// Not now; there are enough tokens after this long, if nobody else takes them.
  case retry(after: Duration)
}

extension RedisClient {
  /// Takes tokens from a bucket that many processes share. A bucket starts full, and the server's time is used, so the
  /// processes' clocks do not matter. A full bucket leaves no key behind.
  ///
  /// - Parameters:
  ///   - bucket: the key of the bucket.
  ///   - capacity: how many tokens fit: the largest burst.
  ///   - perSecond: how many tokens are added each second: the rate in the long run.
  ///   - cost: how many tokens this request needs.
  public func takeToken(
    bucket: String, capacity: Int, perSecond: Double, cost: Int = 1
  ) async throws(RedisError) -> TokenDecision {
    guard capacity > 0, perSecond > 0, perSecond.isFinite else {
      throw .invalidArgument("a bucket needs a capacity and a rate above 0")
    }
    guard (0...capacity).contains(cost) else { throw .invalidArgument("the cost must be 0 to the capacity") }
    let reply = try await eval(
      Self.takeTokenScript, keys: [bucket],
      arguments: [RedisArgument(capacity), RedisArgument(perSecond), RedisArgument(cost)])
    guard let numbers = reply.array?.map(\.integer), numbers.count == 2, let isAllowed = numbers[0],
      let number = numbers[1]
    else { throw .unexpectedReply(reply.kind) }
    return isAllowed == 1 ? .allowed(remaining: Int(number)) : .retry(after: .microseconds(number))
  }

  /// Replies {1, whole tokens left} or {0, microseconds to wait}.
  ///
  /// Lua has only doubles, and turning one into text by itself keeps 14 digits, fewer than a time in microseconds has.
  /// So the time, a whole number below 2^53, is written with `%.0f`, and the tokens with all their 17 digits.
  private static let takeTokenScript = RedisScript(
    """
    local capacity, rate, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
    local clock = redis.call('TIME')
    local now = tonumber(clock[1]) * 1000000 + tonumber(clock[2])
    local kept = redis.call('HMGET', KEYS[1], 'tokens', 'at')
    local tokens, at = tonumber(kept[1]) or capacity, tonumber(kept[2]) or now
    -- A clock set back adds nothing; it must not take anything away either.
    local passed = math.max(0, now - at)
    tokens = math.min(capacity, tokens + passed * rate / 1000000)
    local allowed, number = 1, 0
    if tokens >= cost then
      tokens = tokens - cost
      number = math.floor(tokens)
    else
      allowed = 0
      number = math.min(9e15, math.ceil((cost - tokens) * 1000000 / rate))
    end
    redis.call('HSET', KEYS[1], 'tokens', string.format('%.17g', tokens), 'at', string.format('%.0f', now))
    -- The key ends a second after the bucket is full, when keeping it says no more than its absence.
    local life = math.min(9e12, math.ceil((capacity - tokens) * 1000 / rate) + 1000)
    redis.call('PEXPIRE', KEYS[1], string.format('%.0f', life))
    return {allowed, number}
    """)
}
