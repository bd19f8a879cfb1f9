/// Breaks text into lines. Pure.
enum TextWrapping {
  /// Lines of at most `width`: broken at line breaks in the text, else between words, and within a word that is too long
  /// for a line of its own. At least one line; a character wider than a line stands alone.
  static func lines(
    of text: String, in style: TextStyle, width: Double, measure: some TextMeasuring
  ) -> [String] {
    var lines: [String] = []
    for paragraph in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline) {
      var line = Line()
      for word in drawable(paragraph).split(separator: " ") {
        let wordWidth = word.reduce(0) { $0 + measure.width(of: $1, in: style) }
        let space = line.text.isEmpty ? 0 : measure.width(of: " ", in: style)
        if line.width + space + wordWidth <= width {
          if !line.text.isEmpty { line.append(" ", space) }
          line.append(word, wordWidth)
          continue
        }
        if !line.text.isEmpty { lines.append(line.take()) }
        for character in word {
          let advance = measure.width(of: character, in: style)
          if line.width + advance > width, !line.text.isEmpty { lines.append(line.take()) }
          line.append(String(character), advance)
        }
      }
      lines.append(line.take())
    }
    return lines
  }

  /// The text without what cannot be drawn or would mislead the reader: white space and control characters become a space,
  /// invisible characters that format (direction marks among them) vanish.
  static func drawable(_ text: some StringProtocol) -> String {
    var result = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      switch scalar.properties.generalCategory {
      case _ where isLeftOut(scalar): continue
      case .control, .lineSeparator, .paragraphSeparator: result.append(" ")
      case .spaceSeparator: result.append(scalar == "\u{A0}" ? scalar : " ")
      default: result.append(scalar)
      }
    }
    return String(result)
  }

  /// Formats what is around it, and has no form of its own.
  static func isLeftOut(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .format, .surrogate: true
    default: scalar.properties.isVariationSelector
    }
  }

  private struct Line {
    var text = ""
    var width = 0.0

    mutating func append(_ more: some StringProtocol, _ advance: Double) {
      text += more
      width += advance
    }

    mutating func take() -> String {
      defer { self = Line() }
      return text
    }
  }
}
