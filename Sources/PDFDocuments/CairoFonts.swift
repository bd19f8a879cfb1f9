internal import CCairo

/// The fonts of all styles. One thread uses it.
final class CairoFonts: TextMeasuring {
  /// Each letter is drawn in the first of these that has it. What follows the first are fonts for the scripts of East Asia,
  /// of which an installation has one or none: for a family that is not installed another font answers, and is asked for
  /// its letters like any other.
  private static let families = [
    "DejaVu Sans", "Noto Sans CJK JP", "Noto Sans JP", "Source Han Sans", "IPAGothic", "WenQuanYi Zen Hei",
    "Droid Sans Fallback", "NanumGothic", "Noto Sans",
  ]

  /// A part of a text that is drawn in one font.
  struct Run {
    var text: String
    var width: Double
    fileprivate let font: OpaquePointer
  }

  private struct Key: Hashable {
    var style: TextStyle
    var family: Int
  }

  private struct Glyph {
    var font: OpaquePointer
    var width: Double
    /// Whether the font has the letter, and not only a box for it.
    var isLetter: Bool
  }

  /// What the fonts are made for: glyphs in their true proportions, whatever the resolution.
  private let options: OpaquePointer
  private var fonts: [Key: OpaquePointer] = [:]
  private let first: [TextStyle: OpaquePointer]
  private var glyphs: [TextStyle: [Character: Glyph]] = [:]

  init() throws(PDFRenderingError) {
    guard let options = cairo_font_options_create() else { throw .drawing("out of memory") }
    cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE)
    cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF)
    self.options = options
    var first: [TextStyle: OpaquePointer] = [:]
    for style in TextStyle.allCases {
      guard let font = Self.font(Key(style: style, family: 0), options) else {
        for font in first.values { cairo_scaled_font_destroy(font) }
        cairo_font_options_destroy(options)
        throw .drawing("no font can be loaded")
      }
      first[style] = font
    }
    self.first = first
  }

  deinit {
    for font in Array(first.values) + fonts.values { cairo_scaled_font_destroy(font) }
    cairo_font_options_destroy(options)
  }

  private static func font(_ key: Key, _ options: OpaquePointer) -> OpaquePointer? {
    let (style, isBold) = (key.style, key.style.isBold && key.family == 0)
    let face = cairo_toy_font_face_create(
      families[key.family], CAIRO_FONT_SLANT_NORMAL, isBold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL)
    defer { cairo_font_face_destroy(face) }
    var size = cairo_matrix_t()
    var identity = cairo_matrix_t()
    cairo_matrix_init_scale(&size, style.size, style.size)
    cairo_matrix_init_identity(&identity)
    guard let font = cairo_scaled_font_create(face, &size, &identity, options) else { return nil }
    guard cairo_scaled_font_status(font) == CAIRO_STATUS_SUCCESS else {
      cairo_scaled_font_destroy(font)
      return nil
    }
    return font
  }

  func width(of character: Character, in style: TextStyle) -> Double { glyph(of: character, in: style)?.width ?? 0 }

  func canDraw(_ character: Character, in style: TextStyle) -> Bool {
    glyph(of: character, in: style)?.isLetter ?? false
  }

  /// The runs of a text, from left to right.
  func runs(of text: String, in style: TextStyle) -> [Run] {
    var runs: [Run] = []
    for character in text {
      guard let glyph = glyph(of: character, in: style) else { continue }
      if let last = runs.last, last.font == glyph.font {
        runs[runs.count - 1].text.append(character)
        runs[runs.count - 1].width += glyph.width
      } else {
        runs.append(Run(text: String(character), width: glyph.width, font: glyph.font))
      }
    }
    return runs
  }

  /// Makes `context` draw a run in a style.
  func use(_ run: Run, _ style: TextStyle, in context: OpaquePointer) {
    cairo_set_scaled_font(context, run.font)
    cairo_set_source_rgb(context, style.gray, style.gray, style.gray)
  }

  private func glyph(of character: Character, in style: TextStyle) -> Glyph? {
    if let known = glyphs[style]?[character] { return known }
    guard let first = first[style] else { return nil }
    let text = String(character)
    var font = first
    var isLetter = Self.has(text, first)
    if !isLetter {
      for family in Self.families.indices.dropFirst() {
        guard let other = self.font(Key(style: style, family: family)), Self.has(text, other) else { continue }
        (font, isLetter) = (other, true)
        break
      }
    }
    var extents = cairo_text_extents_t()
    cairo_scaled_font_text_extents(font, text, &extents)
    let glyph = Glyph(font: font, width: extents.x_advance, isLetter: isLetter)
    glyphs[style, default: [:]][character] = glyph
    return glyph
  }

  private func font(_ key: Key) -> OpaquePointer? {
    if let known = fonts[key] { return known }
    guard let font = Self.font(key, options) else { return nil }
    fonts[key] = font
    return font
  }

  /// Whether a font has a glyph for every scalar of a text: number 0 is the box that stands for those it lacks.
  private static func has(_ text: String, _ font: OpaquePointer) -> Bool {
    var glyphs: UnsafeMutablePointer<cairo_glyph_t>?
    var count: Int32 = 0
    let status = cairo_scaled_font_text_to_glyphs(
      font, 0, 0, text, Int32(text.utf8.count), &glyphs, &count, nil, nil, nil)
    defer { cairo_glyph_free(glyphs) }
    guard status == CAIRO_STATUS_SUCCESS, let glyphs else { return false }
    return (0..<Int(count)).allSatisfy { glyphs[$0].index != 0 }
  }
}
