/// How a transaction is opened. All of it ends with the transaction; nothing reaches the connection's next user.
public struct TransactionOptions: Sendable {
  public enum Isolation: String, Sendable {
    case readCommitted = "READ COMMITTED"
    case repeatableRead = "REPEATABLE READ"
    case serializable = "SERIALIZABLE"
  }

  /// `SET LOCAL ROLE`: the role whose rights and row-level policies apply.
  public var role: String?
  /// `set_config(name, value, true)` for each, for example the tenant that row-level policies read.
  public var settings: [(name: String, value: String)]
  /// Nil means the server's default (read committed).
  public var isolation: Isolation?
  public var readOnly: Bool
  /// `SET LOCAL statement_timeout`; nil: the session's.
  public var statementTimeout: Duration?
  /// `SET LOCAL lock_timeout`; nil: the session's.
  public var lockTimeout: Duration?

  public init(
    role: String? = nil, settings: [(name: String, value: String)] = [], isolation: Isolation? = nil,
    readOnly: Bool = false, statementTimeout: Duration? = nil, lockTimeout: Duration? = nil
  ) {
    self.role = role
    self.settings = settings
    self.isolation = isolation
    self.readOnly = readOnly
    self.statementTimeout = statementTimeout
    self.lockTimeout = lockTimeout
  }

  /// Everything that opens the transaction, as one string of statements, sent in one round trip.
  ///
  /// The settings come after the role: a role that may not change a parameter must not get it set by another role's
  /// right. Timeouts come first, so that they hold for the rest.
  func openingSQL() throws(PostgresError) -> String {
    let texts = [role].compactMap { $0 } + settings.flatMap { [$0.name, $0.value] }
    for text in texts where text.utf8.contains(0) { throw PostgresError(.encoding, PostgresQuery.textWithNUL) }

    var sql = "BEGIN"
    if let isolation { sql += " ISOLATION LEVEL " + isolation.rawValue }
    if readOnly { sql += " READ ONLY" }
    if let statementTimeout { sql += "; SET LOCAL statement_timeout = \(statementTimeout.wholeMilliseconds)" }
    if let lockTimeout { sql += "; SET LOCAL lock_timeout = \(lockTimeout.wholeMilliseconds)" }
    if let role { sql += "; SET LOCAL ROLE " + PostgresQuery.quotedIdentifier(role) }
    if !settings.isEmpty {
      let calls = settings.map {
        "set_config(\(PostgresQuery.quotedLiteral($0.name)), \(PostgresQuery.quotedLiteral($0.value)), true)"
      }
      sql += "; SELECT " + calls.joined(separator: ", ")
    }
    return sql
  }
}
