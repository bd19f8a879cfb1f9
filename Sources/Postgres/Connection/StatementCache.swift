/// Which statements a connection has prepared. A statement is prepared at its second use: so a statement that is used once
/// costs no extra round trip, and statements built for each call do not fill the server's memory.
struct StatementCache {
  struct Key: Hashable {
    var sql: String
    var types: [UInt32]
  }

  enum Use: Equatable {
    case unprepared
    /// Prepare it under this name, after freeing the evicted one.
    case prepare(name: String, evicted: String?)
    case prepared(name: String)
  }

  private struct Entry {
    var name: String
    var lastUse: Int
  }

  private let limit: Int
  /// Part of every name. If a pooler hands the session to another client, that client finds no statement of this name, and
  /// never somebody else's statement under its own.
  private let owner: String
  private var entries: [Key: Entry] = [:]
  private var seenOnce: Set<Key> = []
  private var uses = 0
  private var names = 0

  init(limit: Int, owner: String = String(UInt64.random(in: .min ... .max), radix: 36)) {
    self.limit = limit
    self.owner = owner
  }

  mutating func use(_ key: Key) -> Use {
    uses += 1
    if let index = entries.index(forKey: key) {
      entries.values[index].lastUse = uses
      return .prepared(name: entries.values[index].name)
    }
    guard limit > 0 else { return .unprepared }
    guard seenOnce.remove(key) != nil else {
      if seenOnce.count >= limit * 4 { seenOnce.removeAll() }
      seenOnce.insert(key)
      return .unprepared
    }
    var evicted: String?
    if entries.count >= limit, let oldest = entries.min(by: { $0.value.lastUse < $1.value.lastUse }) {
      entries[oldest.key] = nil
      evicted = oldest.value.name
    }
    names += 1
    let name = "s\(names)_\(owner)"
    entries[key] = Entry(name: name, lastUse: uses)
    return .prepare(name: name, evicted: evicted)
  }

  /// Whether the statement was prepared; afterwards it is not.
  @discardableResult
  mutating func forget(_ key: Key) -> Bool { entries.removeValue(forKey: key) != nil }

  mutating func removeAll() {
    entries.removeAll()
    seenOnce.removeAll()
  }
}
