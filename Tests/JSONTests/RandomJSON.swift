import JSON

/// Random values and random damage, reproducible by seed.
struct RandomJSON {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func below(_ limit: Int) -> Int {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Int((state >> 33) % UInt64(limit))
  }

  mutating func pick<T>(_ values: [T]) -> T { values[below(values.count)] }

  mutating func value(depth: Int = 0) -> JSONValue {
    switch below(depth > 4 ? 6 : 9) {
    case 0: return .null
    case 1: return .bool(below(2) == 0)
    case 2: return .integer(pick([0, 1, -1, 42, .max, .min, Int64(below(1 << 30))]))
    case 3:
      return .decimal(pick(["-0", "1.5", "0.10", "1e3", "-2.5E-7", "9223372036854775808", "123456789012345678901234"]))
    case 4, 5: return .string(text())
    case 6: return .array((0..<below(5)).map { _ in value(depth: depth + 1) })
    default: return .object(JSONObject((0..<below(6)).map { _ in (key(), value(depth: depth + 1)) }))
    }
  }

  mutating func key() -> String {
    pick(["id", "data", "object", "type", "a", "livemode", "items", "\u{212A}", "i\u{64}", text()])
  }

  mutating func text() -> String {
    let pieces = [
      "a", "plain text of some length", "\"", "\\", "/", "\n", "\0", "\u{1F}", "\u{7F}", "\u{E9}", "\u{20AC}",
      "\u{1F600}", "e\u{301}",
    ]
    return (0..<below(6)).map { _ in pick(pieces) }.joined()
  }

  /// White space and escapes wherever the grammar allows them.
  mutating func loosely(_ value: JSONValue) -> String {
    let space = ["", "", "", " ", "\n\t", "\r "]
    func wrap(_ text: String, _ random: inout RandomJSON) -> String { random.pick(space) + text + random.pick(space) }
    switch value {
    case .array(let elements):
      var parts: [String] = []
      for element in elements { parts.append(loosely(element)) }
      return wrap("[" + pick(space) + parts.joined(separator: ",") + "]", &self)
    case .object(let object):
      var parts: [String] = []
      for (key, value) in object {
        let written = wrap(loosely(text: key), &self)
        // Now and then an earlier duplicate, which must not count.
        if below(8) == 0 { parts.append(wrap(loosely(text: key), &self) + ":" + loosely(self.value(depth: 3))) }
        parts.append(written + ":" + loosely(value))
      }
      return wrap("{" + pick(space) + parts.joined(separator: ",") + "}", &self)
    case .string(let text): return wrap(loosely(text: text), &self)
    default: return wrap(value.text(), &self)
    }
  }

  private mutating func loosely(text: String) -> String {
    var output = "\""
    for unit in text.utf16 {
      let mustEscape = unit < 0x20 || unit == 0x22 || unit == 0x5C || (0xD800..<0xE000).contains(unit)
      if mustEscape || below(6) == 0 {
        let digits = String(unit, radix: 16, uppercase: below(2) == 0)
        output += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      } else if let scalar = Unicode.Scalar(unit) {
        output.unicodeScalars.append(scalar)
      }
    }
    return output + "\""
  }

  /// One to three small damages.
  mutating func damage(_ bytes: [UInt8]) -> [UInt8] {
    var bytes = bytes
    let alphabet = Array("{}[]\",:\\u0123456789-+.eE tfn\n".utf8) + [0x00, 0x80, 0xC3, 0xE2, 0xED, 0xF0, 0xFF]
    for _ in 0...below(3) where !bytes.isEmpty {
      let position = below(bytes.count)
      switch below(5) {
      case 0: bytes[position] = pick(alphabet)
      case 1: bytes.insert(pick(alphabet), at: position)
      case 2: bytes.remove(at: position)
      case 3: bytes.removeLast(below(bytes.count))
      default: bytes.swapAt(position, below(bytes.count))
      }
    }
    return bytes
  }
}
