import Foundation

/// The numbers of activities and ledger entries: the second times 2^20, plus a running number (migration 0010). A window of
/// time is a range of them. They stay below 2^53, which every JSON reader holds exactly, beyond the year 2200.
enum TimeSequence {
  static let perSecond: Int64 = 1 << 20

  /// The smallest number of a moment: all earlier events have smaller numbers, and events in or after its second do not.
  static func first(at date: Date) -> Int64 {
    let seconds = min(max(0, date.timeIntervalSince1970.rounded(.up)), 8_000_000_000)
    return Int64(seconds) * perSecond
  }
}
