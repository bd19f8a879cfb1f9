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

  let cairo: Cairo
  /// What the fonts are made for: glyphs in their true proportions, whatever the resolution.
  private let options: OpaquePointer
  private var fonts: [Key: OpaquePointer] = [:]
  private let first: [TextStyle: OpaquePointer]
  private var glyphs: [TextStyle: [Character: Glyph]] = [:]

  /// - Throws: `PDFRenderingError.unavailable` where there is no font whose letters could be read. The one that the library
  ///   brings along for that case has the letters of ASCII alone.
  init(_ cairo: Cairo) throws(PDFRenderingError) {
    guard let options = cairo.makeOptions() else { throw .drawing("out of memory") }
    cairo.setHintStyle(options, Cairo.hintStyleNone)
    cairo.setHintMetrics(options, Cairo.hintMetricsOff)
    self.cairo = cairo
    self.options = options
    var first: [TextStyle: OpaquePointer] = [:]
    for style in TextStyle.allCases {
      guard let font = Self.font(Key(style: style, family: 0), options, cairo), Self.has("Aé", font, cairo) else {
        break
      }
      first[style] = font
    }
    self.first = first
    guard first.count == TextStyle.allCases.count else { throw .unavailable("no font with Latin letters is installed") }
  }

  deinit {
    for font in Array(first.values) + fonts.values { cairo.freeFont(font) }
    cairo.freeOptions(options)
  }

  private static func font(_ key: Key, _ options: OpaquePointer, _ cairo: Cairo) -> OpaquePointer? {
    let (style, isBold) = (key.style, key.style.isBold && key.family == 0)
    let face = cairo.makeFace(
      families[key.family], Cairo.slantNormal, isBold ? Cairo.weightBold : Cairo.weightNormal)
    defer { cairo.freeFace(face) }
    guard let font = cairo.makeFont(face, Cairo.scale(style.size), Cairo.scale(1), options) else { return nil }
    guard cairo.fontStatus(font) == Cairo.success else {
      cairo.freeFont(font)
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
    cairo.setFont(context, run.font)
    cairo.setColor(context, style.gray, style.gray, style.gray)
  }

  private func glyph(of character: Character, in style: TextStyle) -> Glyph? {
    if let known = glyphs[style]?[character] { return known }
    guard let first = first[style] else { return nil }
    let text = String(character)
    var font = first
    var isLetter = Self.has(text, first, cairo)
    if !isLetter {
      for family in Self.families.indices.dropFirst() {
        guard let other = self.font(Key(style: style, family: family)), Self.has(text, other, cairo) else { continue }
        (font, isLetter) = (other, true)
        break
      }
    }
    var extents = [Double](repeating: 0, count: Cairo.extents)
    cairo.textExtents(font, text, &extents)
    let glyph = Glyph(font: font, width: extents[Cairo.advance], isLetter: isLetter)
    glyphs[style, default: [:]][character] = glyph
    return glyph
  }

  private func font(_ key: Key) -> OpaquePointer? {
    if let known = fonts[key] { return known }
    guard let font = Self.font(key, options, cairo) else { return nil }
    fonts[key] = font
    return font
  }

  /// Whether a font has a glyph for every scalar of a text: number 0 is the box that stands for those it lacks.
  private static func has(_ text: String, _ font: OpaquePointer, _ cairo: Cairo) -> Bool {
    var glyphs: UnsafeMutableRawPointer?
    var count: Int32 = 0
    let status = cairo.textToGlyphs(font, 0, 0, text, Int32(text.utf8.count), &glyphs, &count, nil, nil, nil)
    defer { cairo.freeGlyphs(glyphs) }
    guard status == Cairo.success, let glyphs else { return false }
    return (0..<Int(count)).allSatisfy { glyphs.load(fromByteOffset: $0 * Cairo.glyphSize, as: UInt.self) != 0 }
  }
}
