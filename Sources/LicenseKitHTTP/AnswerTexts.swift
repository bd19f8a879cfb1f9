import JSON
import LicenseKitAPI

/// The limits for texts in a successful answer. They are stored, shown and used as ids in later calls, and a vendor may run
/// any server.
enum AnswerTexts {
  /// The longest id, or other word by which records are found.
  static let longestID = 255
  /// The longest other text. What a vendor keeps in `metadata` is limited only by the size of the whole answer.
  static let longestText = 8_192

  /// The answer contains a text that is longer than any that an honest server sends.
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
