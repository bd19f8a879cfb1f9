import Foundation

/// A stretch of time: from its start, up to and without its end.
struct Span: Hashable, Sendable {
  let start: Date
  let end: Date

  func contains(_ moment: Date) -> Bool { start <= moment && moment < end }
  func overlaps(_ other: Span) -> Bool { start < other.end && other.start < end && isLong && other.isLong }
  /// Whether any time lies in it.
  var isLong: Bool { start < end }
}
