import Postgres

// Amounts come from applications, and so many of the largest add up to more than 64 bits hold. A sum of them is made wide, and
// told as the largest number when it is beyond that: an answer that is too small at the end of the scale, where nobody can
// use the difference, instead of none.

/// A sum in SQL.
enum SaturatingSum {
  /// What a wide sum is told as: itself, or ±9223372036854775807 for anything beyond.
  /// - Parameter sum: an expression of SQL. PostgreSQL sums `bigint` as `numeric`, which has no end; casting that sum is what
  ///   fails.
  static func told(_ sum: String) -> PostgresQuery {
    PostgresQuery(
      unescaped: "least(greatest(\(sum), -9223372036854775807), 9223372036854775807)::bigint")
  }
}

extension Int64 {
  /// The sum, or ±9223372036854775807 for one beyond.
  func addingSaturated(_ other: Int64) -> Int64 {
    let (sum, overflow) = addingReportingOverflow(other)
    if overflow { return other < 0 ? -.max : .max }
    return Swift.max(sum, -.max)
  }

  /// The difference, or ±9223372036854775807 for one beyond.
  func subtractingSaturated(_ other: Int64) -> Int64 {
    let (difference, overflow) = subtractingReportingOverflow(other)
    if overflow { return other > 0 ? -.max : .max }
    return Swift.max(difference, -.max)
  }
}
