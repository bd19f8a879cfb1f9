/// Makes a foreign text fit for logs and pages.
enum BoundedText {
  /// The longest text kept, in characters.
  static let limit = 300

  /// The text on one line, cut at `limit`, without what looks like a credential or a mail address: Stripe repeats
  /// parts of the request in its messages.
  static func message(_ text: String) -> String {
    var words: [Substring] = []
    for word in text.prefix(limit * 4).split(whereSeparator: { $0.isWhitespace || $0.isNewline }) {
      words.append(redacted(word))
    }
    let line = words.joined(separator: " ").filter {
      !$0.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x7F }
    }
    return line.count > limit ? line.prefix(limit - 1) + "…" : line
  }

  /// A word of Stripe's vocabulary: a code, a type, a parameter's name.
  static func word(_ text: String?) -> String? {
    guard let text, !text.isEmpty else { return nil }
    return message(String(text.prefix(100)))
  }

  private static let secretPrefixes = ["sk_", "rk_", "pk_", "ac_", "rt_", "whsec_", "absec_", "ek_", "uk_"]

  private static func redacted(_ word: Substring) -> Substring {
    if word.contains("@") { return "[address]" }
    for prefix in secretPrefixes {
      var search = word.startIndex
      while let found = word[search...].firstRange(of: prefix) {
        let startsName = found.lowerBound == word.startIndex || !isNamePart(word[word.index(before: found.lowerBound)])
        if startsName, word.distance(from: found.upperBound, to: word.endIndex) >= 4 {
          return word[..<found.lowerBound] + prefix + "[withheld]"
        }
        search = found.upperBound
      }
    }
    return word
  }

  private static func isNamePart(_ character: Character) -> Bool {
    character.isLetter || character.isNumber || character == "_"
  }
}
