import JSON
import Postgres

extension PostgresRow {
  /// A value of one of the contract's enumerations, which are stored as their text.
  func value<T: RawRepresentable<String>>(_ column: String, as type: T.Type = T.self) throws -> T {
    guard let value = T(rawValue: try get(column, as: String.self)) else {
      throw PostgresError(.decoding, "column \"\(column)\" holds no \(T.self)")
    }
    return value
  }

  /// The column `metadata`, selected as text.
  func metadata() throws -> JSONObject {
    try JSONValue(parsing: get("metadata", as: String.self)).object ?? JSONObject()
  }
}

extension JSONObject {
  /// The text stored for metadata.
  var stored: String { JSONValue.object(self).text() }
}

extension Sequence<PostgresRow> {
  /// Every row as a value.
  func all<T>(_ read: (PostgresRow) throws -> T) rethrows -> [T] { try map(read) }
}
