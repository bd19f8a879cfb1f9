/// How a piece of text looks. A document has these styles and no others.
enum TextStyle: CaseIterable {
  case title, subtitle, heading, body, factName, note, tableHead, tableCell, footer

  /// In points.
  var size: Double {
    switch self {
    case .title: 18
    case .subtitle: 10
    case .heading: 12
    case .body, .factName: 9.5
    case .note, .tableHead, .tableCell: 8
    case .footer: 7.5
    }
  }

  var isBold: Bool {
    switch self {
    case .title, .heading, .tableHead: true
    case .subtitle, .body, .factName, .note, .tableCell, .footer: false
    }
  }

  /// From 0, black, to 1, white.
  var gray: Double {
    switch self {
    case .title, .heading, .body, .tableHead, .tableCell: 0.1
    case .subtitle, .factName, .note, .footer: 0.4
    }
  }

  /// From one line to the next.
  var lineHeight: Double { size * 1.4 }

  /// From the top of a line to its baseline.
  var ascent: Double { size * 1.05 }
}

/// Knows how wide text is, and which letters there are. No font in use here kerns, so a text is as wide as its characters are together.
protocol TextMeasuring {
  func width(of character: Character, in style: TextStyle) -> Double
  /// Whether there is more than a box for the character.
  func canDraw(_ character: Character, in style: TextStyle) -> Bool
}

extension TextMeasuring {
  func width(of text: String, in style: TextStyle) -> Double {
    text.reduce(0) { $0 + width(of: $1, in: style) }
  }
}
