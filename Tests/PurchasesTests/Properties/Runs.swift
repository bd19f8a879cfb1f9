import Foundation

/// How many random histories a run looks at: `PROPERTY_RUNS`, or enough that every kind of change is among them.
enum Runs {
  static let count = ProcessInfo.processInfo.environment["PROPERTY_RUNS"].flatMap { Int($0) } ?? 3_000
  /// Run one seed again: `PROPERTY_SEED`.
  static let only = ProcessInfo.processInfo.environment["PROPERTY_SEED"].flatMap { UInt64($0) }

  /// Histories of which the oracle and the engine say different things, and which of them is right is not settled yet:
  /// `PROPERTY_SEED` shows each. The list may only get shorter.
  static let unsettled: Set<UInt64> = [486, 1145]

  /// The seeds, in parts that run beside each other.
  static let parts: [Range<UInt64>] = {
    if let only { return [only..<(only + 1)] }
    let parts = 8
    return (0..<parts).map { UInt64($0 * count / parts)..<UInt64(($0 + 1) * count / parts) }
  }()
}
