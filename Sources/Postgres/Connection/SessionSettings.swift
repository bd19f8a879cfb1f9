/// The settings that every session gets by a statement of its own, before anything else runs on it. Settings in the start-up
/// packet would be refused by a pooler in between, or silently dropped.
///
/// The time zone and the styles fix the text form of values, which the decoders read.
struct SessionSettings: Sendable {
  /// Those that `options` in the connection string does not set itself.
  var timeouts: [(name: String, value: Duration)]
  var synchronousCommit: Bool
  /// Set last: a role that may not change a parameter must not get it set by another role's right.
  var role: String?

  /// One statement, one round trip.
  func statement() throws(PostgresError) -> String {
    var values = timeouts.map { ($0.name, String($0.value.wholeMilliseconds)) }
    values += [
      ("TimeZone", "UTC"), ("DateStyle", "ISO"), ("IntervalStyle", "postgres"), ("bytea_output", "hex"),
      ("standard_conforming_strings", "on"), ("client_min_messages", "warning"),
    ]
    if !synchronousCommit { values.append(("synchronous_commit", "off")) }
    if let role {
      guard !role.utf8.contains(0) else { throw PostgresError(.encoding, PostgresQuery.textWithNUL) }
      values.append(("role", role))
    }
    let calls = values.map { "pg_catalog.set_config('\($0.0)', \(PostgresQuery.quotedLiteral($0.1)), false)" }
    return "SELECT " + calls.joined(separator: ", ")
  }
}
