package import Foundation

/// A span of time: includes its start, but not its end.
package struct Span: Hashable, Sendable {
  package let start: Date
  package let end: Date

  package func contains(_ moment: Date) -> Bool { start <= moment && moment < end }
  func overlaps(_ other: Span) -> Bool { start < other.end && other.start < end && isLong && other.isLong }
  /// Whether it is longer than nothing.
  var isLong: Bool { start < end }
}
