import CLibpq

/// Where the server is and how its connections are used.
public struct PostgresConfiguration: Sendable {
  /// The most connections the pool opens (lanes and the listener come on top).
  public var maximumConnections = 16
  /// How long a caller waits for a free connection.
  public var acquireTimeout: Duration = .seconds(5)
  /// How long one attempt to connect may take; whole seconds, at least 2 (libpq's rule).
  public var connectTimeout: Duration = .seconds(5)
  /// After this time the server ends a statement; zero means never.
  public var statementTimeout: Duration = .seconds(30)
  /// After this time the server ends a session whose transaction does nothing; zero means never.
  public var idleInTransactionTimeout: Duration = .seconds(60)
  /// An idle connection older than this is closed.
  public var idleLifetime: Duration = .seconds(300)
  /// Pause before the next attempt after a failed one; doubles up to `maximumBackoff`.
  public var initialBackoff: Duration = .milliseconds(50)
  public var maximumBackoff: Duration = .seconds(2)
  /// Shown in `pg_stat_activity`.
  public var applicationName = "swift"
  /// A role every session of this client takes on at connect (for lanes; a transaction names its own).
  public var sessionRole: String?
  /// Whether a commit waits until it is on disk. If not, a crash of the server can lose the last fraction of a second of
  /// commits (PostgreSQL docs, 30.4), but never part of a transaction.
  public var synchronousCommit = true
  /// Statements used at least twice on a connection are prepared. Switch it off for a pooler in statement mode.
  public var preparesStatements = true
  /// The most statements a connection keeps prepared.
  public var maximumPreparedStatements = 256

  /// libpq's keywords and values as given.
  var options: [(keyword: String, value: String)]

  /// Knows which connections of this configuration are older than the last loss of the primary. Copies share it.
  let primary = PrimaryEpoch()

  /// Reads a `postgres://` URL or libpq's `keyword=value` form; Unix sockets are named by a `host` that starts with `/`.
  /// - Throws: `PostgresConfigurationError`, which never repeats the text (it can hold a password).
  public init(url: String) throws(PostgresConfigurationError) {
    guard !url.isEmpty else { throw PostgresConfigurationError(reason: "the connection string is empty") }
    guard !url.utf8.contains(0) else { throw PostgresConfigurationError(reason: "the connection string contains NUL") }
    var message: UnsafeMutablePointer<CChar>?
    guard let parsed = PQconninfoParse(url, &message) else {
      PQfreemem(message)
      throw PostgresConfigurationError(
        reason: "expected postgres://user@host:5432/database, or host=… dbname=… user=…")
    }
    defer { PQconninfoFree(parsed) }
    var found: [(keyword: String, value: String)] = []
    var entry = parsed
    while let keyword = entry.pointee.keyword {
      if let value = entry.pointee.val { found.append((String(cString: keyword), String(cString: value))) }
      entry += 1
    }
    options = found
  }

  /// The database named in the connection string, if it names one.
  public var database: String? { options.last { $0.keyword == "dbname" }?.value }

  /// The same server and options with another database.
  public func withDatabase(_ name: String) -> PostgresConfiguration {
    var copy = self
    copy.options.removeAll { $0.keyword == "dbname" }
    copy.options.append(("dbname", name))
    return copy
  }

  /// The connection string as a URL that `init(url:)` and libpq read. Holds the password, if there is one.
  public var url: String {
    func escaped(_ text: String) -> String {
      var result = ""
      for byte in text.utf8 {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
          result.unicodeScalars.append(Unicode.Scalar(byte))
        default:
          let digits = String(byte, radix: 16, uppercase: true)
          result += digits.count == 1 ? "%0\(digits)" : "%\(digits)"
        }
      }
      return result
    }
    let query = options.filter { $0.keyword != "dbname" }.map { "\($0.keyword)=\(escaped($0.value))" }
    return "postgresql:///\(escaped(database ?? ""))" + (query.isEmpty ? "" : "?" + query.joined(separator: "&"))
  }

  /// The parameters for libpq: the given options, and how a connection is kept alive.
  ///
  /// A read-only server is not used (`target_session_attrs`), unless the connection string asks for another kind.
  /// `SessionSettings` sets up the session itself, because a pooler in between refuses `options` that the client adds, or
  /// drops them.
  func connectionParameters() -> [(keyword: String, value: String)] {
    var result = options.filter { $0.keyword != "client_encoding" }
    func addIfMissing(_ keyword: String, _ value: String) {
      if !result.contains(where: { $0.keyword == keyword }) { result.append((keyword, value)) }
    }
    addIfMissing("application_name", applicationName)
    addIfMissing("connect_timeout", String(max(2, connectTimeout.components.seconds)))
    addIfMissing("keepalives_idle", "30")
    addIfMissing("keepalives_interval", "10")
    addIfMissing("keepalives_count", "3")
    addIfMissing("tcp_user_timeout", "60000")
    addIfMissing("target_session_attrs", "read-write")
    result.append(("client_encoding", "UTF8"))
    return result
  }

  /// Whether the connection string requires a server that accepts writes, which is the default.
  var needsPrimary: Bool {
    let asked = options.last { $0.keyword == "target_session_attrs" }?.value
    return asked == nil || asked == "read-write" || asked == "primary"
  }

  /// What every session of this configuration is set to.
  var sessionSettings: SessionSettings {
    let given = options.filter { $0.keyword == "options" }.map(\.value).joined(separator: " ")
    return SessionSettings(
      timeouts: [
        ("statement_timeout", statementTimeout), ("idle_in_transaction_session_timeout", idleInTransactionTimeout),
      ].filter { !given.contains($0.0) },
      synchronousCommit: synchronousCommit, role: sessionRole)
  }
}

extension PostgresConfiguration: CustomStringConvertible {
  /// Host, port and database; never the user's password.
  public var description: String {
    let shown = options.filter { ["host", "hostaddr", "port", "dbname"].contains($0.keyword) }
    return "PostgresConfiguration(" + shown.map { "\($0.keyword)=\($0.value)" }.joined(separator: " ") + ")"
  }
}

/// The connection string cannot be read.
public struct PostgresConfigurationError: Error, Sendable, CustomStringConvertible {
  /// What was expected; never the text itself.
  public let reason: String
  public var description: String { "invalid Postgres connection string: \(reason)" }
}

extension Duration {
  /// Rounded up to milliseconds, the unit of the server's timeouts, so that a short time does not become "never".
  var wholeMilliseconds: Int64 {
    let (seconds, attoseconds) = components
    return max(0, seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
  }
}
