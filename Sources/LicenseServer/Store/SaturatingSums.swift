import Postgres

// Amounts come from applications, so many large ones can add up to more than 64 bits. The sum is computed with wider numbers,
// and beyond 64 bits it is reported as the largest number: too small an answer at a size where nobody can use the difference
// is better than none.

/// A sum in SQL.
enum SaturatingSum {
  /// The SQL for a wide sum as it is reported: the sum itself, or ±9223372036854775807 for anything beyond.
  /// - Parameter sum: an SQL expression. PostgreSQL sums `bigint` as `numeric`, which does not overflow; only casting that
  ///   sum can fail.
  static func shown(_ sum: String) -> PostgresQuery {
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
