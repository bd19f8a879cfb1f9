/// The strict lexer that the parser and the scanner share, so that both accept exactly the same documents.
///
/// Works on borrowed memory: it lives only inside the call that lends the bytes. Every read is behind a comparison of
/// `position` with `end`.
struct JSONReader {
  let base: UnsafePointer<UInt8>
  let end: Int
  var position = 0
  let maximumDepth: Int

  /// Deeper documents could exhaust the stack of a small thread, whatever a caller asks for.
  static let deepestAllowed = 512

  init(_ bytes: UnsafeBufferPointer<UInt8>, base: UnsafePointer<UInt8>, maximumDepth: Int) {
    self.base = base
    self.end = bytes.count
    self.maximumDepth = min(max(maximumDepth, 1), Self.deepestAllowed)
  }

  /// Lends the bytes of any collection to `body` as a reader. An empty document is refused here, since it has no address.
  static func read<Result>(
    _ bytes: some Collection<UInt8>, maximumDepth: Int,
    _ body: (inout JSONReader) throws(JSONParsingError) -> Result
  ) throws(JSONParsingError) -> Result {
    func run(_ buffer: UnsafeBufferPointer<UInt8>) -> Swift.Result<Result, JSONParsingError> {
      guard let base = buffer.baseAddress, !buffer.isEmpty else {
        return .failure(JSONParsingError(offset: 0, reason: .unexpectedEnd))
      }
      var reader = JSONReader(buffer, base: base, maximumDepth: maximumDepth)
      do throws(JSONParsingError) {
        return .success(try body(&reader))
      } catch {
        return .failure(error)
      }
    }
    if let result = bytes.withContiguousStorageIfAvailable(run) { return try result.get() }
    return try Array(bytes).withUnsafeBufferPointer(run).get()
  }

  func failure(_ reason: JSONParsingError.Reason, at offset: Int? = nil) -> JSONParsingError {
    JSONParsingError(offset: offset ?? position, reason: reason)
  }

  // MARK: Structure

  @inline(__always)
  mutating func skipWhitespace() {
    while position < end {
      switch base[position] {
      case 0x20, 0x0A, 0x0D, 0x09: position += 1
      default: return
      }
    }
  }

  /// The next byte that is no white space, left unread.
  @inline(__always)
  mutating func peek() throws(JSONParsingError) -> UInt8 {
    skipWhitespace()
    guard position < end else { throw failure(.unexpectedEnd) }
    return base[position]
  }

  mutating func finish() throws(JSONParsingError) {
    skipWhitespace()
    guard position == end else { throw failure(.trailingBytes) }
  }

  /// After an element: true when a comma announces another one, false when `closing` ended the list. Both are read.
  @inline(__always)
  mutating func continues(until closing: UInt8) throws(JSONParsingError) -> Bool {
    let byte = try peek()
    if byte == UInt8(ascii: ",") {
      position += 1
      return true
    }
    guard byte == closing else { throw failure(.expectedCommaOrEnd) }
    position += 1
    return false
  }

  /// Reads the opening bracket; true when `closing` follows at once, and is read too.
  @inline(__always)
  mutating func opensEmpty(_ closing: UInt8, depth: Int) throws(JSONParsingError) -> Bool {
    guard depth < maximumDepth else { throw failure(.tooDeep) }
    position += 1
    guard try peek() == closing else { return false }
    position += 1
    return true
  }

  /// Reads a key and its colon.
  @inline(__always)
  mutating func key() throws(JSONParsingError) -> StringToken {
    guard try peek() == UInt8(ascii: "\"") else { throw failure(.expectedKey) }
    let token = try string()
    guard try peek() == UInt8(ascii: ":") else { throw failure(.expectedColon) }
    position += 1
    return token
  }

  // MARK: Skipping

  /// Reads one value, checks it as strictly as parsing does, and keeps nothing.
  mutating func skipValue(depth: Int) throws(JSONParsingError) {
    switch try peek() {
    case UInt8(ascii: "\""): _ = try string()
    case UInt8(ascii: "{"):
      if try opensEmpty(UInt8(ascii: "}"), depth: depth) { return }
      repeat {
        _ = try key()
        try skipValue(depth: depth + 1)
      } while try continues(until: UInt8(ascii: "}"))
    case UInt8(ascii: "["):
      if try opensEmpty(UInt8(ascii: "]"), depth: depth) { return }
      repeat {
        try skipValue(depth: depth + 1)
      } while try continues(until: UInt8(ascii: "]"))
    case UInt8(ascii: "t"): try literal("true")
    case UInt8(ascii: "f"): try literal("false")
    case UInt8(ascii: "n"): try literal("null")
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): _ = try number()
    default: throw failure(.expectedValue)
    }
  }

  mutating func literal(_ text: StaticString) throws(JSONParsingError) {
    for offset in 0..<text.utf8CodeUnitCount {
      guard position + offset < end else { throw failure(.unexpectedEnd, at: end) }
      guard base[position + offset] == text.utf8Start[offset] else { throw failure(.expectedValue) }
    }
    position += text.utf8CodeUnitCount
  }

  // MARK: Numbers

  /// A number's place in the document.
  struct NumberToken {
    let start: Int
    let end: Int
    /// Whether it has neither fraction nor exponent.
    let isInteger: Bool
  }

  mutating func number() throws(JSONParsingError) -> NumberToken {
    let start = position
    var isInteger = true
    if base[position] == UInt8(ascii: "-") { position += 1 }
    guard position < end else { throw failure(.unexpectedEnd) }
    if base[position] == UInt8(ascii: "0") {
      position += 1
    } else {
      try digits()
    }
    if position < end, base[position] == UInt8(ascii: ".") {
      isInteger = false
      position += 1
      try digits()
    }
    if position < end, base[position] | 0x20 == UInt8(ascii: "e") {
      isInteger = false
      position += 1
      if position < end, base[position] == UInt8(ascii: "+") || base[position] == UInt8(ascii: "-") { position += 1 }
      try digits()
    }
    // A digit here follows a leading zero.
    if position < end, isDigit(base[position]) { throw failure(.malformedNumber) }
    return NumberToken(start: start, end: position, isInteger: isInteger)
  }

  /// One digit or more.
  private mutating func digits() throws(JSONParsingError) {
    guard position < end else { throw failure(.unexpectedEnd) }
    guard isDigit(base[position]) else { throw failure(.malformedNumber) }
    repeat { position += 1 } while position < end && isDigit(base[position])
  }

  @inline(__always)
  private func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") < 10 }
}
