/// The grammar of the Prometheus text format, version 0.0.4.
enum MetricText {
  /// The labels of the series that takes what exceeds the limit.
  static let overflow = "overflow=\"true\""

  /// A name has letters, digits, `_` and `:`, and starts with no digit. Everything else becomes `_`.
  static func name(_ text: String) -> String { identifier(text, allowed: "_:") }

  /// `name="value",…` sorted by name, so that the order in which labels are given does not matter.
  static func labels(_ dimensions: [(String, String)]) -> String {
    dimensions
      .map { (identifier($0.0, allowed: "_"), value($0.1)) }
      .sorted { $0.0 < $1.0 }
      .map { "\($0.0)=\"\($0.1)\"" }
      .joined(separator: ",")
  }

  /// In a label value backslash, quote and newline are escaped.
  static func value(_ text: String) -> String { escape(text, quote: true) }

  /// In help backslash and newline are escaped.
  static func help(_ text: String) -> String { escape(text, quote: false) }

  static func number(_ value: Double) -> String {
    if value.isNaN { return "NaN" }
    if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
    if let whole = Int64(exactly: value) { return String(whole) }
    return value.description
  }

  static func sample(to text: inout String, _ name: String, _ labels: String, _ value: String) {
    text += name
    if !labels.isEmpty { text += "{\(labels)}" }
    text += " \(value)\n"
  }

  private static func identifier(_ text: String, allowed: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "a"..."z", "A"..."Z": result.unicodeScalars.append(scalar)
      case "0"..."9":
        if result.isEmpty { result = "_" }
        result.unicodeScalars.append(scalar)
      default: result.unicodeScalars.append(allowed.unicodeScalars.contains(scalar) ? scalar : "_")
      }
    }
    return result.isEmpty ? "_" : result
  }

  private static func escape(_ text: String, quote: Bool) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\"" where quote: result += "\\\""
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }
}
