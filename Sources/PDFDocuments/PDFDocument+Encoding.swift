internal import CCairo
internal import Foundation

extension PDFDocument {
  /// The document as a PDF file (version 1.5 or later). Blocks until it is done, about a millisecond a page and some
  /// more for the fonts: in a server use ``PDFRenderer``.
  public func encoded(maximumPages: Int = 1_000) throws(PDFRenderingError) -> [UInt8] {
    let fonts = try CairoFonts()
    let pages = try PageLayout.pages(of: shown(by: fonts), measure: fonts, maximumPages: maximumPages)
    let output = Output()
    // The stream holds `output` unretained; it is kept alive until the surface is finished.
    return try withExtendedLifetime(output) { () throws(PDFRenderingError) in
      let surface = cairo_pdf_surface_create_for_stream(
        { closure, bytes, count in
          guard let closure, let bytes else { return CAIRO_STATUS_WRITE_ERROR }
          let output = Unmanaged<Output>.fromOpaque(closure).takeUnretainedValue()
          output.bytes.append(contentsOf: UnsafeBufferPointer(start: bytes, count: Int(count)))
          return CAIRO_STATUS_SUCCESS
        }, Unmanaged.passUnretained(output).toOpaque(), page.width, page.height)
      defer { cairo_surface_destroy(surface) }
      try Self.check(cairo_surface_status(surface))
      set(CAIRO_PDF_METADATA_TITLE, TextWrapping.drawable(title), on: surface)
      if let author { set(CAIRO_PDF_METADATA_AUTHOR, TextWrapping.drawable(author), on: surface) }
      if let createdAt { set(CAIRO_PDF_METADATA_CREATE_DATE, createdAt.formatted(.iso8601), on: surface) }

      guard let context = cairo_create(surface) else { throw .drawing("out of memory") }
      defer { cairo_destroy(context) }
      for marks in pages {
        for mark in marks { Self.draw(mark, in: context, fonts: fonts) }
        cairo_show_page(context)
      }
      try Self.check(cairo_status(context))
      cairo_surface_finish(surface)
      try Self.check(cairo_surface_status(surface))
      return output.bytes
    }
  }

  private func set(_ property: cairo_pdf_metadata_t, _ text: String, on surface: OpaquePointer?) {
    cairo_pdf_surface_set_metadata(surface, property, text)
  }

  private static func draw(_ mark: PageLayout<CairoFonts>.Mark, in context: OpaquePointer, fonts: CairoFonts) {
    switch mark {
    case .text(let text, let x, let baseline, let style):
      var x = x
      for run in fonts.runs(of: text, in: style) {
        fonts.use(run, style, in: context)
        cairo_move_to(context, x, baseline)
        cairo_show_text(context, run.text)
        x += run.width
      }
    case .line(let fromX, let toX, let y):
      cairo_set_source_rgb(context, 0.8, 0.8, 0.8)
      cairo_set_line_width(context, 0.5)
      cairo_move_to(context, fromX, y)
      cairo_line_to(context, toX, y)
      cairo_stroke(context)
    case .fill(let x, let y, let width, let height):
      cairo_set_source_rgb(context, 0.94, 0.94, 0.94)
      cairo_rectangle(context, x, y, width, height)
      cairo_fill(context)
    }
  }

  private static func check(_ status: cairo_status_t) throws(PDFRenderingError) {
    guard status == CAIRO_STATUS_SUCCESS else {
      throw .drawing(cairo_status_to_string(status).map { String(cString: $0) } ?? "status \(status.rawValue)")
    }
  }

  private final class Output {
    var bytes: [UInt8] = []
  }
}
