import Foundation

/// How many random histories a run looks at: `PROPERTY_RUNS`, or enough that every kind of change is among them.
enum Runs {
  static let count = ProcessInfo.processInfo.environment["PROPERTY_RUNS"].flatMap { Int($0) } ?? 3_000
  /// The first seed of the run: `PROPERTY_FIRST`, so that a long row can be looked at in parts.
  static let first = ProcessInfo.processInfo.environment["PROPERTY_FIRST"].flatMap { Int($0) } ?? 0
  /// Run one seed again: `PROPERTY_SEED`.
  static let only = ProcessInfo.processInfo.environment["PROPERTY_SEED"].flatMap { UInt64($0) }
  /// Whether a failing history is made as small as it goes; `PROPERTY_SHRINK=0` shows it as it is.
  static let shrinks = ProcessInfo.processInfo.environment["PROPERTY_SHRINK"] != "0"

  /// The seeds, in parts that run beside each other.
  static let parts: [Range<UInt64>] = {
    if let only { return [only..<(only + 1)] }
    let parts = 8
    return (0..<parts).map { part in
      UInt64(first + part * count / parts)..<UInt64(first + (part + 1) * count / parts)
    }
  }()
}
