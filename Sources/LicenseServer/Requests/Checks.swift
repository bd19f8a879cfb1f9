import Identity
import JSON
import ServerKit

/// Rules for single fields. Every refusal is 422 `VALIDATION_ERROR` and names the field.
enum Checks {
  /// The greatest integer that every program reading JSON holds exactly, 2^53 - 1. Larger numbers would break signatures.
  static let maximumInteger: Int64 = 9_007_199_254_740_991

  /// A text that is not blank.
  static func required(_ text: String, _ field: String, maximum: Int = 512) throws(APIFailure) {
    guard BlankText.said(text) != nil else { throw .validation(field: field, "must not be empty") }
    try length(text, field, maximum: maximum)
  }

  /// A text that may be missing, but must not be blank.
  static func required(_ text: String?, _ field: String, maximum: Int = 512) throws(APIFailure) {
    if let text { try required(text, field, maximum: maximum) }
  }

  /// A text that may be missing or empty.
  static func length(_ text: String?, _ field: String, maximum: Int = 512) throws(APIFailure) {
    guard let text else { return }
    guard text.utf8.count <= maximum else {
      throw .validation(field: field, "must not be longer than \(maximum) bytes")
    }
    guard !text.utf8.contains(0) else { throw .validation(field: field, "must not contain NUL") }
  }

  /// A code: no control characters, no space at either end.
  static func code(_ text: String?, _ field: String = "code") throws(APIFailure) {
    guard let text else { return }
    try required(text, field, maximum: 255)
    let hasControl = text.unicodeScalars.contains { $0.properties.generalCategory == .control }
    guard !hasControl, text.first?.isWhitespace == false, text.last?.isWhitespace == false else {
      throw .validation(field: field, "must not contain control characters or begin or end with a space")
    }
  }

  /// A feature's code, which gets signed: `^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$`.
  static func featureCode(_ text: String, _ field: String = "code") throws(APIFailure) {
    guard matches(text, maximum: 128, also: "._:-") else {
      throw .validation(field: field, "must be 1 to 128 letters, digits or . _ : -, beginning with a letter or digit")
    }
  }

  /// An application version, which gets signed: `^[A-Za-z0-9][A-Za-z0-9 ._+:/~-]{0,63}$`.
  static func version(_ text: String, _ field: String) throws(APIFailure) {
    guard matches(text, maximum: 64, also: " ._+:/~-") else {
      throw .validation(
        field: field, "must be 1 to 64 letters, digits, spaces or . _ + : / ~ -, beginning with a letter or digit")
    }
  }

  /// A number within bounds.
  static func range<N: BinaryInteger>(_ number: N?, _ field: String, _ range: ClosedRange<N>) throws(APIFailure) {
    guard let number else { return }
    guard range.contains(number) else {
      throw .validation(field: field, "must be from \(range.lowerBound) to \(range.upperBound)")
    }
  }

  /// Metadata within the size limits.
  static func metadata(_ object: JSONObject?) throws(APIFailure) {
    guard let object else { return }
    guard object.stored.utf8.count <= 64 << 10 else { throw .validation(field: "metadata", "must not exceed 64 KiB") }
  }

  private static func matches(_ text: String, maximum: Int, also: StaticString) -> Bool {
    let others = also.withUTF8Buffer { Array($0) }
    guard let first = text.utf8.first, isAlphanumeric(first), text.utf8.count <= maximum else { return false }
    return text.utf8.allSatisfy { isAlphanumeric($0) || others.contains($0) }
  }

  private static func isAlphanumeric(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"):
      true
    default: false
    }
  }
}

/// Rows asked for in a list without a cursor: 50 by default, never more than 200.
enum Limit {
  static let standard = 50
  static let maximum = 200

  static func checked(_ limit: Int?) throws(APIFailure) -> Int {
    guard let limit else { return standard }
    guard limit >= 1 else { throw .invalidQuery(field: "limit", "must be at least 1") }
    return min(limit, maximum)
  }
}
