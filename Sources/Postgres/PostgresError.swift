/// What went wrong with a statement, a connection or a transaction.
///
/// It is made to be logged: it carries the server's primary message, its SQLSTATE and the names of constraint and table,
/// and never the value of a parameter, the DETAIL, or any other field that repeats a row's content.
public struct PostgresError: Error, Sendable, Hashable {
  public enum Code: Sendable, Hashable {
    /// No connection could be made, or it broke before the statement took effect. Safe to try again.
    case connection
    /// The connection broke after the statement (or COMMIT) was sent and before its answer: it may or may not have
    /// taken effect. Try again only what is idempotent.
    case outcomeUnknown
    /// No connection became free in time, or the server ended the statement at its `statement_timeout`.
    case timeout
    /// The task was cancelled; a statement that ran was ended by the server.
    case cancelled
    /// The server refused the statement.
    case server(sqlState: SQLState)
    /// A parameter that the wire cannot carry (text with NUL, a date out of range); nothing was sent.
    case encoding
    /// A column is missing, NULL where a value was asked for, or not of the type asked for.
    case decoding
    /// The queue is full; nothing was sent.
    case overloaded
    /// The client, lane or transaction was closed before the statement was sent.
    case closed
    /// The migrations on disk do not fit what the database records.
    case migration
    /// The database user lacks rights that this module checks.
    case rights
    /// The connection cannot carry sessions: there is a pooler in transaction mode in between.
    case pooled
    /// The caller broke a rule of this module, for example by ending a transaction by hand.
    case misuse
  }

  public var code: Code
  /// One sentence for a log, without parameter values.
  public var message: String
  /// The constraint that was violated, when the server names one.
  public var constraint: String?
  /// The table concerned, when the server names one.
  public var table: String?
  /// The server's code, also when `code` says more (a statement timeout is `.timeout` with SQLSTATE 57014).
  public var sqlState: SQLState?

  public init(
    _ code: Code, _ message: String, constraint: String? = nil, table: String? = nil, sqlState: SQLState? = nil
  ) {
    self.code = code
    self.message = message
    self.constraint = constraint
    self.table = table
    if case .server(let state) = code { self.sqlState = state } else { self.sqlState = sqlState }
  }

  /// Whether the same work can simply be tried again: a serialization failure (40001), a deadlock (40P01), or a connection
  /// that broke before anything took effect. An unknown outcome alone is not retryable.
  public var isRetryable: Bool {
    switch code {
    case .connection: true
    case .server(let state): state == .serializationFailure || state == .deadlockDetected
    default: false
    }
  }

  /// Whether the whole database fails, so that other work would fail too.
  public var concernsConnection: Bool {
    switch code {
    case .connection, .outcomeUnknown, .cancelled, .overloaded, .closed, .misuse: true
    case .timeout, .server, .encoding, .decoding, .migration, .rights, .pooled: false
    }
  }

  /// Whether the server refused the data (SQLSTATE class 22, data exception, or 23, integrity constraint violation).
  public var isDataError: Bool {
    guard case .server(let state) = code else { return false }
    return state.classCode == "22" || state.classCode == "23"
  }

  /// Whether the content to be written was refused, so that another attempt is refused as well: it cannot be sent or read, or
  /// the server refused the data or applied one of its own limits (SQLSTATE classes 21, 22, 23, 27, 44 and 54, and errors
  /// raised by a trigger).
  public var refusesContent: Bool {
    switch code {
    case .encoding, .decoding: true
    case .server(let state): ["21", "22", "23", "27", "44", "54", "P0"].contains(state.classCode)
    case .connection, .outcomeUnknown, .timeout, .cancelled, .overloaded, .closed, .migration, .rights, .pooled,
      .misuse:
      false
    }
  }

  /// Whether rows other than the refused one may be accepted.
  ///
  /// The list names failures that say nothing about a row. An unknown class counts as being about a row: splitting a batch in
  /// vain costs a few statements, and not splitting it would fail everybody in it.
  public var mayConcernRow: Bool {
    guard case .server(let state) = code else { return refusesContent }
    // A policy of row-level security refuses a row with the same state as a role without rights.
    return state == .insufficientPrivilege || !Self.classesOfServer.contains(String(state.classCode))
  }

  /// Classes of SQLSTATE that say nothing about a row (PostgreSQL docs, Appendix A): connection, transaction state,
  /// statement name, authorization, termination, savepoints, catalog and schema, rollback, syntax and names, resources,
  /// prerequisites, intervention, system, configuration.
  private static let classesOfServer: Set<String> = [
    "08", "25", "26", "28", "2D", "3B", "3D", "3F", "40", "42", "53", "55", "57", "58", "F0",
  ]

  /// Whether this is the violation of a unique constraint or index, of the named one if a name is given.
  public func isUniqueViolation(of constraint: String? = nil) -> Bool {
    code == .server(sqlState: .uniqueViolation) && (constraint == nil || constraint == self.constraint)
  }
}

extension PostgresError: CustomStringConvertible {
  public var description: String {
    var text = "PostgresError(\(codeName)"
    if let sqlState { text += " \(sqlState)" }
    if let constraint { text += ", constraint \(constraint)" }
    if let table { text += ", table \(table)" }
    return text + "): " + message
  }

  /// A stable word for logs and metrics.
  public var codeName: String {
    switch code {
    case .connection: "connection"
    case .outcomeUnknown: "outcome_unknown"
    case .timeout: "timeout"
    case .cancelled: "cancelled"
    case .server: "server"
    case .encoding: "encoding"
    case .decoding: "decoding"
    case .overloaded: "overloaded"
    case .closed: "closed"
    case .migration: "migration"
    case .rights: "rights"
    case .pooled: "pooled"
    case .misuse: "misuse"
    }
  }
}

/// A five-character SQLSTATE (PostgreSQL docs, Appendix A).
public struct SQLState: RawRepresentable, Hashable, Sendable, CustomStringConvertible, ExpressibleByStringLiteral {
  public let rawValue: String
  public init(rawValue: String) { self.rawValue = rawValue }
  public init(stringLiteral value: String) { rawValue = value }
  public var description: String { rawValue }

  /// The first two characters, for example `23` for integrity constraint violations.
  public var classCode: Substring { rawValue.prefix(2) }

  public static let notNullViolation: SQLState = "23502"
  public static let foreignKeyViolation: SQLState = "23503"
  public static let uniqueViolation: SQLState = "23505"
  public static let checkViolation: SQLState = "23514"
  public static let exclusionViolation: SQLState = "23P01"
  public static let invalidTextRepresentation: SQLState = "22P02"
  public static let serializationFailure: SQLState = "40001"
  public static let deadlockDetected: SQLState = "40P01"
  public static let insufficientPrivilege: SQLState = "42501"
  public static let undefinedTable: SQLState = "42P01"
  public static let undefinedObject: SQLState = "42704"
  public static let duplicateObject: SQLState = "42710"
  public static let duplicateDatabase: SQLState = "42P04"
  public static let featureNotSupported: SQLState = "0A000"
  public static let inFailedTransaction: SQLState = "25P02"
  public static let readOnlyTransaction: SQLState = "25006"
  public static let invalidStatementName: SQLState = "26000"
  public static let undefinedDatabase: SQLState = "3D000"
  public static let lockNotAvailable: SQLState = "55P03"
  public static let objectInUse: SQLState = "55006"
  public static let queryCanceled: SQLState = "57014"
  public static let adminShutdown: SQLState = "57P01"
  public static let crashShutdown: SQLState = "57P02"
  public static let cannotConnectNow: SQLState = "57P03"
}
