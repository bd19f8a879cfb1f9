import Synchronization

/// Counts how often the server behind a configuration stopped taking writes, as a primary does that becomes a standby.
///
/// One connection notices it. Every connection of an earlier epoch leads to the same server, and reconnects before its next
/// use.
final class PrimaryEpoch: Sendable {
  private let count = Atomic<Int>(0)

  var current: Int { count.load(ordering: .acquiring) }

  /// A connection of this epoch found a server that only reads. Told by many at once, it counts once.
  func lost(during epoch: Int) {
    _ = count.compareExchange(expected: epoch, desired: epoch &+ 1, ordering: .acquiringAndReleasing)
  }
}
