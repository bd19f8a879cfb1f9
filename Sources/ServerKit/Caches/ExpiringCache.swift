import Synchronization

/// Values of this process that are used for a while, and then asked for again.
///
/// It never holds more than its capacity: above it, what has expired goes first, and everything else after that, which costs
/// as many questions as after a start.
public final class ExpiringCache<Key: Hashable & Sendable, Value: Sendable>: Sendable {
  private struct Entry {
    let value: Value
    let until: ContinuousClock.Instant
  }

  private let entries = Mutex<[Key: Entry]>([:])
  private let capacity: Int
  private let now: @Sendable () -> ContinuousClock.Instant

  /// - Parameters:
  ///   - capacity: the most entries.
  ///   - now: the time that entries expire by.
  public init(capacity: Int, now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }) {
    self.capacity = capacity
    self.now = now
  }

  /// The value, unless it has expired.
  public subscript(_ key: Key) -> Value? {
    let now = now()
    return entries.withLock { entries in entries[key].flatMap { $0.until > now ? $0.value : nil } }
  }

  /// The last known value, even if it has expired.
  public func last(_ key: Key) -> Value? { entries.withLock { $0[key]?.value } }

  /// Keeps a value for a time.
  /// - Parameter isOutdated: whether the value that is there, even if it has expired, makes the new one useless. Then nothing
  ///   changes.
  public func insert(
    _ value: Value, for key: Key, lasting time: Duration, unless isOutdated: (Value) -> Bool = { _ in false }
  ) {
    let now = now()
    entries.withLock { entries in
      if let known = entries[key] {
        if isOutdated(known.value) { return }
      } else if entries.count >= capacity {
        entries = entries.filter { $0.value.until > now }
        if entries.count >= capacity { entries = [:] }
      }
      entries[key] = Entry(value: value, until: now + time)
    }
  }

  /// Forgets a value.
  public func remove(_ key: Key) { entries.withLock { $0[key] = nil } }
}
