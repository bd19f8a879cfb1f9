/// A queue of queues: each take returns one element of each key in turn, so that a key with many elements delays the others
/// by one element per round, not by its whole length. The order within a key is kept.
struct FairQueue<Key: Hashable, Element> {
  private var queues: [Key: FIFO<Element>] = [:]
  /// The keys that have elements, the next to be served first.
  private var turns = FIFO<Key>()
  private(set) var count = 0

  var isEmpty: Bool { count == 0 }

  func count(of key: Key) -> Int { queues[key]?.count ?? 0 }

  mutating func append(_ element: Element, for key: Key) {
    if queues[key] == nil { turns.append(key) }
    queues[key, default: FIFO()].append(element)
    count += 1
  }

  /// Takes at most `limit` elements, round by round.
  mutating func take(upTo limit: Int) -> [Element] {
    var taken: [Element] = []
    taken.reserveCapacity(min(limit, count))
    while taken.count < limit, let key = turns.popFirst() {
      guard let element = queues[key]?.popFirst() else { continue }
      taken.append(element)
      count -= 1
      if queues[key]?.isEmpty ?? true { queues[key] = nil } else { turns.append(key) }
    }
    return taken
  }
}

extension FairQueue: Sendable where Key: Sendable, Element: Sendable {}
