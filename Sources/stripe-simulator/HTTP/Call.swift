import JSON

/// One HTTP request, read completely.
struct Call: Sendable {
  var method: String
  /// Without the query, percent-encoded as it came.
  var path: String
  var query: String
  /// Names in lower case.
  var headers: [String: String]
  var body: [UInt8]

  func header(_ name: String) -> String? { headers[name] }

  var segments: [String] { path.split(separator: "/").map(String.init) }

  /// The secret of `Authorization: Bearer …`, or the user name of `Basic`.
  var credential: Credential? {
    guard let value = header("authorization"), let space = value.firstIndex(of: " ") else { return nil }
    let scheme = value[..<space].lowercased()
    let rest = value[value.index(after: space)...].trimmingPrefix(while: { $0 == " " })
    switch scheme {
    case "bearer": return Credential(secret: String(rest))
    case "basic": return Credential(basic: String(rest))
    default: return nil
    }
  }
}

/// What an HTTP request is answered with.
struct Answer: Sendable {
  var status: Int
  var headers: [(String, String)] = []
  var contentType = "application/json"
  var body: String
  /// Milliseconds to wait before it is sent.
  var delay: Int64 = 0

  static func json(_ value: JSONValue, status: Int = 200) -> Answer {
    Answer(status: status, body: PrettyJSON.text(value) + "\n")
  }

  static func html(_ markup: String, status: Int = 200) -> Answer {
    Answer(status: status, contentType: "text/html; charset=utf-8", body: markup)
  }

  static func redirect(_ location: String) -> Answer {
    Answer(
      status: 302, headers: [("Location", location), ("Cache-Control", "no-store")], contentType: "text/plain", body: ""
    )
  }
}
