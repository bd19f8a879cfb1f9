import Identity
import Logging
import Redis
import StripeAPI
import Synchronization

/// How many calls to Stripe a tenant may make, over all replicas. This is well below what Stripe allows an account (Stripe
/// docs, "Rate limits"), because the merchant's own shop uses the same limit.
struct CallBudget: Sendable {
  let redis: RedisClient?
  let keyPrefix: String
  /// The longest time that a call waits for its turn.
  var longestWait: Duration = .seconds(20)
  /// Divides the budget: 2 gives half of it.
  private let share: Int
  private let local = LocalBuckets()

  init(redis: RedisClient?, keyPrefix: String = "", share: Int = 1) {
    self.redis = redis
    self.keyPrefix = keyPrefix
    self.share = share
  }

  /// Calls per second, and the largest burst. Stripe allows 100 in live mode and 25 in test mode.
  static func callsPerSecond(livemode: Bool) -> Int { livemode ? 20 : 10 }

  /// Waits for the tenant's turn.
  /// - Throws: `StripeError` with `.rateLimited` if the wait would be too long; `CancellationError`.
  func take(for tenant: Tenant) async throws {
    let deadline = ContinuousClock.now + longestWait
    while let pause = await pause(for: tenant) {
      guard ContinuousClock.now + pause < deadline else {
        throw StripeError(
          message: "this account's calls to Stripe are queueing", retry: .rateLimited(reason: "budget", after: pause),
          attempts: 0)
      }
      // A little more than needed, and not the same for all waiting calls.
      try await Task.sleep(for: pause * Double.random(in: 1.0...1.5))
    }
  }

  /// How long to wait; nil means go on.
  private func pause(for tenant: Tenant) async -> Duration? {
    let rate = max(1, Self.callsPerSecond(livemode: tenant.livemode) / share)
    if let redis {
      do {
        let decision = try await redis.takeToken(
          bucket: "\(keyPrefix)stripe:budget:\(tenant)", capacity: rate, perSecond: Double(rate))
        guard case .retry(let pause) = decision else { return nil }
        return pause
      } catch {
        // Redis is down, so each replica counts by itself.
      }
    }
    return local.pause(for: tenant, perSecond: rate, now: .now)
  }
}

/// Token buckets of this process. Each is stored as the moment at which it would be empty again.
final class LocalBuckets: Sendable {
  private let spentUntil = Mutex<[Tenant: ContinuousClock.Instant]>([:])
  private static let prunedAbove = 1_000

  /// Takes one call from a bucket that holds one second's calls. If it is empty, returns how long to wait.
  func pause(for tenant: Tenant, perSecond: Int, now: ContinuousClock.Instant) -> Duration? {
    let interval = Duration.seconds(1) / perSecond
    return spentUntil.withLock { buckets in
      if buckets.count > Self.prunedAbove { buckets = buckets.filter { $0.value > now } }
      let spent = max(buckets[tenant] ?? now, now)
      let wait = spent + interval - now - .seconds(1)
      guard wait <= .zero else { return wait }
      buckets[tenant] = spent + interval
      return nil
    }
  }
}
