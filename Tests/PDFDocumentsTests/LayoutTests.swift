import Testing

@testable import PDFDocuments

/// Every character is as wide as it is high, so that widths can be counted.
private struct Squares: TextMeasuring {
  func width(of character: Character, in style: TextStyle) -> Double { style.size }
  func canDraw(_ character: Character, in style: TextStyle) -> Bool { !"漢字😀".contains(character) }
}

@Suite("Text is broken into lines")
struct TextWrappingTests {
  private func lines(_ text: String, _ characters: Int) -> [String] {
    TextWrapping.lines(
      of: text, in: .body, width: Double(characters) * TextStyle.body.size, measure: Squares())
  }

  @Test("between words, and at the breaks that the text has")
  func words() {
    #expect(lines("one two three", 7) == ["one two", "three"])
    #expect(lines("one\ntwo\r\n\nthree", 20) == ["one", "two", "", "three"])
    #expect(lines("", 5) == [""])
    #expect(lines("   a   b  ", 5) == ["a b"])
  }

  @Test("within a word that no line could hold")
  func longWords() {
    #expect(lines("abcdefgh", 3) == ["abc", "def", "gh"])
    #expect(lines("a bcdefgh i", 3) == ["a", "bcd", "efg", "h i"])
    #expect(lines("abc", 0) == ["a", "b", "c"])
  }

  @Test("never within a character, and without what would mislead the reader")
  func unicode() {
    #expect(lines("e\u{301}e\u{301}e\u{301}", 2) == ["e\u{301}e\u{301}", "e\u{301}"])
    #expect(lines("a\u{202E}b\u{0}c\td", 9) == ["ab c d"])
  }
}

@Suite("A letter that cannot be drawn as its readers know it")
struct ShownTextTests {
  @Test(
    "is left out, and that it is stands in its place",
    arguments: [
      ("plain", "plain", false), ("Łukasz Ærø Ελένη", "Łukasz Ærø Ελένη", false), ("漢字 editor", "[…] editor", true),
      ("漢 字 editor", "[…] editor", true), ("a漢b字c", "a[…]b[…]c", true), ("漢字", "[…]", true), ("漢 ", "[…] ", true),
      ("x 😀", "x […]", true), ("שלום", "[…]", true), ("Pro مرحبا 2", "Pro […] 2", true), ("नमस्ते", "[…]", true),
      ("สวัสดี", "[…]", true), ("写真", "写真", false), ("e\u{301}", "\u{E9}", false), ("❤\u{FE0F}", "❤\u{FE0F}", false),
      ("a\u{200B}b", "a\u{200B}b", false), ("", "", false),
    ])
  func omissions(_ text: String, _ shown: String, _ omits: Bool) {
    var texts = ShownText(measure: Squares())
    #expect(Array(texts.shown(text, in: .body).utf8) == Array(shown.utf8))
    #expect(texts.omits == omits)
  }

  @Test("is told of once at the end of the document, wherever it stands")
  func note() {
    let table = PDFDocument.Table(columns: [.init("A")], rows: [["漢"], ["b"]])
    for (block, omits) in [
      (PDFDocument.Block.heading("漢"), true), (.paragraph("漢"), true), (.note("漢"), true), (.table(table), true),
      (.facts([.init("a", "漢")]), true), (.paragraph("b"), false),
    ] {
      let shown = PDFDocument(title: "T", blocks: [block], omissionNote: "Elsewhere.").shown(by: Squares())
      #expect((shown.blocks.last == .note("Elsewhere.")) == omits, "\(block)")
      #expect(!"\(shown)".contains("漢"))
    }
  }
}

@Suite("Columns share the paper's width")
struct ColumnWidthTests {
  @Test("what is left over is given out, what is missing is taken from the widest")
  func shared() {
    #expect(ColumnWidths.shared(wanted: [10, 30], available: 80) == [20, 60])
    #expect(ColumnWidths.shared(wanted: [10, 100, 400], available: 100) == [10, 45, 45])
    #expect(ColumnWidths.shared(wanted: [10, 30, 400, 400], available: 140) == [10, 30, 50, 50])
    #expect(ColumnWidths.shared(wanted: [200, 200], available: 100) == [50, 50])
    #expect(ColumnWidths.shared(wanted: [], available: 100) == [])
  }
}

@Suite("Content is laid out on pages")
struct PageLayoutTests {
  private typealias Layout = PageLayout<Squares>

  private func pages(_ blocks: [PDFDocument.Block], maximum: Int = 50) throws -> [[Layout.Mark]] {
    try Layout.pages(
      of: PDFDocument(title: "T", page: .a4, blocks: blocks), measure: Squares(), maximumPages: maximum)
  }

