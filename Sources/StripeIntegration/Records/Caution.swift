import Foundation

/// When to record work before it is begun, and what to do with work during which processes crashed.
///
/// A transaction that a process does not live to commit leaves no trace. So for a while after its start, when the work that
/// crashed the previous process is tried again, a process first commits what it is about to do. At all other times this would
/// be a useless commit.
struct Caution: Sendable {
  private let until: ContinuousClock.Instant?

  /// Cautious for a while from now on.
  static func from(now: ContinuousClock.Instant = .now, for time: Duration = .seconds(20)) -> Caution {
    Caution(until: now + time)
  }

  /// Never cautious.
  static let none = Caution(until: nil)

  /// Whether work is recorded before it is begun.
  func isOn(at moment: ContinuousClock.Instant = .now) -> Bool { until.map { moment < $0 } ?? false }

  /// How many times processes may end during the same piece of work before that work counts as the cause. Restarts and
  /// crashes of the machine can cause this many.
  static let mostEnds = 2

  /// After this time, no process counts as working on an event that was begun.
  static let longestEvent = "60 seconds"

  /// How long to set a purchase aside: five minutes, then four times as long each time, at most a day.
  static func delay(afterEnds ends: Int) -> TimeInterval {
    let step = min(max(ends - mostEnds, 0), 5)
    return min(300 * TimeInterval(1 << (2 * step)), 86_400)
  }

  static let reasonOfPurchase =
    "The service ended twice while it worked on this purchase. It is set aside and tried again later."
  static let reasonOfEvent =
    "The service ended twice while it handled this event, which was set aside. It is handled again when it is replayed."
}
