extension JSONReader {
  /// A string's place in the document, without its quotes, checked for escapes and UTF-8.
  struct StringToken {
    let start: Int
    let end: Int
    let hasEscapes: Bool
  }

  /// Reads a string from its opening to its closing quote.
  mutating func string() throws(JSONParsingError) -> StringToken {
    let start = position + 1
    var cursor = start
    var hasEscapes = false
    while true {
      cursor = plainEnd(from: cursor)
      guard cursor < end else { throw failure(.unexpectedEnd, at: end) }
      switch base[cursor] {
      case UInt8(ascii: "\""):
        position = cursor + 1
        return StringToken(start: start, end: cursor, hasEscapes: hasEscapes)
      case UInt8(ascii: "\\"):
        hasEscapes = true
        cursor = try escapeEnd(from: cursor)
      case 0..<0x20: throw failure(.controlCharacter, at: cursor)
      default: cursor = try multibyteEnd(from: cursor)
      }
    }
  }

  /// The first byte from `cursor` on that is a quote, a backslash, a control character or not ASCII.
  @inline(__always)
  private func plainEnd(from start: Int) -> Int {
    var cursor = start
    // Eight bytes at a time; a high bit set in `special` marks such a byte. The subtractions may mark a byte behind the
    // first one by their borrow, never before it, and a marked block is looked at byte by byte.
    while cursor + 8 <= end {
      let block = UnsafeRawPointer(base + cursor).loadUnaligned(as: UInt64.self)
      let quote = block ^ 0x2222_2222_2222_2222
      let backslash = block ^ 0x5C5C_5C5C_5C5C_5C5C
      let special =
        (block &- 0x2020_2020_2020_2020) | (quote &- 0x0101_0101_0101_0101) | (backslash &- 0x0101_0101_0101_0101)
        | block
      if special & 0x8080_8080_8080_8080 != 0 { break }
      cursor += 8
    }
    while cursor < end {
      let byte = base[cursor]
      if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") || byte < 0x20 || byte >= 0x80 { break }
      cursor += 1
    }
    return cursor
  }

  /// Checks the escape at `start` (a surrogate pair counts as one) and gives the position behind it.
  private func escapeEnd(from start: Int) throws(JSONParsingError) -> Int {
    guard start + 1 < end else { throw failure(.unexpectedEnd, at: end) }
    switch base[start + 1] {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
      UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
      return start + 2
    case UInt8(ascii: "u"):
      let unit = try codeUnit(at: start)
      switch unit {
      case 0xD800..<0xDC00:
        guard start + 7 < end, base[start + 6] == UInt8(ascii: "\\"), base[start + 7] == UInt8(ascii: "u") else {
          throw failure(.unpairedSurrogate, at: start)
        }
        guard try (0xDC00..<0xE000).contains(codeUnit(at: start + 6)) else {
          throw failure(.unpairedSurrogate, at: start)
        }
        return start + 12
      case 0xDC00..<0xE000: throw failure(.unpairedSurrogate, at: start)
      default: return start + 6
      }
    default: throw failure(.malformedEscape, at: start)
    }
  }

  /// The value of the `\uXXXX` at `start`.
  private func codeUnit(at start: Int) throws(JSONParsingError) -> UInt32 {
    guard start + 6 <= end else { throw failure(.unexpectedEnd, at: end) }
    var unit: UInt32 = 0
    for offset in 2..<6 {
      let byte = base[start + offset]
      let digit: UInt8
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
      case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
      case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte - UInt8(ascii: "A") + 10
      default: throw failure(.malformedEscape, at: start)
      }
      unit = unit << 4 | UInt32(digit)
    }
    return unit
  }

  /// Checks the character of several bytes at `start` by the Unicode Standard's table of well-formed UTF-8 (table 3-7:
  /// no overlong forms, no surrogates, nothing above U+10FFFF) and gives the position behind it.
  private func multibyteEnd(from start: Int) throws(JSONParsingError) -> Int {
    let second: ClosedRange<UInt8>
    let count: Int
    switch base[start] {
    case 0xC2...0xDF: (count, second) = (2, 0x80...0xBF)
    case 0xE0: (count, second) = (3, 0xA0...0xBF)
    case 0xE1...0xEC, 0xEE...0xEF: (count, second) = (3, 0x80...0xBF)
    case 0xED: (count, second) = (3, 0x80...0x9F)
    case 0xF0: (count, second) = (4, 0x90...0xBF)
    case 0xF1...0xF3: (count, second) = (4, 0x80...0xBF)
    case 0xF4: (count, second) = (4, 0x80...0x8F)
    default: throw failure(.malformedUTF8, at: start)
    }
    guard start + count <= end else { throw failure(.malformedUTF8, at: start) }
    guard second.contains(base[start + 1]) else { throw failure(.malformedUTF8, at: start) }
    for offset in 2..<max(count, 2) where base[start + offset] & 0xC0 != 0x80 {
      throw failure(.malformedUTF8, at: start)
    }
    return start + count
  }

  // MARK: Materialising

  /// The text of a checked string.
  func text(of token: StringToken) -> String {
    guard token.hasEscapes else {
      return String(
        decoding: UnsafeBufferPointer(start: base + token.start, count: token.end - token.start), as: UTF8.self)
    }
    return String(decoding: unescaped(token), as: UTF8.self)
  }

  /// Whether a checked string spells these bytes.
  @inline(__always)
  func matches(_ token: StringToken, _ bytes: [UInt8]) -> Bool {
    if token.hasEscapes { return unescaped(token) == bytes }
    guard token.end - token.start == bytes.count else { return false }
    for offset in 0..<bytes.count where base[token.start + offset] != bytes[offset] { return false }
    return true
  }

  private func unescaped(_ token: StringToken) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(token.end - token.start)
    var cursor = token.start
    while cursor < token.end {
      let byte = base[cursor]
      guard byte == UInt8(ascii: "\\") else {
        bytes.append(byte)
        cursor += 1
        continue
      }
      let kind = base[cursor + 1]
      cursor += 2
      switch kind {
      case UInt8(ascii: "b"): bytes.append(0x08)
      case UInt8(ascii: "f"): bytes.append(0x0C)
      case UInt8(ascii: "n"): bytes.append(0x0A)
      case UInt8(ascii: "r"): bytes.append(0x0D)
      case UInt8(ascii: "t"): bytes.append(0x09)
      case UInt8(ascii: "u"):
        var scalar = checkedUnit(at: cursor)
        cursor += 4
        if (0xD800..<0xDC00).contains(scalar) {
          scalar = 0x10000 + (scalar - 0xD800) << 10 + (checkedUnit(at: cursor + 2) - 0xDC00)
          cursor += 6
        }
        if let scalar = Unicode.Scalar(scalar) { bytes += UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter }
      default: bytes.append(kind)
      }
    }
    return bytes
  }

  /// The value of four hexadecimal digits that were checked before.
  private func checkedUnit(at start: Int) -> UInt32 {
    var unit: UInt32 = 0
    for offset in 0..<4 {
      let byte = base[start + offset]
      unit = unit << 4 | UInt32(byte <= UInt8(ascii: "9") ? byte & 15 : (byte & 15) + 9)
    }
    return unit
  }
}
