/// Decides where everything stands. Pure: it needs to know only how wide characters are.
struct PageLayout<Measure: TextMeasuring> {
  /// Something to draw; from the upper left corner, in points.
  enum Mark: Hashable {
    case text(String, x: Double, baseline: Double, TextStyle)
    case line(fromX: Double, toX: Double, y: Double)
    case fill(x: Double, y: Double, width: Double, height: Double)
  }

  let document: PDFDocument
  let measure: Measure
  let maximumPages: Int

  private let margin = 48.0
  private let footerHeight = 24.0
  private let padding = 4.0

  private var pages: [[Mark]] = [[]]
  /// Where the next thing goes.
  private var y = 48.0
  private var isOverfull = false

  private init(_ document: PDFDocument, measure: Measure, maximumPages: Int) {
    self.document = document
    self.measure = measure
    self.maximumPages = maximumPages
  }

  /// The marks of each page.
  static func pages(
    of document: PDFDocument, measure: Measure, maximumPages: Int
  ) throws(PDFRenderingError) -> [[Mark]] {
    guard document.page.width >= 200, document.page.height >= 200 else { throw .paperTooSmall }
    var layout = PageLayout(document, measure: measure, maximumPages: maximumPages)
    layout.addTitle()
    for block in document.blocks {
      layout.add(block)
      if layout.isOverfull { throw .tooManyPages(limit: maximumPages) }
    }
    layout.addFooters()
    return layout.pages
  }

  private var width: Double { document.page.width - 2 * margin }
  private var bottom: Double { document.page.height - margin - footerHeight }
  private var room: Double { bottom - y }
  private var isAtTop: Bool { y <= margin }

  private mutating func put(_ mark: Mark) { pages[pages.count - 1].append(mark) }

  private mutating func startPage() {
    // Everything after the last allowed page lands on it; the document is refused then.
    if pages.count < maximumPages { pages.append([]) } else { isOverfull = true }
    y = margin
  }

  private mutating func addTitle() {
    addText(document.title, .title)
    if let subtitle = document.subtitle { addText(subtitle, .subtitle) }
    y += 6
    put(.line(fromX: margin, toX: margin + width, y: y))
    y += 10
  }

  private mutating func add(_ block: PDFDocument.Block) {
    switch block {
    case .heading(let text):
      if !isAtTop { y += 10 }
      let lines = self.lines(text, .heading, width)
      // A heading takes a few lines of what it announces along.
      if room < Double(lines.count) * TextStyle.heading.lineHeight + 4 * TextStyle.body.lineHeight { startPage() }
      add(lines, .heading)
      y += 4
    case .paragraph(let text):
      addText(text, .body)
      y += 6
    case .note(let text):
      addText(text, .note)
      y += 6
    case .facts(let facts):
      add(facts)
      y += 6
    case .table(let table):
      add(table)
      y += 8
    case .pageBreak:
      if !isAtTop { startPage() }
    }
  }

  private func lines(_ text: String, _ style: TextStyle, _ width: Double) -> [String] {
    TextWrapping.lines(of: text, in: style, width: width, measure: measure)
  }

  private mutating func addText(_ text: String, _ style: TextStyle) { add(lines(text, style, width), style) }

  private mutating func add(_ lines: [String], _ style: TextStyle) {
    for line in lines where !isOverfull {
      if room < style.lineHeight { startPage() }
      put(.text(line, x: margin, baseline: y + style.ascent, style))
      y += style.lineHeight
    }
  }

  // MARK: Facts

  private mutating func add(_ facts: [PDFDocument.Fact]) {
    let wanted = facts.map { measure.width(of: TextWrapping.drawable($0.name), in: .factName) }.max() ?? 0
    let nameWidth = min(wanted + 12, width * 0.4)
    for fact in facts {
      addRow(
        [lines(fact.name, .factName, nameWidth - 8), lines(fact.value, .body, width - nameWidth)],
        styles: [.factName, .body], lefts: [margin, margin + nameWidth], rights: [nil, nil], padding: 1
      ) { _ in }
    }
  }

  // MARK: Tables

