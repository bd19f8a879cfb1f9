/// Writes JSON byte by byte, in exactly the order of the calls: for signed documents and for paths where building a
/// value first would cost too much.
///
/// It sets the commas and escapes; that keys and values alternate and brackets pair up is the caller's part.
/// Compact: no white space; `/` and everything beyond ASCII stand unescaped, as `JSON.stringify` writes them.
public struct JSONWriter: Sendable {
  /// What was written so far.
  public private(set) var bytes: [UInt8] = []

  private var needsComma = false

  /// A writer that has room for `capacity` bytes before it must grow.
  public init(capacity: Int = 256) {
    bytes.reserveCapacity(capacity)
  }

  /// Opens an object, as a value.
  public mutating func beginObject() { open(UInt8(ascii: "{")) }

  /// Closes the innermost object.
  public mutating func endObject() { close(UInt8(ascii: "}")) }

  /// Opens an array, as a value.
  public mutating func beginArray() { open(UInt8(ascii: "[")) }

  /// Closes the innermost array.
  public mutating func endArray() { close(UInt8(ascii: "]")) }

  /// Writes a key; the next call writes its value.
  public mutating func key(_ key: String) {
    separate()
    quote(key)
    bytes.append(UInt8(ascii: ":"))
    needsComma = false
  }

  /// Writes a string as a value, escaped.
  public mutating func string(_ text: String) {
    separate()
    quote(text)
  }

  /// Writes an integer as a value, of any size.
  public mutating func integer(_ value: some BinaryInteger) {
    separate()
    bytes.append(contentsOf: String(value).utf8)
  }

  /// Writes `true` or `false` as a value.
  public mutating func bool(_ value: Bool) {
    separate()
    bytes.append(contentsOf: (value ? "true" : "false").utf8)
  }

  /// Writes `null` as a value.
  public mutating func null() {
    separate()
    bytes.append(contentsOf: "null".utf8)
  }

  /// Writes a value that is JSON already. Not checked.
  public mutating func raw(_ json: some Sequence<UInt8>) {
    separate()
    bytes.append(contentsOf: json)
  }

  /// Writes any value, objects in their order.
  public mutating func value(_ value: JSONValue) {
    switch value {
    case .null: null()
    case .bool(let value): bool(value)
    case .integer(let value): integer(value)
    case .decimal(let text): raw(text.utf8)
    case .string(let text): string(text)
    case .array(let elements):
      beginArray()
      for element in elements { self.value(element) }
      endArray()
    case .object(let object):
      beginObject()
      for (key, value) in object.elements {
        self.key(key)
        self.value(value)
      }
      endObject()
    }
  }

  /// A key with a string.
  public mutating func member(_ key: String, _ text: String) {
    self.key(key)
    string(text)
  }

  /// A key with an integer.
  public mutating func member(_ key: String, _ value: some BinaryInteger) {
    self.key(key)
    integer(value)
  }

  /// A key with a boolean.
  public mutating func member(_ key: String, _ value: Bool) {
    self.key(key)
    bool(value)
  }

  /// A key with any value.
  public mutating func member(_ key: String, _ value: JSONValue) {
    self.key(key)
    self.value(value)
  }

  /// The text of what was written so far.
  public var text: String { String(decoding: bytes, as: UTF8.self) }

  /// Whether everything written so far is printable ASCII (0x20 to 0x7E). A document that other programs parse and
  /// serialise again before they check a signature over it must be: they disagree about how to escape the rest.
  public var isPrintableASCII: Bool { Self.isPrintableASCII(bytes) }

  /// Whether all bytes are printable ASCII (0x20 to 0x7E).
  public static func isPrintableASCII(_ bytes: some Sequence<UInt8>) -> Bool {
    bytes.allSatisfy { (0x20...0x7E).contains($0) }
  }

  /// Whether a text is printable ASCII that is also written without any escape.
  public static func isPlain(_ text: String) -> Bool {
    text.utf8.allSatisfy { (0x20...0x7E).contains($0) && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }
  }

  private mutating func separate() {
    if needsComma { bytes.append(UInt8(ascii: ",")) }
    needsComma = true
  }

  private mutating func open(_ bracket: UInt8) {
    separate()
    bytes.append(bracket)
    needsComma = false
  }

  private mutating func close(_ bracket: UInt8) {
    bytes.append(bracket)
    needsComma = true
  }

  private mutating func quote(_ text: String) {
    bytes.append(UInt8(ascii: "\""))
    var text = text
    text.withUTF8 { source in
      var start = 0
      for position in source.indices where Self.needsEscape(source[position]) {
        bytes.append(contentsOf: source[start..<position])
        bytes.append(contentsOf: Self.escape(of: source[position]))
        start = position + 1
      }
      bytes.append(contentsOf: source[start...])
    }
    bytes.append(UInt8(ascii: "\""))
  }

  @inline(__always)
  private static func needsEscape(_ byte: UInt8) -> Bool {
    byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
  }

  private static func escape(of byte: UInt8) -> [UInt8] {
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"): [UInt8(ascii: "\\"), byte]
    case 0x08: Array("\\b".utf8)
    case 0x09: Array("\\t".utf8)
    case 0x0A: Array("\\n".utf8)
    case 0x0C: Array("\\f".utf8)
    case 0x0D: Array("\\r".utf8)
    default: Array("\\u00".utf8) + [hexDigits[Int(byte >> 4)], hexDigits[Int(byte & 15)]]
    }
  }

  private static let hexDigits = Array("0123456789abcdef".utf8)
}

extension JSONValue {
  /// The compact JSON text as UTF-8 bytes: objects in their order, `/` and everything beyond ASCII unescaped.
  public func encoded() -> [UInt8] {
    var writer = JSONWriter()
    writer.value(self)
    return writer.bytes
  }

  /// The compact JSON text: objects in their order, `/` and everything beyond ASCII unescaped.
  public func text() -> String {
    String(decoding: encoded(), as: UTF8.self)
  }

  /// The compact JSON text with the keys of every object sorted by their bytes, so that two values which differ only in
  /// the order of members give one text. Numbers stand as they were written: `1.0` and `1.00` remain different.
  public func canonicalText() -> String {
    sorted.text()
  }

  private var sorted: JSONValue {
    switch self {
    case .array(let elements): .array(elements.map(\.sorted))
    case .object(let object):
      .object(
        JSONObject(
          object.elements
            .sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
            .map { ($0.key, $0.value.sorted) }))
    default: self
    }
  }
}
