internal import CCairo

/// The fonts of all styles. One thread uses it.
final class CairoFonts: TextMeasuring {
  /// What the fonts are made for: glyphs in their true proportions, whatever the resolution.
  private let options: OpaquePointer
  private var fonts: [TextStyle: OpaquePointer] = [:]
  private var widths: [TextStyle: [Character: Double]] = [:]

  init() throws(PDFRenderingError) {
    guard let options = cairo_font_options_create() else { throw .drawing("out of memory") }
    cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE)
    cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF)
    self.options = options
    for style in TextStyle.allCases {
      let face = cairo_toy_font_face_create(
        "DejaVu Sans", CAIRO_FONT_SLANT_NORMAL, style.isBold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL)
      var size = cairo_matrix_t()
      var identity = cairo_matrix_t()
      cairo_matrix_init_scale(&size, style.size, style.size)
      cairo_matrix_init_identity(&identity)
      let font = cairo_scaled_font_create(face, &size, &identity, options)
      cairo_font_face_destroy(face)
      fonts[style] = font
      guard let font, cairo_scaled_font_status(font) == CAIRO_STATUS_SUCCESS else {
        throw .drawing("no font can be loaded")
      }
    }
  }

  deinit {
    for font in fonts.values { cairo_scaled_font_destroy(font) }
    cairo_font_options_destroy(options)
  }

  func width(of character: Character, in style: TextStyle) -> Double {
    if let known = widths[style]?[character] { return known }
    var extents = cairo_text_extents_t()
    if let font = fonts[style] { cairo_scaled_font_text_extents(font, String(character), &extents) }
    widths[style, default: [:]][character] = extents.x_advance
    return extents.x_advance
  }

  /// Makes `context` draw in a style.
  func use(_ style: TextStyle, in context: OpaquePointer) {
    if let font = fonts[style] { cairo_set_scaled_font(context, font) }
    cairo_set_source_rgb(context, style.gray, style.gray, style.gray)
  }
}
