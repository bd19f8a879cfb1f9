// A text that is there may still say nothing: sync tools, wallets and shells write blanks, letters without a form and the ends
// of lines where they mean "none". What that is stands here, once.

/// What an optional text says that somebody outside wrote.
public enum BlankText {
  /// What an optional text says, without what is invisible at its ends; nil when that is nothing.
  public static func said(_ text: String?) -> String? {
    guard let text else { return nil }
    guard text.unicodeScalars.contains(where: { !isInvisible($0) }) else { return nil }
    return trimmed(text)
  }

  /// A text without blanks, line ends, zero-width and control characters at its ends. What stands between is kept.
  ///
  /// By scalars and not by characters: a zero-width joiner makes one character with the blank before it.
  public static func trimmed(_ text: String) -> String {
    let scalars = text.unicodeScalars
    guard let first = scalars.firstIndex(where: { !isEdge($0) }), let last = scalars.lastIndex(where: { !isEdge($0) })
    else { return "" }
    if first == scalars.startIndex, scalars.index(after: last) == scalars.endIndex { return text }
    return String(scalars[first...last])
  }

  /// Says nothing where it stands alone.
  private static func isInvisible(_ scalar: Unicode.Scalar) -> Bool {
    isEdge(scalar) || scalar.properties.isDefaultIgnorableCodePoint
  }

  /// Means nothing at the end of a text. A mark that changes the letter before it is not among them.
  private static func isEdge(_ scalar: Unicode.Scalar) -> Bool {
    if ("!"..."~").contains(scalar) { return false }
    if scalar.properties.isWhitespace || letterFormsOfNothing.contains(scalar) { return true }
    return switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .spaceSeparator: true
    default: false
    }
  }

  /// The Hangul fillers and the blank Braille pattern: letters and symbols by their category, and drawn as a blank.
  private static let letterFormsOfNothing: Set<Unicode.Scalar> = [
    "\u{115F}", "\u{1160}", "\u{3164}", "\u{FFA0}", "\u{2800}",
  ]
}

extension JSONValue {
  /// The text when this is one that says something, without what is invisible around it.
  public var saying: String? { BlankText.said(string) }
}
