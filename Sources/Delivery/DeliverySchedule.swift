public import Foundation

/// When something that did not arrive is tried again, and when it is given up.
public enum DeliverySchedule {
  /// Waits after the first attempts; the last one repeats until the time is over.
  private static let waits: [Double] = [
    5, 30, 120, 600, 1_800, 3_600, 7_200, 14_400, 28_800, 28_800, 28_800,
  ]

  /// How long one delivery is tried, and how long a receiver may take nothing before it is given up.
  public static let time: TimeInterval = 3 * 86_400

  /// Seconds that a receiver is left alone after a claim that failed by itself.
  public static let brokenBackoff: TimeInterval = 10

  /// Seconds to wait after so many attempts, spread by a fifth either way so that what failed together does not come back
  /// together; nil when the time is over.
  /// - Parameters:
  ///   - age: since it was made or replayed, in seconds.
  ///   - spread: 0 to 1, random.
  ///   - asked: how long the receiver asked to be left alone.
  public static func wait(
    after attempts: Int, age: TimeInterval, spread: Double, asked: Duration? = nil
  ) -> TimeInterval? {
    guard age < time else { return nil }
    return max(
      waits[min(max(attempts, 1), waits.count) - 1] * (0.8 + 0.4 * spread),
      asked.map { obeyed($0, spread: spread) } ?? 0)
  }

  /// No longer than this a receiver is left alone because it asked for it.
  public static let longestAsked: TimeInterval = 3_600

  /// The seconds that a receiver asks to be left alone, and up to a tenth more, so that what was refused together does not
  /// come back together.
  public static func obeyed(_ asked: Duration, spread: Double) -> TimeInterval {
    min(max(asked, .zero) / .seconds(1), longestAsked) * (1 + 0.1 * spread)
  }

  /// Seconds that a receiver is left alone after claims under which nothing arrived: short at first, as the deliveries have
  /// waits of their own, and an hour at most, so that one that is well again is noticed.
  public static func delay(afterFailures failures: Int, spread: Double) -> TimeInterval {
    min(2 * pow(2, Double(min(max(failures, 1), 16) - 1)), 3_600) * (0.8 + 0.4 * spread)
  }

  /// Seconds that a receiver is left alone after a claim; nil when it is served again as soon as something is due.
  /// - Parameters:
  ///   - failures: claims in a row under which nothing arrived, this one included.
  ///   - spread: 0 to 1, random.
  static func pause(after summary: DeliveryClaim.Summary, failures: Int, spread: Double) -> TimeInterval? {
    let failed = summary.arrived == 0 && summary.failed > 0
    return [
      failed ? delay(afterFailures: failures, spread: spread) : nil,
      summary.retryAfter.map { obeyed($0, spread: spread) },
      summary.isBroken ? brokenBackoff : nil,
    ].compactMap(\.self).max()
  }
}