  private func texts(_ marks: [Layout.Mark], _ style: TextStyle) -> [String] {
    marks.compactMap { if case .text(let text, _, _, style) = $0 { text } else { nil } }
  }

  @Test("everything stands inside the margins, and every line of a long text is somewhere, in order")
  func inside() throws {
    let words = (1...900).map { "word\($0)" }
    let pages = try pages([.paragraph(words.joined(separator: " ")), .facts([.init("Name", "value")])])
    #expect(pages.count > 1)
    #expect(pages.flatMap { texts($0, .body) }.joined(separator: " ") == (words + ["value"]).joined(separator: " "))
    for case .text(let text, let x, let baseline, let style) in pages.joined() {
      #expect(x >= 47.9 && x + Double(text.count) * style.size <= 595 - 47.9, "\(text)")
      #expect(baseline >= 48 && baseline <= 842 - 47.9)
    }
  }

  @Test("a table repeats its header on every page and loses no row")
  func table() throws {
    let rows = (1...200).map { ["row \($0)", "\($0 * 10)"] }
    let table = PDFDocument.Table(columns: [.init("Name"), .init("Amount", alignment: .trailing)], rows: rows)
    let pages = try pages([.table(table)])
    #expect(pages.count > 3)
    for page in pages { #expect(texts(page, .tableHead) == ["Name", "Amount"]) }
    #expect(pages.flatMap { texts($0, .tableCell) } == rows.flatMap { $0 })
    #expect(pages.map { texts($0, .footer).last } == (1...pages.count).map { "Page \($0) of \(pages.count)" })
  }

  @Test("numbers end where their column ends")
  func trailing() throws {
    let table = PDFDocument.Table(
      columns: [.init("N", alignment: .trailing)], rows: [["7"], ["1234"]])
    let ends = try pages([.table(table)]).joined().compactMap { mark -> Double? in
      guard case .text(let text, let x, _, .tableCell) = mark else { return nil }
      return x + Double(text.count) * TextStyle.tableCell.size
    }
    #expect(ends.count == 2 && abs(ends[0] - ends[1]) < 0.001)
  }

  @Test("a row that is higher than a page is continued on the next one")
  func hugeRow() throws {
    let lines = (1...300).map { "line\($0)" }
    let table = PDFDocument.Table(columns: [.init("A"), .init("B")], rows: [[lines.joined(separator: "\n"), "b"]])
    let pages = try pages([.table(table)])
    #expect(pages.count > 3)
    #expect(pages.flatMap { texts($0, .tableCell) }.filter { $0 != "b" } == lines)
  }

  @Test("a row that fits on a page is not torn apart")
  func wholeRow() throws {
    let filler = PDFDocument.Block.paragraph((1...45).map { "\($0)" }.joined(separator: "\n"))
    let cell = (1...10).map { "line\($0)" }.joined(separator: "\n")
    let pages = try pages([filler, .table(.init(columns: [.init("A")], rows: [["x"], [cell]]))])
    #expect(texts(try #require(pages.last), .tableCell).count == 10)
  }

  @Test("a heading does not stand alone at the end of a page")
  func heading() throws {
    for count in 40...60 {
      let filler = PDFDocument.Block.paragraph((1...count).map { "\($0)" }.joined(separator: "\n"))
      for page in try pages([filler, .heading("Section"), .paragraph("Text")])
      where texts(page, .heading) == ["Section"] {
        #expect(texts(page, .body).last == "Text", "\(count) lines before it")
      }
    }
  }

  @Test("a missing cell is empty, one too many is not shown, and no rows are said to be none")
  func odd() throws {
    let ragged = PDFDocument.Table(columns: [.init("A"), .init("B")], rows: [["1"], ["2", "3", "4"]])
    #expect(texts(try pages([.table(ragged)])[0], .tableCell) == ["1", "2", "3"])
    let empty = PDFDocument.Table(columns: [.init("A")], rows: [], emptyText: "No rows")
    #expect(texts(try pages([.table(empty)])[0], .note) == ["No rows"])
  }

  @Test("more pages than allowed are refused")
  func tooLong() {
    let text = String(repeating: "line\n", count: 500)
    #expect(throws: PDFRenderingError.tooManyPages(limit: 3)) { try pages([.paragraph(text)], maximum: 3) }
    #expect(throws: PDFRenderingError.paperTooSmall) {
      try Layout.pages(
        of: PDFDocument(title: "T", page: .init(width: 90, height: 90)), measure: Squares(), maximumPages: 1)
    }
  }
}
