import Foundation

/// When work is noted before it is begun, and what becomes of work during which processes ended.
///
/// A transaction that a process does not live to commit leaves no trace. So for a while after its start, when whatever ended the
/// process before it is tried again, a process commits what it is about to do first. At all other times this would be a commit
/// for nothing.
struct Caution: Sendable {
  private let until: ContinuousClock.Instant?

  /// Cautious from now on for a while.
  static func from(now: ContinuousClock.Instant = .now, for time: Duration = .seconds(20)) -> Caution {
    Caution(until: now + time)
  }

  /// Never.
  static let none = Caution(until: nil)

  /// Whether what is begun is noted first.
  func isOn(at moment: ContinuousClock.Instant = .now) -> Bool { until.map { moment < $0 } ?? false }

  /// So many times a process may end during the same piece of work, as restarts and crashes of the machine make it, before
  /// that work is taken for the cause.
  static let mostEnds = 2

  /// After this an event that was begun on is nobody's any more.
  static let longestEvent = "60 seconds"

  /// How long a purchase is left alone: five minutes, then four times as long each time, a day at most.
  static func pause(afterEnds ends: Int) -> TimeInterval {
    let step = min(max(ends - mostEnds, 0), 5)
    return min(300 * TimeInterval(1 << (2 * step)), 86_400)
  }

  static let reasonOfPurchase =
    "The service ended twice while it worked on this purchase. It is set aside and tried again later."
  static let reasonOfEvent =
    "The service ended twice while it handled this event, which was set aside. It is handled again when it is replayed."
}
