extension JSONValue {
  /// How deep arrays and objects may nest unless a caller says otherwise.
  public static let defaultMaximumDepth = 128

  /// Reads a JSON document, strictly by RFC 8259: UTF-8 without a byte order mark, one value, nothing after it but white
  /// space, no leading zeros, paired surrogates only. `maximumDepth` is at most 512.
  public init(
    parsing bytes: some Collection<UInt8>, maximumDepth: Int = defaultMaximumDepth
  ) throws(JSONParsingError) {
    self = try JSONReader.read(bytes, maximumDepth: maximumDepth) { (reader) throws(JSONParsingError) in
      let value = try reader.value(depth: 0)
      try reader.finish()
      return value
    }
  }

  /// Reads a JSON document from a text.
  public init(parsing text: String, maximumDepth: Int = defaultMaximumDepth) throws(JSONParsingError) {
    try self.init(parsing: text.utf8, maximumDepth: maximumDepth)
  }
}

extension JSONReader {
  /// Reads one value.
  mutating func value(depth: Int) throws(JSONParsingError) -> JSONValue {
    switch try peek() {
    case UInt8(ascii: "\""):
      return .string(text(of: try string()))
    case UInt8(ascii: "{"):
      var object = JSONObject()
      if try opensEmpty(UInt8(ascii: "}"), depth: depth) { return .object(object) }
      repeat {
        let key = text(of: try key())
        object[key] = try value(depth: depth + 1)
      } while try continues(until: UInt8(ascii: "}"))
      return .object(object)
    case UInt8(ascii: "["):
      var array: [JSONValue] = []
      if try opensEmpty(UInt8(ascii: "]"), depth: depth) { return .array(array) }
      repeat {
        array.append(try value(depth: depth + 1))
      } while try continues(until: UInt8(ascii: "]"))
      return .array(array)
    case UInt8(ascii: "t"):
      try literal("true")
      return .bool(true)
    case UInt8(ascii: "f"):
      try literal("false")
      return .bool(false)
    case UInt8(ascii: "n"):
      try literal("null")
      return .null
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
      return value(of: try number())
    default:
      throw failure(.expectedValue)
    }
  }

  private func value(of token: NumberToken) -> JSONValue {
    let text = String(
      decoding: UnsafeBufferPointer(start: base + token.start, count: token.end - token.start), as: UTF8.self)
    // "-0" stays a text: an integer would lose its sign.
    if token.isInteger, text != "-0", let integer = Int64(text) { return .integer(integer) }
    return .decimal(text)
  }
}
