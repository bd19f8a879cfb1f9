/// Markup that is safe by construction: text that is interpolated is escaped, unless it is markup itself.
///
///     let row: HTML = "<td>\(name)</td>"
public struct HTML: Sendable, Hashable, ExpressibleByStringInterpolation, CustomStringConvertible {
  /// The markup.
  public let markup: String

  /// Markup that is known to be safe.
  public init(markup: String) { self.markup = markup }

  public init(stringLiteral value: String) { markup = value }

  public init(stringInterpolation: Interpolation) { markup = stringInterpolation.markup }

  public var description: String { markup }

  /// Text made safe for element content and for quoted attribute values.
  public static func escape(_ text: String) -> String {
    guard text.utf8.contains(where: { "&<>\"'".utf8.contains($0) }) else { return text }
    var escaped = ""
    escaped.reserveCapacity(text.utf8.count + 16)
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": escaped += "&amp;"
      case "<": escaped += "&lt;"
      case ">": escaped += "&gt;"
      case "\"": escaped += "&quot;"
      case "'": escaped += "&#39;"
      default: escaped.unicodeScalars.append(scalar)
      }
    }
    return escaped
  }

  /// Collects markup, escaping what is not markup.
  public struct Interpolation: StringInterpolationProtocol {
    var markup = ""

    public init(literalCapacity: Int, interpolationCount: Int) {
      markup.reserveCapacity(literalCapacity + interpolationCount * 16)
    }

    public mutating func appendLiteral(_ literal: String) { markup += literal }
    public mutating func appendInterpolation(_ html: HTML) { markup += html.markup }
    public mutating func appendInterpolation(_ parts: [HTML]) { for part in parts { markup += part.markup } }
    public mutating func appendInterpolation(_ text: some CustomStringConvertible) {
      markup += HTML.escape(text.description)
    }
  }
}

/// A simple page: a title and a body, for statuses and errors that a person sees.
public struct HTMLPage: Sendable {
  /// Plain text; escaped.
  public var title: String
  /// What is inside `<body>`.
  public var body: HTML
  /// The path of a style sheet on this server; inline styles are not allowed by ``HTMLSecurity``.
  public var stylesheet: String?
  /// A language tag such as `en`.
  public var language: String

  /// A page from its parts.
  public init(title: String, body: HTML, stylesheet: String? = nil, language: String = "en") {
    self.title = title
    self.body = body
    self.stylesheet = stylesheet
    self.language = language
  }

  /// The whole document.
  public var rendered: String {
    let style: HTML = stylesheet.map { "<link rel=\"stylesheet\" href=\"\($0)\">" } ?? ""
    let page: HTML = """
      <!doctype html>
      <html lang="\(language)">
      <head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">\
      <title>\(title)</title>\(style)</head>
      <body>\(body)</body>
      </html>

      """
    return page.markup
  }
}
