/// A source file of the extension as words and signs, without comments: enough to see what a view imports, and what it reads
/// without a question mark.
struct Script: Sendable {
  enum Token: Hashable, Sendable {
    /// A name or keyword.
    case word(String)
    /// The content of a string literal.
    case text(String)
    case sign(Character)
  }

  let tokens: [Token]

  /// Text between backticks is read as code, because it may contain some.
  init(_ source: String) {
    let bytes = Array(source.utf8)
    var tokens: [Token] = []
    var index = 0
    func at(_ position: Int) -> UInt8? { bytes.indices.contains(position) ? bytes[position] : nil }
    func end(from start: Int, where isOver: (Int) -> Bool) -> Int {
      var position = start
      while position < bytes.count, !isOver(position) { position += 1 }
      return position
    }
    func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }
    while let byte = at(index) {
      let previous = at(index - 1)
      switch byte {
      case UInt8(ascii: "/") where at(index + 1) == UInt8(ascii: "*"):
        index = end(from: index + 2) { bytes[$0] == UInt8(ascii: "*") && at($0 + 1) == UInt8(ascii: "/") } + 2
      // After a colon it is part of an address, and no comment.
      case UInt8(ascii: "/") where at(index + 1) == UInt8(ascii: "/") && previous != UInt8(ascii: ":"):
        index = end(from: index) { Self.endsLine(bytes[$0]) }
      // After a letter it is an apostrophe in the page's text.
      case UInt8(ascii: "'"), UInt8(ascii: "\""):
        if let previous, Self.isOfWord(previous) {
          index += 1
        } else {
          let stop = end(from: index + 1) { bytes[$0] == byte || Self.endsLine(bytes[$0]) }
          tokens.append(.text(text(index + 1..<stop)))
          index = stop + 1
        }
      case _ where Self.isOfWord(byte):
        let stop = end(from: index) { !Self.isOfWord(bytes[$0]) }
        tokens.append(.word(text(index..<stop)))
        index = stop
      default:
        if byte > UInt8(ascii: " ") { tokens.append(.sign(Character(Unicode.Scalar(byte)))) }
        index += 1
      }
    }
    self.tokens = tokens
  }

  private static func endsLine(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") }

  /// Every byte outside ASCII counts as a letter.
  private static func isOfWord(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "$"), 0x80...0xFF:
      true
    default: false
    }
  }

  func token(_ index: Int) -> Token? { tokens.indices.contains(index) ? tokens[index] : nil }

  /// The places of these tokens, one after the other.
  func places(of sequence: [Token]) -> [Int] {
    guard let first = sequence.first else { return [] }
    return tokens.indices.filter { index in
      tokens[index] == first && tokens[index...].starts(with: sequence)
    }
  }

  func contains(_ sequence: Token...) -> Bool { !places(of: sequence).isEmpty }

  /// Whether it contains the phrase in a name or a text.
  func mentions(_ phrase: String) -> Bool {
    tokens.contains { token in
      switch token {
      case .word(let word): word == phrase
      case .text(let text): text == phrase
      case .sign: false
      }
    }
  }

  /// The relative imports.
  var imports: [String] {
    places(of: [.word("from")]).compactMap { index in
      guard case .text(let path)? = token(index + 1), path.hasPrefix(".") else { return nil }
      return path
    }
  }

  /// How many buttons and links each element of a name holds.
  func acts(inEach element: String) -> [Int] {
    let close: [Token] = [.sign("<"), .sign("/"), .word(element)]
    return places(of: [.sign("<"), .word(element)]).map { start in
      let inside = tokens[start...]
      let stop = inside.indices.first { tokens[$0...].starts(with: close) } ?? tokens.endIndex
      return inside[..<stop].indices.count { index in
        tokens[index] == .sign("<") && [.word("Button"), .word("Link")].contains(token(index + 1))
      }
    }
  }

  /// Reads of values that Stripe leaves out on some pages, as if they were always there.
  var unguardedReads: [String] {
    tokens.indices.compactMap { index in
      guard case .word(let name) = tokens[index], Self.optionalNames.contains(name) else { return nil }
      switch token(index + 1) {
      case .sign("."), .sign("["): return spelled(index..<index + 3)
      case .sign("!") where token(index + 2) != .sign("="): return spelled(index..<index + 2)
      case .sign(":") where token(index + 2) == .sign("{"): return spelled(index..<index + 3)
      case .sign("?"), .sign("|"): return nil
      default: return isTakenApart(endingAt: index) ? spelled(index..<index + 1) + " taken apart" : nil
      }
    }
  }

  private static let optionalNames: Set = ["objectContext", "appContext", "constants"]

  /// Whether the position is the end of `{ … } = a.b.c`.
  private func isTakenApart(endingAt index: Int) -> Bool {
    var position = index - 1
    while let token = token(position) {
      switch token {
      case .sign("."), .sign("?"), .word: position -= 1
      case .sign("="): return self.token(position - 1) == .sign("}")
      default: return false
      }
    }
    return false
  }

  private func spelled(_ range: Range<Int>) -> String {
    range.compactMap { index -> String? in
      switch token(index) {
      case .word(let word): word
      case .text(let text): "'\(text)'"
      case .sign(let sign): String(sign)
      case nil: nil
      }
    }.joined()
  }
}
