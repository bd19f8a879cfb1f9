package import Foundation

/// A stretch of time: from its start, up to and without its end.
package struct Span: Hashable, Sendable {
  package let start: Date
  package let end: Date

  package func contains(_ moment: Date) -> Bool { start <= moment && moment < end }
  func overlaps(_ other: Span) -> Bool { start < other.end && other.start < end && isLong && other.isLong }
  /// Whether any time lies in it.
  var isLong: Bool { start < end }
}
