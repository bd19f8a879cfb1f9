import Synchronization

/// How often the server behind a configuration was found to take no writes any more, as a primary does that became a standby.
///
/// One connection finds out; all that were made before are then to the same server, and are made anew before their next use.
final class PrimaryEpoch: Sendable {
  private let count = Atomic<Int>(0)

  var current: Int { count.load(ordering: .acquiring) }

  /// A connection of this epoch found a server that only reads. Told by many at once, it counts once.
  func lost(during epoch: Int) {
    _ = count.compareExchange(expected: epoch, desired: epoch &+ 1, ordering: .acquiringAndReleasing)
  }
}
