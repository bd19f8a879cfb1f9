package import Postgres

/// What a queue has one row of: a tenant, or one endpoint of a tenant.
package protocol QueueKey: Hashable, Sendable {
  /// The columns of the queue's primary key, in its order.
  static var keyColumns: [String] { get }

  /// The value of each of these columns, as a bound parameter.
  var keyValues: [PostgresQuery] { get }

  /// Reads the key's columns of a row.
  /// - Throws: if one of them is missing or NULL.
  init(key row: PostgresRow) throws
}

extension QueueKey {
  /// The columns, as those of the row with this alias.
  package static func columns(of alias: String? = nil) -> PostgresQuery {
    let prefix = alias.map { "\($0)." } ?? ""
    return PostgresQuery(unescaped: keyColumns.map { prefix + $0 }.joined(separator: ", "))
  }

  /// A condition: two rows have the same key.
  package static func areEqual(_ left: String, _ right: String) -> PostgresQuery {
    PostgresQuery(unescaped: keyColumns.map { "\(left).\($0) = \(right).\($0)" }.joined(separator: " AND "))
  }

  /// A condition: the row with this alias is the key's.
  package func isKey(of alias: String) -> PostgresQuery {
    var condition: PostgresQuery = ""
    for (column, value) in zip(Self.keyColumns, keyValues) {
      if column != Self.keyColumns.first { condition.append(" AND ") }
      condition.append("\(unescaped: alias).\(unescaped: column) = \(fragment: value)")
    }
    return condition
  }

  /// The values, as the beginning of a row that is inserted.
  package var values: PostgresQuery {
    var list: PostgresQuery = ""
    for (column, value) in zip(Self.keyColumns, keyValues) {
      if column != Self.keyColumns.first { list.append(", ") }
      list.append(value)
    }
    return list
  }
}
