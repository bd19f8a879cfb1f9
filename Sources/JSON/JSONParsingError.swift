/// Where and why bytes are not a JSON document. Holds nothing of the content.
public struct JSONParsingError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The offset of the offending byte, from 0.
  public let offset: Int
  /// What is wrong there.
  public let reason: Reason

  /// What can be wrong with a document; the raw values are words for a message.
  public enum Reason: String, Hashable, Sendable {
    case unexpectedEnd = "the document ends too early"
    case expectedValue = "a value was expected"
    case expectedKey = "a key in quotes was expected"
    case expectedColon = "a colon was expected"
    case expectedCommaOrEnd = "a comma or the end of the array or object was expected"
    case malformedNumber = "a number is malformed"
    case controlCharacter = "a control character in a string is not escaped"
    case malformedEscape = "an escape in a string is malformed"
    case unpairedSurrogate = "a surrogate has no partner"
    case malformedUTF8 = "a string is not UTF-8"
    case trailingBytes = "there is more text after the document"
    case tooDeep = "arrays and objects are nested too deeply"
  }

  /// An error at a byte.
  public init(offset: Int, reason: Reason) {
    self.offset = offset
    self.reason = reason
  }

  /// Reason and place, such as `a value was expected at byte 9`.
  public var description: String { "\(reason.rawValue) at byte \(offset)" }
}
