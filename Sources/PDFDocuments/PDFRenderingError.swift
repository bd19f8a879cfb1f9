/// Why a document was not written.
public enum PDFRenderingError: Error, Sendable, Hashable, CustomStringConvertible {
  /// It needs more pages than are allowed.
  case tooManyPages(limit: Int)
  /// Too many documents are being written already; try again later.
  case overloaded
  /// The paper leaves no room for text.
  case paperTooSmall
  /// The graphics library or its fonts are not installed, with what is missing. Nothing is drawn until an operator has acted.
  case unavailable(String)
  /// The graphics library refused, with its reason.
  case drawing(String)

  public var description: String {
    switch self {
    case .tooManyPages(let limit): "the document needs more than \(limit) pages"
    case .overloaded: "too many documents are being written"
    case .paperTooSmall: "the paper leaves no room for text"
    case .unavailable(let reason): "no document can be drawn here: \(reason)"
    case .drawing(let reason): "the document could not be drawn: \(reason)"
    }
  }
}
