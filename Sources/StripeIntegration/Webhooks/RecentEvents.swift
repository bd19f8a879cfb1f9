import Foundation
import Identity
import Redis
import StripeAPI
import Synchronization

/// Remembers for a while which events are in the inbox, so that most repeated deliveries never reach Postgres.
///
/// Only a shortcut: without Redis, Postgres alone decides. And a shortcut that a failure shuts: as soon as anything of a
/// tenant has failed, its deliveries go to the inbox again, so that a resend is never swallowed.
///
/// A first delivery comes within seconds of its event and costs no question: Redis is asked about what this process has seen
/// before, and about what is old enough to be a repetition that another replica saw. A repetition that slips through is
/// recognised by the inbox.
struct RecentEvents: Sendable {
  static let memory: Duration = .seconds(600)
  /// An event younger than this that is new to this process is taken for a first delivery.
  static let youth: TimeInterval = 20

  private let redis: RedisClient?
  private let seen = RecentKeys(capacity: 20_000)
  private let notes: PendingNotes

  /// - Parameter pause: between two notes to Redis under load; what comes meanwhile goes along with the next.
  init(redis: RedisClient?, pause: Duration = .milliseconds(100)) {
    self.redis = redis
    notes = PendingNotes(pause: pause)
  }

  func isKnown(_ item: InboxItem, now: Date) async -> Bool {
    guard let redis, redis.isAvailable else { return false }
    let isYoung = abs(now.timeIntervalSince(item.envelope.created)) < Self.youth
    if isYoung, !seen.contains(item.key) { return false }
    let found = try? await redis.areThere([Self.seen(item.key), Self.doubt(item.tenant)])
    return found == [true, false]
  }

  /// To be called after the commit, never before. Under load many events share a note, so that hardly anybody waits; what
  /// is not noted for want of a next event is only not remembered.
  func remember(_ item: InboxItem) async {
    guard let redis, redis.isAvailable else { return }
    seen.insert(item.key)
    guard let keys = notes.add(item.key) else { return }
    _ = try? await redis.eval(
      Self.rememberAll, keys: keys.map(Self.seen), arguments: [RedisArgument(Self.memory.components.seconds)])
    notes.written()
  }

  /// Something of the tenant has failed: for as long as anything is remembered, nothing is taken as known.
  func doubt(_ tenant: Tenant) async {
    _ = try? await redis?.set(Self.doubt(tenant), "1", expiry: Self.memory)
  }

  private static func seen(_ key: String) -> String { "event:\(key)" }
  private static func doubt(_ tenant: Tenant) -> String { "event-doubt:\(tenant)" }

  private static let rememberAll = RedisScript(
    "for _, key in ipairs(KEYS) do redis.call('SET', key, '1', 'EX', ARGV[1]) end")
}

/// The keys that this process met last, as many as there is room for.
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

/// Keys on their way to Redis: whoever finds that it is time writes for all.
private final class PendingNotes: Sendable {
  private struct State: Sendable {
    var isBeingWritten = false
    var lastWritten: ContinuousClock.Instant?
    var keys: [String] = []
  }

  private let state = Mutex(State())
  private let pause: Duration
  private static let fullNote = 256
  /// More would make one command long; what is left out is only not remembered.
  private static let capacity = 1_000

  init(pause: Duration) { self.pause = pause }

  /// - Returns: what the caller is to write, its own key included; nil when somebody else will.
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
