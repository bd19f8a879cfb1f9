internal import Foundation

/// Texts as they can be shown: a letter that cannot be drawn as its readers know it is left out, and that it is stands in
/// its place.
struct ShownText<Measure: TextMeasuring> {
  let measure: Measure
  /// Whether anything was left out so far.
  private(set) var omits = false

  init(measure: Measure) { self.measure = measure }

  mutating func shown(_ text: String, in style: TextStyle) -> String {
    // Most fonts have the composed form of letters only.
    let text = text.precomposedStringWithCanonicalMapping
    if text.utf8.allSatisfy({ $0 < 0x80 }) { return text }
    var result = ""
    var isOmitting = false
    var gap = ""
    for character in text {
      if character.isWhitespace || character.unicodeScalars.allSatisfy(TextWrapping.isLeftOut) {
        if isOmitting { gap.append(character) } else { result.append(character) }
      } else if WritingSystem.isPlain(character), measure.canDraw(Self.drawn(character), in: style) {
        result += gap
        result.append(character)
        (gap, isOmitting) = ("", false)
      } else {
        if !isOmitting { result += PDFDocument.omission }
        (gap, isOmitting, omits) = ("", true, true)
      }
    }
    return result + gap
  }

  /// The character as it is drawn, without what only formats it.
  private static func drawn(_ character: Character) -> Character {
    TextWrapping.drawable(String(character)).first ?? character
  }
}

/// How scripts are written.
enum WritingSystem {
  /// Whether the character stands by itself from left to right. The letters of other scripts join, change places or run
  /// from right to left: drawn one by one they would be wrong, not only plain.
  static func isPlain(_ character: Character) -> Bool {
    character.unicodeScalars.allSatisfy { scalar in !others.contains { $0.contains(scalar.value) } }
  }

  /// From Hebrew and Arabic over the scripts of India and South-East Asia to Mongolian, with their supplements and forms of
  /// presentation (Unicode, "Blocks").
  private static let others: [ClosedRange<UInt32>] = [
    0x0590...0x08FF, 0x0900...0x109F, 0x1780...0x18AF, 0x1900...0x1CFF, 0xA800...0xA8FF, 0xA930...0xA95F,
    0xA980...0xABFF, 0xFB1D...0xFDFF, 0xFE70...0xFEFC, 0x10800...0x11FFF, 0x1E800...0x1EFFF,
  ]
}

extension PDFDocument {
  /// The document with texts that can be drawn, and with its note on omissions where something is left out.
  func shown(by measure: some TextMeasuring) -> PDFDocument {
    var texts = ShownText(measure: measure)
    var document = self
    document.title = texts.shown(title, in: .title)
    document.subtitle = subtitle.map { texts.shown($0, in: .subtitle) }
    document.blocks = blocks.map { block in
      switch block {
      case .heading(let text): .heading(texts.shown(text, in: .heading))
      case .paragraph(let text): .paragraph(texts.shown(text, in: .body))
      case .note(let text): .note(texts.shown(text, in: .note))
      case .facts(let facts):
        .facts(facts.map { Fact(texts.shown($0.name, in: .factName), texts.shown($0.value, in: .body)) })
      case .table(let table): .table(table.shown(&texts))
      case .pageBreak: .pageBreak
      }
    }
    if texts.omits, let omissionNote { document.blocks.append(.note(texts.shown(omissionNote, in: .note))) }
    return document
  }
}

extension PDFDocument.Table {
  fileprivate func shown(_ texts: inout ShownText<some TextMeasuring>) -> PDFDocument.Table {
    var table = self
    for index in columns.indices { table.columns[index].title = texts.shown(columns[index].title, in: .tableHead) }
    table.rows = rows.map { row in row.map { texts.shown($0, in: .tableCell) } }
    table.emptyText = texts.shown(emptyText, in: .tableCell)
    return table
  }
}
