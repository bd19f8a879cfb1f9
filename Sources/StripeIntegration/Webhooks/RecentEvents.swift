import Foundation
import Identity
import Redis
import StripeAPI
import Synchronization

/// Remembers for a while which events are in the inbox, so that most repeated deliveries never reach Postgres.
///
/// This is only a shortcut: without Redis, Postgres alone decides. Any failure of a tenant closes it: as soon as something
/// has failed, the tenant's deliveries go to the inbox again, so that a resend is never swallowed.
///
/// A first delivery comes within seconds of its event and needs no call. Redis is asked only about events that this process
/// has seen before, and about those old enough that another replica may have seen them. The inbox recognises a repetition
/// that slips through.
struct RecentEvents: Sendable {
  static let memory: Duration = .seconds(600)
  /// An event younger than this that is new to this process counts as a first delivery.
  static let youth: TimeInterval = 20

  private let redis: RedisClient?
  private let seen = RecentKeys(capacity: 20_000)
  private let notes: PendingNotes

  /// - Parameter pause: between two writes to Redis under load; keys that come meanwhile go with the next write.
  init(redis: RedisClient?, pause: Duration = .milliseconds(100)) {
    self.redis = redis
    notes = PendingNotes(pause: pause)
  }

  func isKnown(_ item: InboxItem, now: Date) async -> Bool {
    guard let redis, redis.isAvailable else { return false }
    let isYoung = abs(now.timeIntervalSince(item.envelope.created)) < Self.youth
    if isYoung, !seen.contains(item.key) { return false }
    let found = try? await redis.areThere([Self.seen(item.key), Self.invalidated(item.tenant)])
    return found == [true, false]
  }

  /// Call this after the commit, never before. Under load many events share one write, so that hardly anybody waits. A key
  /// that no later write takes along is simply not remembered.
  func remember(_ item: InboxItem) async {
    guard let redis, redis.isAvailable else { return }
    seen.insert(item.key)
    guard let keys = notes.add(item.key) else { return }
    _ = try? await redis.eval(
      Self.rememberAll, keys: keys.map(Self.seen), arguments: [RedisArgument(Self.memory.components.seconds)])
    notes.written()
  }

  /// Something of the tenant has failed: until everything remembered has expired, no event counts as known.
  func invalidate(_ tenant: Tenant) async {
    _ = try? await redis?.set(Self.invalidated(tenant), "1", expiry: Self.memory)
  }

  private static func seen(_ key: String) -> String { "event:\(key)" }
  private static func invalidated(_ tenant: Tenant) -> String { "event-doubt:\(tenant)" }

  private static let rememberAll = RedisScript(
    "for _, key in ipairs(KEYS) do redis.call('SET', key, '1', 'EX', ARGV[1]) end")
}

/// The keys that this process met last, up to its capacity.
private final class RecentKeys: Sendable {
  private struct Generations: Sendable {
    var young: Set<String> = []
    var old: Set<String> = []
  }

  private let generations = Mutex(Generations())
  private let half: Int

  init(capacity: Int) { half = capacity / 2 }

  func contains(_ key: String) -> Bool {
    generations.withLock { $0.young.contains(key) || $0.old.contains(key) }
  }

  func insert(_ key: String) {
    generations.withLock { generations in
      if generations.young.count >= half {
        generations.old = generations.young
        generations.young = []
      }
      generations.young.insert(key)
    }
  }
}

/// Keys on their way to Redis. The caller that finds it is time writes for all.
private final class PendingNotes: Sendable {
  private struct State: Sendable {
    var isBeingWritten = false
    var lastWritten: ContinuousClock.Instant?
    var keys: [String] = []
  }

  private let state = Mutex(State())
  private let pause: Duration
  private static let fullNote = 256
  /// More would make one command too long; keys left out are simply not remembered.
  private static let capacity = 1_000

  init(pause: Duration) { self.pause = pause }

  /// - Returns: what the caller must write, including its own key; nil if another caller will.
  func add(_ key: String) -> [String]? {
    let now = ContinuousClock.now
    return state.withLock { state in
      if state.keys.count < Self.capacity { state.keys.append(key) }
      let isTime = state.lastWritten.map { now - $0 >= pause } ?? true
      guard !state.isBeingWritten, isTime || state.keys.count >= Self.fullNote else { return nil }
      state.isBeingWritten = true
      state.lastWritten = now
      defer { state.keys = [] }
      return state.keys
    }
  }

  func written() { state.withLock { $0.isBeingWritten = false } }
}
