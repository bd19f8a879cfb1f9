/// A number of requests at once, and a rate in the long run: a bucket of tokens for each caller.
public struct RateLimit: Sendable, Hashable {
  /// The prefix of the bucket's name, before the caller's name.
  public let name: String
  /// The largest burst: how many tokens fit.
  public let burst: Int
  /// How many tokens are added each second.
  public let perSecond: Double

  /// - Precondition: both are above 0.
  public init(_ name: String, burst: Int, perSecond: Double) {
    precondition(burst > 0 && perSecond > 0 && perSecond.isFinite, "a limit lets something through")
    self.name = name
    self.burst = burst
    self.perSecond = perSecond
  }
}

/// What a limit says to a request.
public enum RateDecision: Sendable, Hashable {
  case allowed
  /// Not now; there is a token after this long, if nobody else takes it.
  case retry(after: Duration)
}

/// The bucket of one caller in this process: the same computation as in the store that processes share.
struct TokenBucket: Hashable {
  private var tokens: Double
  private var at: ContinuousClock.Instant

  /// A full one.
  init(_ limit: RateLimit, at now: ContinuousClock.Instant) {
    tokens = Double(limit.burst)
    at = now
  }

  mutating func take(_ limit: RateLimit, at now: ContinuousClock.Instant) -> RateDecision {
    refill(limit, at: now)
    if tokens >= 1 {
      tokens -= 1
      return .allowed
    }
    return .retry(after: .seconds((1 - tokens) / limit.perSecond))
  }

  /// A full bucket can be forgotten without any loss.
  func isFull(_ limit: RateLimit, at now: ContinuousClock.Instant) -> Bool {
    var bucket = self
    bucket.refill(limit, at: now)
    return bucket.tokens >= Double(limit.burst)
  }

  private mutating func refill(_ limit: RateLimit, at now: ContinuousClock.Instant) {
    tokens = min(Double(limit.burst), tokens + max(0, (now - at) / .seconds(1)) * limit.perSecond)
    at = max(at, now)
  }
}

/// The buckets of this process. Their number is limited, because callers can invent any number of names.
struct TokenBuckets {
  private struct Key: Hashable {
    let limit: RateLimit
    let caller: String
  }

  private var buckets: [Key: TokenBucket] = [:]
  private let maximumCount: Int

  init(maximumCount: Int = 20_000) { self.maximumCount = maximumCount }

  var count: Int { buckets.count }

  mutating func take(_ limit: RateLimit, of caller: String, at now: ContinuousClock.Instant) -> RateDecision {
    let key = Key(limit: limit, caller: caller)
    if buckets[key] == nil, buckets.count >= maximumCount { makeRoom(at: now) }
    return buckets[key, default: TokenBucket(limit, at: now)].take(limit, at: now)
  }

  /// Forgets the full buckets and, if those are fewer than half, others up to that number.
  private mutating func makeRoom(at now: ContinuousClock.Instant) {
    buckets = buckets.filter { !$0.value.isFull($0.key.limit, at: now) }
    let surplus = buckets.count - maximumCount / 2
    if surplus > 0 { for key in Array(buckets.keys.prefix(surplus)) { buckets[key] = nil } }
  }
}
