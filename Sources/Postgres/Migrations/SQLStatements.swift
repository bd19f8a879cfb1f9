/// Splits a text into statements at its semicolons, leaving strings, quoted names, dollar quotes and comments alone
/// (PostgreSQL docs, 4.1). For migrations outside a transaction, whose statements must be sent one by one.
enum SQLStatements {
  static func split(_ sql: String) -> [String] {
    let bytes = Array(sql.utf8)
    var statements: [String] = []
    var start = 0
    var position = 0
    var hasContent = false

    func byte(_ index: Int) -> UInt8? { index < bytes.count ? bytes[index] : nil }
    func finish(at end: Int) {
      if hasContent { statements.append(String(decoding: bytes[start..<end], as: UTF8.self)) }
      start = end + 1
      hasContent = false
    }

    while let current = byte(position) {
      switch current {
      case UInt8(ascii: ";"):
        finish(at: position)
        position += 1
      case UInt8(ascii: "-") where byte(position + 1) == UInt8(ascii: "-"):
        while let next = byte(position), next != UInt8(ascii: "\n") { position += 1 }
      case UInt8(ascii: "/") where byte(position + 1) == UInt8(ascii: "*"):
        position = endOfComment(bytes, position)
      case UInt8(ascii: "'"):
        let previous = position > 0 ? bytes[position - 1] | 0x20 : 0
        let isEscape = previous == UInt8(ascii: "e") && !(position > 1 && isName(bytes[position - 2]))
        position = endOfQuote(bytes, position, backslashEscapes: isEscape)
        hasContent = true
      case UInt8(ascii: "\""):
        position = endOfQuote(bytes, position, backslashEscapes: false)
        hasContent = true
      case UInt8(ascii: "$") where !(position > 0 && isName(bytes[position - 1])):
        position = endOfDollarQuote(bytes, position)
        hasContent = true
      default:
        if current > 32 { hasContent = true }
        position += 1
      }
    }
    finish(at: bytes.count)
    return statements
  }

  private static func isName(_ byte: UInt8) -> Bool {
    switch byte {
    case 48...57, 65...90, 97...122, UInt8(ascii: "_"), 128...255: true
    default: false
    }
  }

  /// Comments of this kind nest.
  private static func endOfComment(_ bytes: [UInt8], _ start: Int) -> Int {
    var depth = 0
    var position = start
    while position < bytes.count {
      if bytes[position...].starts(with: [UInt8(ascii: "/"), UInt8(ascii: "*")]) {
        depth += 1
        position += 2
      } else if bytes[position...].starts(with: [UInt8(ascii: "*"), UInt8(ascii: "/")]) {
        depth -= 1
        position += 2
        if depth == 0 { break }
      } else {
        position += 1
      }
    }
    return position
  }

  /// A doubled quote ends one part and begins the next, which splits nothing.
  private static func endOfQuote(_ bytes: [UInt8], _ start: Int, backslashEscapes: Bool) -> Int {
    var position = start + 1
    while position < bytes.count, bytes[position] != bytes[start] {
      position += backslashEscapes && bytes[position] == UInt8(ascii: "\\") ? 2 : 1
    }
    return min(position + 1, bytes.count)
  }

  private static func endOfDollarQuote(_ bytes: [UInt8], _ start: Int) -> Int {
    var end = start + 1
    while end < bytes.count, isName(bytes[end]) { end += 1 }
    // `$1` is a parameter, no quote.
    guard end < bytes.count, bytes[end] == UInt8(ascii: "$"), !(48...57).contains(bytes[start + 1]) else {
      return start + 1
    }
    let tag = bytes[start...end]
    var position = end + 1
    while position + tag.count <= bytes.count {
      if bytes[position..<(position + tag.count)].elementsEqual(tag) { return position + tag.count }
      position += 1
    }
    return bytes.count
  }
}
