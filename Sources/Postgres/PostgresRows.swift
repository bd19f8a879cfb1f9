import CLibpq

/// The answer to one statement: its rows, and how many rows it touched.
public struct PostgresRows: Sendable, RandomAccessCollection {
  let result: QueryResult

  public var startIndex: Int { 0 }
  public var endIndex: Int { result.rowCount }
  public subscript(position: Int) -> PostgresRow {
    precondition(indices.contains(position), "row out of range")
    return PostgresRow(result: result, row: position)
  }

  /// The names of the columns, in order.
  public var columns: [String] { result.columns }

  /// Rows inserted, updated, deleted or selected; 0 for statements that count none.
  public var affectedRows: Int { result.affectedRows }
}

/// One row.
public struct PostgresRow: Sendable {
  let result: QueryResult
  let row: Int

  /// The value of the named column.
  /// - Throws: `PostgresError` `.decoding` when there is no such column, when it is NULL and `T` is not optional, or when
  ///   its content is not a `T`.
  public func get<T: PostgresDecodable>(_ column: String, as type: T.Type = T.self) throws(PostgresError) -> T {
    try T.decode(cell(column))
  }

  /// The value of the column at a position, from 0.
  public func get<T: PostgresDecodable>(at column: Int, as type: T.Type = T.self) throws(PostgresError) -> T {
    guard result.columns.indices.contains(column) else {
      throw PostgresError(.decoding, "there is no column \(column) in the answer")
    }
    return try T.decode(PostgresCell(result: result, row: row, column: column))
  }

  private func cell(_ name: String) throws(PostgresError) -> PostgresCell {
    guard let column = result.columns.firstIndex(of: name) else {
      throw PostgresError(.decoding, "there is no column \"\(name)\" in the answer")
    }
    return PostgresCell(result: result, row: row, column: column)
  }
}

/// One value of an answer, in the server's text form.
public struct PostgresCell: Sendable {
  let result: QueryResult
  let row: Int
  let column: Int

  public var columnName: String { result.columns[column] }
  public var isNull: Bool { result.isNull(row, column) }
  public var type: PostgresType { result.type(column) }

  /// Calls `body` with the bytes, which are valid only during the call.
  /// - Throws: `.decoding` when the value is NULL.
  public func withBytes<R>(_ body: (UnsafeBufferPointer<UInt8>) -> R) throws(PostgresError) -> R {
    guard !isNull else { throw PostgresError(.decoding, "column \"\(columnName)\" is NULL") }
    return result.withBytes(row, column, body)
  }

  /// The text of the value.
  /// - Throws: `.decoding` when the value is NULL.
  public func string() throws(PostgresError) -> String {
    try withBytes { String(decoding: $0, as: UTF8.self) }
  }

  /// The error of a decoder that cannot read this value. It names column and expectation, not the content.
  public func failure(expected: String) -> PostgresError {
    PostgresError(.decoding, "column \"\(columnName)\" (type \(type.rawValue)) is not \(expected)")
  }
}

/// Owns a libpq result.
///
/// Safe to share between threads: a result is never changed after it was received, libpq allows concurrent reads of one
/// (PostgreSQL docs, 34.20: "PGresult objects are normally read-only after creation, and so can be passed around freely
/// between threads"), and it is freed once, by the last owner.
final class QueryResult: @unchecked Sendable {
  private let pointer: OpaquePointer
  let columns: [String]
  let rowCount: Int

  init(owning pointer: OpaquePointer) {
    self.pointer = pointer
    rowCount = Int(PQntuples(pointer))
    columns = (0..<PQnfields(pointer)).map { PQfname(pointer, $0).map { String(cString: $0) } ?? "" }
  }

  deinit { PQclear(pointer) }

  var affectedRows: Int { PQcmdTuples(pointer).flatMap { Int(String(cString: $0)) } ?? 0 }

  func isNull(_ row: Int, _ column: Int) -> Bool { PQgetisnull(pointer, Int32(row), Int32(column)) != 0 }

  func type(_ column: Int) -> PostgresType { PostgresType(rawValue: PQftype(pointer, Int32(column))) }

  func withBytes<R>(_ row: Int, _ column: Int, _ body: (UnsafeBufferPointer<UInt8>) -> R) -> R {
    let count = Int(PQgetlength(pointer, Int32(row), Int32(column)))
    guard let start = PQgetvalue(pointer, Int32(row), Int32(column)) else {
      return body(UnsafeBufferPointer(start: nil, count: 0))
    }
    return start.withMemoryRebound(to: UInt8.self, capacity: count) {
      body(UnsafeBufferPointer(start: $0, count: count))
    }
  }
}
