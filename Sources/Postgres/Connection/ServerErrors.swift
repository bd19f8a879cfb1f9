import CLibpq

extension PostgresError {
  /// The error in a result of the server.
  static func server(_ result: OpaquePointer) -> PostgresError {
    func field(_ code: Character) -> String? {
      guard let ascii = code.asciiValue, let text = PQresultErrorField(result, Int32(ascii)) else { return nil }
      return String(cString: text)
    }
    // Field codes: PostgreSQL docs, 55.8 "Error and Notice Message Fields". D (detail), W (context) and q (internal
    // query) repeat row values and are left out.
    let state = SQLState(rawValue: field("C") ?? "XX000")
    return PostgresError(
      .server(sqlState: state), redacted(field("M") ?? "the server refused the statement", state),
      constraint: field("n"), table: field("t"))
  }

  /// Removes text that can repeat a value. Messages of data exceptions (class 22) and of functions that raise their own
  /// (P0001) quote the offending text; all others quote only names.
  static func redacted(_ message: String, _ state: SQLState) -> String {
    if state == "22021" { return "invalid byte sequence for the encoding" }
    guard state.classCode == "22" || state.classCode == "P0" else { return message }
    guard let first = message.firstIndex(of: "\""), let last = message.lastIndex(of: "\""), first < last else {
      return message
    }
    return message[..<first] + "\"…\"" + message[message.index(after: last)...]
  }
}
