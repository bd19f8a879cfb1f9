import Synchronization

/// Counts how many times the server behind a configuration stopped accepting writes, as a primary does that becomes a
/// standby.
///
/// One connection notices it. Every connection from an earlier epoch leads to the same server, so it reconnects before its
/// next use.
final class PrimaryEpoch: Sendable {
  private let count = Atomic<Int>(0)

  var current: Int { count.load(ordering: .acquiring) }

  /// A connection of this epoch found a read-only server. Several reports about one epoch count once.
  func lost(during epoch: Int) {
    _ = count.compareExchange(expected: epoch, desired: epoch &+ 1, ordering: .acquiringAndReleasing)
  }
}
