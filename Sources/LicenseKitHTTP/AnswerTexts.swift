import JSON
import LicenseKitAPI

/// How long the texts of a successful answer may be: what is read is stored, shown and sent back by id, and the server may
/// be anybody's.
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

  static func check(_ value: JSONValue) throws(TooLong) { try check(value, named: "data") }

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
}
