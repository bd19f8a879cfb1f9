// What somebody outside writes goes into rows, logs and pages. NUL can be stored nowhere, and other control characters steer
// whatever shows them: they are taken out where a document is read, so that nobody further on has to think of them.

extension JSONValue {
  /// Reads a document of somebody outside, without the control characters in its texts and names but tabs and the ends of
  /// lines.
  public init(
    ofOutside bytes: [UInt8], maximumDepth: Int = defaultMaximumDepth
  ) throws(JSONParsingError) {
    self = try JSONValue(parsing: bytes, maximumDepth: maximumDepth).withoutControls(readFrom: bytes)
  }

  /// The value without control characters in its texts and names but tabs and the ends of lines.
  /// - Parameter bytes: the document that it was read from.
  public func withoutControls(readFrom bytes: [UInt8]) -> JSONValue {
    Self.mayHoldControls(bytes) ? withoutControls : self
  }

  /// Whether control characters can stand in the texts of a document. Most hold none, and are not gone through again.
  ///
  /// The first 32 can only be written as escapes; those from U+007F to U+009F may stand there themselves.
  private static func mayHoldControls(_ bytes: [UInt8]) -> Bool {
    var before: UInt8 = 0
    for byte in bytes {
      switch before {
      case UInt8(ascii: "\\"):
        if byte == UInt8(ascii: "u") || byte == UInt8(ascii: "b") || byte == UInt8(ascii: "f") { return true }
      case 0xC2 where byte < 0xA0: return true
      default: break
      }
      if byte == 0x7F { return true }
      before = byte
    }
    return false
  }

  private var withoutControls: JSONValue {
    switch self {
    case .string(let text): .string(Self.withoutControls(text))
    case .array(let elements): .array(elements.map(\.withoutControls))
    case .object(let object):
      .object(JSONObject(object.elements.map { (Self.withoutControls($0.key), $0.value.withoutControls) }))
    case .null, .bool, .integer, .decimal: self
    }
  }

  private static func withoutControls(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: isControl) else { return text }
    return String(String.UnicodeScalarView(text.unicodeScalars.filter { !isControl($0) }))
  }

  private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case "\t", "\n", "\r": false
    default: scalar.properties.generalCategory == .control
    }
  }
}
