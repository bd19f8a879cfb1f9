extension PostgresError {
  /// What an error means for the work that got it: whether to try again, and who must act before it can succeed.
  public enum Meaning: Sendable, Hashable, CaseIterable {
    /// The database or the network does not answer, or is full, busy or read-only. Try again soon; the operator must act if
    /// it lasts.
    case away
    /// Another transaction conflicted, and this one left nothing behind. Try again at once.
    case conflict
    /// The caller cancelled it, or the program is ending.
    case cancelled
    /// The database user may not do this, or may not connect. Nothing succeeds before the operator acts.
    case rights
    /// A value cannot be stored. The caller must send another.
    case value
    /// The record refers to one that does not exist, or others refer to it. The caller must act.
    case reference
    /// Such a record exists already. The caller must act.
    case duplicate
    /// A fault of this program or of its schema. Nobody outside can fix it.
    case fault

    /// Whether the same work may succeed later without any change.
    public var passes: Bool {
      switch self {
      case .away, .conflict, .cancelled, .rights: true
      case .value, .reference, .duplicate, .fault: false
      }
    }
  }

  /// What this error means. This is the one table from SQLSTATE (PostgreSQL docs, Appendix A) and libpq to a response.
  public var meaning: Meaning {
    switch code {
    case .connection, .outcomeUnknown, .timeout, .overloaded, .closed: Self.isRefusedEntry(sqlState) ? .rights : .away
    case .cancelled: .cancelled
    case .encoding: .value
    case .rights, .pooled: .rights
    case .decoding, .migration, .misuse: .fault
    case .server(let state): Self.meaning(of: state)
    }
  }

  /// The rows are tried in their order; `state` is five characters of the server.
  private static func meaning(of state: SQLState) -> Meaning {
    switch state {
    case .foreignKeyViolation: return .reference
    case .uniqueViolation, .exclusionViolation: return .duplicate
    case .insufficientPrivilege: return .rights
    case .readOnlyTransaction: return .away
    case .invalidStatementName: return .away  // a pooler gave the session's statements to somebody else
    case .lockNotAvailable, .objectInUse: return .conflict
    case .undefinedDatabase: return .rights
    case .queryCanceled: return .away
    default: break
    }
    switch state.classCode {
    case "08": return .away  // connection exception
    case "22", "23", "54": return .value  // data, constraint, a program limit such as an index entry too long
    case "28": return .rights  // invalid authorization
    case "40": return .conflict  // transaction rollback: deadlock, serialization
    case "53", "57", "58", "F0", "XX": return .away  // resources, an operator, the system, configuration, damage
    default: return .fault
    }
  }

  /// Whether a connection failed because of the user (class 28), or because of a missing right.
  private static func isRefusedEntry(_ state: SQLState?) -> Bool {
    state.map { $0.classCode == "28" || $0 == .insufficientPrivilege || $0 == .undefinedDatabase } ?? false
  }
}
