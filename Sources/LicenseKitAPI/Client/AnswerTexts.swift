import JSON

/// The texts of a successful answer, as they may go on: what is read is stored, shown and sent back by id, and the server
/// may be anybody's.
enum AnswerTexts {
  /// As long as an id or another word may be that records are found by.
  static let longestID = 255
  /// As long as any other text may be; what a vendor keeps in `metadata` is only bounded with the whole answer.
  static let longestText = 8_192

  /// An answer with a longer text than any honest one.
  struct TooLong: Error, CustomStringConvertible {
    let field: String
    let longest: Int

    var description: String { "\(field) has more than \(longest) bytes" }
  }

  /// The value without NUL, which no database takes.
  /// - Parameter bytes: the answer that it was read from.
  static func checked(_ value: JSONValue, bytes: [UInt8]) throws(TooLong) -> JSONValue {
    try check(value, named: "data")
    // In JSON it can only be written like this.
    return bytes.firstRange(of: nul) == nil ? value : withoutNUL(value)
  }

  private static let nul = Array(#"\u0000"#.utf8)

  private static func check(_ value: JSONValue, named name: String) throws(TooLong) {
    switch value {
    case .string(let text):
      let longest = name == "id" || name.hasSuffix("_id") ? longestID : longestText
      guard text.utf8.count <= longest else { throw TooLong(field: name, longest: longest) }
    case .array(let elements): for element in elements { try check(element, named: name) }
    case .object(let object):
      for (name, value) in object.elements where name != "metadata" {
        try check(value, named: name)
      }
    default: break
    }
  }

  private static func withoutNUL(_ value: JSONValue) -> JSONValue {
    switch value {
    case .string(let text): .string(withoutNUL(text))
    case .array(let elements): .array(elements.map { withoutNUL($0) })
    case .object(let object):
      .object(JSONObject(object.elements.map { (withoutNUL($0.key), withoutNUL($0.value)) }))
    default: value
    }
  }

  private static func withoutNUL(_ text: String) -> String {
    var scalars = text.unicodeScalars
    scalars.removeAll { $0 == "\0" }
    return String(scalars)
  }
}
