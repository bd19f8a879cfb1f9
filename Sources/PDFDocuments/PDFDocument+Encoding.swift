internal import Foundation

extension PDFDocument {
  /// Whether documents can be written here, which needs the library cairo and a font: nil, or what is in the way.
  public static func obstacle() -> PDFRenderingError? {
    do {
      _ = try CairoFonts(Cairo.installed())
      return nil
    } catch { return error }
  }

  /// The document as a PDF file (version 1.5 or later). Blocks until it is done, about a millisecond a page and some
  /// more for the fonts: in a server use ``PDFRenderer``.
  public func encoded(maximumPages: Int = 1_000) throws(PDFRenderingError) -> [UInt8] {
    let cairo = try Cairo.installed()
    let fonts = try CairoFonts(cairo)
    let pages = try PageLayout.pages(of: shown(by: fonts), measure: fonts, maximumPages: maximumPages)
    let output = Output()
    // The stream holds `output` unretained; it is kept alive until the surface is finished.
    return try withExtendedLifetime(output) { () throws(PDFRenderingError) in
      let surface = cairo.makePDF(
        { closure, bytes, count in
          guard let closure, let bytes else { return Cairo.writeError }
          let output = Unmanaged<Output>.fromOpaque(closure).takeUnretainedValue()
          output.bytes.append(contentsOf: UnsafeBufferPointer(start: bytes, count: Int(count)))
          return Cairo.success
        }, Unmanaged.passUnretained(output).toOpaque(), page.width, page.height)
      defer { cairo.freeSurface(surface) }
      try Self.check(cairo.surfaceStatus(surface), cairo)
      cairo.setMetadata(surface, Cairo.metadataTitle, TextWrapping.drawable(title))
      if let author { cairo.setMetadata(surface, Cairo.metadataAuthor, TextWrapping.drawable(author)) }
      if let createdAt { cairo.setMetadata(surface, Cairo.metadataCreationDate, createdAt.formatted(.iso8601)) }

      guard let context = cairo.makeContext(surface) else { throw .drawing("out of memory") }
      defer { cairo.freeContext(context) }
      for marks in pages {
        for mark in marks { Self.draw(mark, in: context, fonts: fonts) }
        cairo.showPage(context)
      }
      try Self.check(cairo.contextStatus(context), cairo)
      cairo.finishSurface(surface)
      try Self.check(cairo.surfaceStatus(surface), cairo)
      return output.bytes
    }
  }

  private static func draw(_ mark: PageLayout<CairoFonts>.Mark, in context: OpaquePointer, fonts: CairoFonts) {
    let cairo = fonts.cairo
    switch mark {
    case .text(let text, let x, let baseline, let style):
      var x = x
      for run in fonts.runs(of: text, in: style) {
        fonts.use(run, style, in: context)
        cairo.moveTo(context, x, baseline)
        cairo.showText(context, run.text)
        x += run.width
      }
    case .line(let fromX, let toX, let y):
      cairo.setColor(context, 0.8, 0.8, 0.8)
      cairo.setLineWidth(context, 0.5)
      cairo.moveTo(context, fromX, y)
      cairo.lineTo(context, toX, y)
      cairo.stroke(context)
    case .fill(let x, let y, let width, let height):
      cairo.setColor(context, 0.94, 0.94, 0.94)
      cairo.rectangle(context, x, y, width, height)
      cairo.fill(context)
    }
  }

  private static func check(_ status: Cairo.Status, _ cairo: Cairo) throws(PDFRenderingError) {
    guard status == Cairo.success else {
      throw .drawing(cairo.statusText(status).map { String(cString: $0) } ?? "status \(status)")
    }
  }

  private final class Output {
    var bytes: [UInt8] = []
  }
}
