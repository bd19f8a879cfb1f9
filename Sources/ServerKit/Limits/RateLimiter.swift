public import Networks
import Synchronization

/// Counts requests against limits, in a store that all processes share. While that store is down each process counts by
/// itself, so that a limit always holds.
public final class RateLimiter: Sendable {
  /// Takes a token from a bucket that processes share.
  public typealias Shared = @Sendable (_ bucket: String, RateLimit) async throws -> RateDecision

  private let shared: Shared?
  private let now: @Sendable () -> ContinuousClock.Instant
  private let local = Mutex(TokenBuckets())

  /// - Parameters:
  /// - shared: nil if there is no such store.
  ///   - now: for the buckets of this process.
  public init(shared: Shared?, now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }) {
    self.shared = shared
    self.now = now
  }

  /// Takes one request out of the caller's allowance.
  ///
  /// - Throws: 429 `RATE_LIMITED` with `Retry-After`.
  public func take(_ limit: RateLimit, of caller: String) async throws(APIFailure) {
    if case .retry(let after) = await decision(limit, caller) { throw .tooManyRequests(retryAfter: after) }
  }

  /// The same for a client's address. Requests without an address share one allowance.
  public func take(_ limit: RateLimit, of address: IPAddress?) async throws(APIFailure) {
    try await take(limit, of: address.map(Self.name) ?? "unknown")
  }

  private func decision(_ limit: RateLimit, _ caller: String) async -> RateDecision {
    if let shared, let decision = try? await shared(limit.name + caller, limit) { return decision }
    return local.withLock { $0.take(limit, of: caller, at: now()) }
  }

  /// An IPv6 subscriber has a whole network of 64 bits, and can send each request from another address of it.
  static func name(_ address: IPAddress) -> String {
    guard address.bytes.count == 16,
      let network = IPAddress(bytes: address.bytes.prefix(8) + Array(repeating: 0, count: 8))
    else { return address.description }
    return "\(network)/64"
  }
}

/// A limit on what one caller may ask for.
public struct CallerLimit: Sendable {
  private let limit: RateLimit
  private let limiter: RateLimiter

  /// - Parameter limiter: counts.
  public init(_ limit: RateLimit, _ limiter: RateLimiter) {
    self.limit = limit
    self.limiter = limiter
  }

  /// Takes one request out of the caller's allowance.
  ///
  /// - Throws: 429 `RATE_LIMITED` with `Retry-After`.
  public func take(_ caller: String) async throws(APIFailure) { try await limiter.take(limit, of: caller) }
}