  private mutating func add(_ table: PDFDocument.Table) {
    guard !table.rows.isEmpty, !table.columns.isEmpty else {
      addText(table.emptyText, .note)
      return
    }
    let widths = ColumnWidths.shared(wanted: wantedWidths(table), available: width)
    var lefts: [Double] = []
    var rights: [Double?] = []
    var x = margin
    for (column, columnWidth) in zip(table.columns, widths) {
      lefts.append(x + padding)
      rights.append(column.alignment == .trailing ? x + columnWidth - padding : nil)
      x += columnWidth
    }
    let inner = widths.map { $0 - 2 * padding }
    let head = zip(table.columns, inner).map { lines($0.title, .tableHead, $1) }
    let headHeight = Double(head.map(\.count).max() ?? 1) * TextStyle.tableHead.lineHeight + 2 * padding
    // The header takes at least one line of a row along.
    if room < headHeight + TextStyle.tableCell.lineHeight + 2 * padding { startPage() }
    addHead(head, height: headHeight, lefts: lefts, rights: rights)
    let styles = table.columns.map { _ in TextStyle.tableCell }
    for row in table.rows where !isOverfull {
      let cells = inner.indices.map { $0 < row.count ? lines(row[$0], .tableCell, inner[$0]) : [""] }
      addRow(cells, styles: styles, lefts: lefts, rights: rights, padding: padding) { layout in
        layout.addHead(head, height: headHeight, lefts: lefts, rights: rights)
      }
      put(.line(fromX: margin, toX: margin + width, y: y))
    }
  }

  private func wantedWidths(_ table: PDFDocument.Table) -> [Double] {
    table.columns.indices.map { index in
      let head = measure.width(of: TextWrapping.drawable(table.columns[index].title), in: .tableHead)
      let widest = table.rows.reduce(head) { widest, row in
        guard index < row.count, widest < width else { return widest }
        let cell = row[index].split(whereSeparator: \.isNewline)
          .map { measure.width(of: TextWrapping.drawable($0), in: .tableCell) }.max()
        return max(widest, cell ?? 0)
      }
      // A breath more than needed: the sum of rounded widths must not break a line that just fits.
      return widest + 2 * padding + 0.5
    }
  }

  private mutating func addHead(_ head: [[String]], height: Double, lefts: [Double], rights: [Double?]) {
    put(.fill(x: margin, y: y, width: width, height: height))
    let styles = head.map { _ in TextStyle.tableHead }
    place(head, styles: styles, lefts: lefts, rights: rights, padding: padding)
    put(.line(fromX: margin, toX: margin + width, y: y))
  }

  // MARK: Rows

  /// Cells beside each other. A row that does not fit goes to the next page; one higher than a page is continued there.
  private mutating func addRow(
    _ cells: [[String]], styles: [TextStyle], lefts: [Double], rights: [Double?], padding: Double,
    onNewPage: (inout PageLayout) -> Void
  ) {
    let lineHeight = styles.map(\.lineHeight).max() ?? 0
    var rest = cells
    while !isOverfull {
      let count = rest.map(\.count).max() ?? 0
      if Double(count) * lineHeight + 2 * padding <= room {
        place(rest, styles: styles, lefts: lefts, rights: rights, padding: padding)
        return
      }
      let fullPage = Int((bottom - margin - 2 * padding) / lineHeight)
      let fitting = Int((room - 2 * padding) / lineHeight)
      // What fits on a page by itself is not torn apart.
      if count > fullPage - 6, fitting > 0 {
        place(
          rest.map { Array($0.prefix(fitting)) }, styles: styles, lefts: lefts, rights: rights, padding: padding)
        rest = rest.map { Array($0.dropFirst(fitting)) }
      }
      startPage()
      onNewPage(&self)
    }
  }

  private mutating func place(
    _ cells: [[String]], styles: [TextStyle], lefts: [Double], rights: [Double?], padding: Double
  ) {
    let lineHeight = styles.map(\.lineHeight).max() ?? 0
    for (index, lines) in cells.enumerated() {
      let style = styles[index]
      for (number, line) in lines.enumerated() where !line.isEmpty {
        let x = rights[index].map { $0 - measure.width(of: line, in: style) } ?? lefts[index]
        put(.text(line, x: x, baseline: y + padding + Double(number) * lineHeight + style.ascent, style))
      }
    }
    y += Double(cells.map(\.count).max() ?? 0) * lineHeight + 2 * padding
  }

  // MARK: Footers

  private mutating func addFooters() {
    let baseline = document.page.height - margin
    for index in pages.indices {
      let number = "Page \(index + 1) of \(pages.count)"
      let numberWidth = measure.width(of: number, in: .footer)
      let title = lines(document.title, .footer, width - numberWidth - 20).first ?? ""
      pages[index].append(.text(title, x: margin, baseline: baseline, .footer))
      pages[index].append(.text(number, x: margin + width - numberWidth, baseline: baseline, .footer))
    }
  }
}
