internal import Glibc

/// The library that draws. It is found when the program runs, so that the program is built and runs without it; only
/// documents are refused then.
///
/// The signatures are those of the stable interface of cairo 1 (its manual, "cairo: A Vector Graphics Library"). A structure is
/// handed over as the numbers that it consists of.
struct Cairo: Sendable {
  typealias Object = OpaquePointer

  /// `cairo_status_t`.
  typealias Status = UInt32
  static let success: Status = 0
  static let writeError: Status = 11

  /// The constants of the enumerations that are used.
  static let slantNormal: UInt32 = 0
  static let weightNormal: UInt32 = 0
  static let weightBold: UInt32 = 1
  static let hintStyleNone: UInt32 = 1
  static let hintMetricsOff: UInt32 = 1
  static let metadataTitle: UInt32 = 0
  static let metadataAuthor: UInt32 = 1
  static let metadataCreationDate: UInt32 = 5

  /// The numbers of `cairo_matrix_t`: xx, yx, xy, yy, x0, y0.
  static func scale(_ factor: Double) -> [Double] { [factor, 0, 0, factor, 0, 0] }
  /// How many numbers `cairo_text_extents_t` has, and which of them is `x_advance`.
  static let (extents, advance) = (6, 4)
  /// The size of `cairo_glyph_t`, which begins with the number of the glyph in its font: an unsigned long and two doubles.
  static let glyphSize = 24

  typealias Write = @convention(c) (UnsafeMutableRawPointer?, UnsafePointer<UInt8>?, UInt32) -> Status

  let statusText: @convention(c) @Sendable (Status) -> UnsafePointer<CChar>?

  let makeOptions: @convention(c) @Sendable () -> Object?
  let freeOptions: @convention(c) @Sendable (Object?) -> Void
  let setHintStyle: @convention(c) @Sendable (Object?, UInt32) -> Void
  let setHintMetrics: @convention(c) @Sendable (Object?, UInt32) -> Void

  let makeFace: @convention(c) @Sendable (UnsafePointer<CChar>?, UInt32, UInt32) -> Object?
  let freeFace: @convention(c) @Sendable (Object?) -> Void
  let makeFont: @convention(c) @Sendable (Object?, UnsafePointer<Double>?, UnsafePointer<Double>?, Object?) -> Object?
  let freeFont: @convention(c) @Sendable (Object?) -> Void
  let fontStatus: @convention(c) @Sendable (Object?) -> Status
  let textExtents: @convention(c) @Sendable (Object?, UnsafePointer<CChar>?, UnsafeMutablePointer<Double>?) -> Void
  let textToGlyphs:
    @convention(c) @Sendable (
      Object?, Double, Double, UnsafePointer<CChar>?, Int32, UnsafeMutablePointer<UnsafeMutableRawPointer?>?,
      UnsafeMutablePointer<Int32>?, UnsafeMutableRawPointer?, UnsafeMutableRawPointer?, UnsafeMutableRawPointer?
    ) -> Status
  let freeGlyphs: @convention(c) @Sendable (UnsafeMutableRawPointer?) -> Void

  let makePDF: @convention(c) @Sendable (Write?, UnsafeMutableRawPointer?, Double, Double) -> Object?
  let setMetadata: @convention(c) @Sendable (Object?, UInt32, UnsafePointer<CChar>?) -> Void
  let finishSurface: @convention(c) @Sendable (Object?) -> Void
  let freeSurface: @convention(c) @Sendable (Object?) -> Void
  let surfaceStatus: @convention(c) @Sendable (Object?) -> Status

  let makeContext: @convention(c) @Sendable (Object?) -> Object?
  let freeContext: @convention(c) @Sendable (Object?) -> Void
  let contextStatus: @convention(c) @Sendable (Object?) -> Status
  let showPage: @convention(c) @Sendable (Object?) -> Void
  let setFont: @convention(c) @Sendable (Object?, Object?) -> Void
  let setColor: @convention(c) @Sendable (Object?, Double, Double, Double) -> Void
  let setLineWidth: @convention(c) @Sendable (Object?, Double) -> Void
  let moveTo: @convention(c) @Sendable (Object?, Double, Double) -> Void
  let lineTo: @convention(c) @Sendable (Object?, Double, Double) -> Void
  let rectangle: @convention(c) @Sendable (Object?, Double, Double, Double, Double) -> Void
  let stroke: @convention(c) @Sendable (Object?) -> Void
  let fill: @convention(c) @Sendable (Object?) -> Void
  let showText: @convention(c) @Sendable (Object?, UnsafePointer<CChar>?) -> Void

  /// The library of this machine; it is loaded once and stays.
  static func installed() throws(PDFRenderingError) -> Cairo { try loaded.get() }

  private static let loaded = Result { () throws(PDFRenderingError) in try Cairo(loading: "libcairo.so.2") }

  /// - Throws: `PDFRenderingError.unavailable`
  init(loading name: String) throws(PDFRenderingError) {
    guard let library = dlopen(name, RTLD_NOW | RTLD_LOCAL) else {
      throw .unavailable(dlerror().map { String(cString: $0) } ?? "\(name) cannot be loaded")
    }
    func find<T>(_ symbol: String) throws(PDFRenderingError) -> T {
      guard let address = dlsym(library, symbol) else { throw .unavailable("\(name) has no \(symbol)") }
      // A function's address is a function pointer; T is the signature that the manual gives for this symbol.
      return unsafeBitCast(address, to: T.self)
    }
    statusText = try find("cairo_status_to_string")
    makeOptions = try find("cairo_font_options_create")
    freeOptions = try find("cairo_font_options_destroy")
    setHintStyle = try find("cairo_font_options_set_hint_style")
    setHintMetrics = try find("cairo_font_options_set_hint_metrics")
    makeFace = try find("cairo_toy_font_face_create")
    freeFace = try find("cairo_font_face_destroy")
    makeFont = try find("cairo_scaled_font_create")
    freeFont = try find("cairo_scaled_font_destroy")
    fontStatus = try find("cairo_scaled_font_status")
    textExtents = try find("cairo_scaled_font_text_extents")
    textToGlyphs = try find("cairo_scaled_font_text_to_glyphs")
    freeGlyphs = try find("cairo_glyph_free")
    makePDF = try find("cairo_pdf_surface_create_for_stream")
    setMetadata = try find("cairo_pdf_surface_set_metadata")
    finishSurface = try find("cairo_surface_finish")
    freeSurface = try find("cairo_surface_destroy")
    surfaceStatus = try find("cairo_surface_status")
    makeContext = try find("cairo_create")
    freeContext = try find("cairo_destroy")
    contextStatus = try find("cairo_status")
    showPage = try find("cairo_show_page")
    setFont = try find("cairo_set_scaled_font")
    setColor = try find("cairo_set_source_rgb")
    setLineWidth = try find("cairo_set_line_width")
    moveTo = try find("cairo_move_to")
    lineTo = try find("cairo_line_to")
    rectangle = try find("cairo_rectangle")
    stroke = try find("cairo_stroke")
    fill = try find("cairo_fill")
    showText = try find("cairo_show_text")
  }
}
