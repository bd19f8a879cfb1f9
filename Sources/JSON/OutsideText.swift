/// Texts that somebody outside has written, made fit for rows, logs and pages: one line, no longer than so much, without
/// control characters, credentials and mail addresses.
///
/// A reader of an answer passes its texts through here before they go anywhere, so that no answer, however large or odd,
/// costs more than a line. Lengths are in Unicode scalars and not in characters, since one character may be made of any
/// number of them.
public struct OutsideText: Sendable {
  /// The longest sentence kept.
  public static let longestLine = 300
  /// The longest word kept: a code, a parameter's name, the id of a request.
  public static let longestWord = 100

  private let secretPrefixes: [String]

  /// - Parameter secretPrefixes: what the credentials of the other side begin with; they are withheld, since servers repeat
  ///   parts of a request in their messages.
  public init(withholding secretPrefixes: [String] = []) {
    self.secretPrefixes = secretPrefixes
  }

  /// A sentence for people.
  public func line(_ text: String, longest: Int = OutsideText.longestLine) -> String {
    // A little more than is kept, so that a credential at the end is seen whole.
    let words = Self.plain(text, longest: longest * 4).split(separator: " ").map(redacted)
    return Self.plain(words.joined(separator: " "), longest: longest)
  }

  /// A word of the other side's vocabulary; nil for none.
  public func word(_ text: String?) -> String? {
    guard let text, !text.isEmpty else { return nil }
    return line(text, longest: Self.longestWord)
  }

  /// A text on one line with single spaces, cut at a length, without the characters that steer a terminal, a page or the
  /// order of reading, and without NUL, which no database takes. Nothing is withheld: for names.
  public static func plain(_ text: String, longest: Int) -> String {
    var line = String.UnicodeScalarView()
    var length = 0
    var isGap = false
    for scalar in text.unicodeScalars.prefix(longest * 4) {
      guard isShown(scalar) else {
        isGap = length > 0
        continue
      }
      guard length + (isGap ? 1 : 0) < longest else {
        line.removeLast()
        line.append("…")
        break
      }
      if isGap {
        line.append(" ")
        length += 1
      }
      isGap = false
      line.append(scalar)
      length += 1
    }
    return String(line)
  }

  private static func isShown(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .format, .surrogate, .privateUse, .lineSeparator, .paragraphSeparator,
      .spaceSeparator:
      false
    default: true
    }
  }

  private func redacted(_ word: Substring) -> Substring {
    if word.contains("@") { return "[address]" }
    for prefix in secretPrefixes {
      var search = word.startIndex
      while let found = word[search...].firstRange(of: prefix) {
        let startsName =
          found.lowerBound == word.startIndex
          || !Self.isNamePart(word[word.index(before: found.lowerBound)])
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
