import JSON
import Testing

@Suite("Parsing and writing")
struct ParserTests {
  @Test("A document keeps its members in order, its integers exact and its other numbers as text")
  func document() throws {
    let value = try JSONValue(
      parsing:
        #" {"b":1,"a":[true,false,null,-0,1.50,1e3,9223372036854775807,9223372036854775808],"c":{"d":"\u00e9\n"}} "#)
    #expect(value.object?.keys == ["b", "a", "c"])
    #expect(
      value["a"] == [
        true, false, nil, .decimal("-0"), .decimal("1.50"), .decimal("1e3"), .integer(.max),
        .decimal("9223372036854775808"),
      ])
    #expect(value["c"]?["d"]?.string == "\u{E9}\n")
    #expect(
      value.text()
        == #"{"b":1,"a":[true,false,null,-0,1.50,1e3,9223372036854775807,9223372036854775808],"c":{"d":"\#u{E9}\n"}}"#)
  }

  @Test("Of duplicate keys the last wins, in the place of the first")
  func duplicates() throws {
    #expect(try JSONValue(parsing: #"{"a":1,"b":2,"\u0061":3}"#).text() == #"{"a":3,"b":2}"#)
  }

  @Test("Keys are told apart by their bytes: a look-alike of a key is another key")
  func lookAlikes() throws {
    let value = try JSONValue(parsing: "{\"Key\":1,\"\u{212A}ey\":2}")
    #expect(value["Key"] == 1)
    #expect(value["\u{212A}ey"] == 2)
  }

  @Test("Strings hold everything JSON can escape: pairs of surrogates, NUL, slashes")
  func escapes() throws {
    let value = try JSONValue(parsing: #"["\ud83d\ude00","\u0000","\"\\\/\b\f\n\r\t","\uD7FF\uE000\uFFFF"]"#)
    #expect(value[0]?.string == "\u{1F600}")
    #expect(value[1]?.string == "\0")
    #expect(value[2]?.string == "\"\\/\u{8}\u{C}\n\r\t")
    #expect(value[3]?.string == "\u{D7FF}\u{E000}\u{FFFF}")
    #expect(value.text() == "[\"\u{1F600}\",\"\\u0000\",\"\\\"\\\\/\\b\\f\\n\\r\\t\",\"\u{D7FF}\u{E000}\u{FFFF}\"]")
  }

  @Test(
    "What RFC 8259 does not allow is refused, with place and reason",
    arguments: [
      ("", 0, .unexpectedEnd), ("  ", 2, .unexpectedEnd), ("nul", 3, .unexpectedEnd), ("nulx", 0, .expectedValue),
      ("True", 0, .expectedValue), ("\u{FEFF}1", 0, .expectedValue), ("1 2", 2, .trailingBytes),
      ("{}x", 2, .trailingBytes), ("01", 1, .malformedNumber), ("-01", 2, .malformedNumber), ("-", 1, .unexpectedEnd),
      ("-x", 1, .malformedNumber), ("+1", 0, .expectedValue), (".5", 0, .expectedValue), ("1.", 2, .unexpectedEnd),
      ("1.x", 2, .malformedNumber), ("1e", 2, .unexpectedEnd), ("1e+", 3, .unexpectedEnd), ("0x10", 1, .trailingBytes),
      ("NaN", 0, .expectedValue), ("[1,]", 3, .expectedValue), ("[,1]", 1, .expectedValue),
      ("[1 2]", 3, .expectedCommaOrEnd),
      ("[1", 2, .unexpectedEnd), ("[1}", 2, .expectedCommaOrEnd), ("{", 1, .unexpectedEnd), ("{1:2}", 1, .expectedKey),
      (#"{"a" 1}"#, 5, .expectedColon), (#"{"a":1,}"#, 7, .expectedKey), (#"{"a"}"#, 4, .expectedColon),
      (#""abc"#, 4, .unexpectedEnd), ("\"a\nb\"", 2, .controlCharacter), ("\"\u{1F}\"", 1, .controlCharacter),
      (#""\x""#, 1, .malformedEscape), (#""\u12g4""#, 1, .malformedEscape), (#""\u12"#, 5, .unexpectedEnd),
      (#""\ud83d""#, 1, .unpairedSurrogate), (#""\ud83dx\ude00""#, 1, .unpairedSurrogate),
      (#""\ude00""#, 1, .unpairedSurrogate), (#""\ud83d\u0041""#, 1, .unpairedSurrogate), ("'a'", 0, .expectedValue),
      ("/*c*/1", 0, .expectedValue),
    ] as [(String, Int, JSONParsingError.Reason)])
  func refusals(text: String, offset: Int, reason: JSONParsingError.Reason) {
    let error = #expect(throws: JSONParsingError.self) { try JSONValue(parsing: text) }
    #expect(error?.reason == reason)
    #expect(error?.offset == offset)
  }

  @Test(
    "Bytes that are not UTF-8 are refused: overlong forms, surrogates, beyond Unicode, cut characters",
    arguments: [
      [0x80], [0xC0, 0x80], [0xC1, 0xBF], [0xE0, 0x80, 0x80], [0xED, 0xA0, 0x80], [0xF0, 0x80, 0x80, 0x80],
      [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xC3], [0xE2, 0x82], [0xF0, 0x9F, 0x98], [0xFF],
      [0xC3, 0x28],
      [0xE2, 0x28, 0xA1], [0xE2, 0x82, 0x28], [0xF0, 0x9F, 0x98, 0x28],
    ] as [[UInt8]])
  func malformedUTF8(bytes: [UInt8]) {
    for padding in 0..<9 {
      let document = [0x22] + [UInt8](repeating: 0x61, count: padding) + bytes + [0x22]
      let error = #expect(throws: JSONParsingError.self) { try JSONValue(parsing: document) }
      #expect(error == JSONParsingError(offset: padding + 1, reason: .malformedUTF8))
    }
  }

  @Test("Every boundary of UTF-8 passes unchanged")
  func wellFormedUTF8() throws {
    for scalar in [0x7F, 0x80, 0x7FF, 0x800, 0xFFF, 0x1000, 0xD7FF, 0xE000, 0xFFFF, 0x10000, 0x3FFFF, 0x10FFFF] {
      let text = String(try #require(Unicode.Scalar(scalar)))
      for padding in 0..<9 {
        let padded = String(repeating: "a", count: padding) + text
        #expect(
          try JSONValue(parsing: "\"\(padded)\"").string?.unicodeScalars.elementsEqual(padded.unicodeScalars) == true)
      }
    }
  }

  @Test("Nesting is allowed to the limit and refused beyond it, without using up the stack")
  func depth() throws {
    func nested(_ depth: Int) -> String {
      String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    }
    #expect(throws: Never.self) { try JSONValue(parsing: nested(128)) }
    #expect(throws: JSONParsingError(offset: 128, reason: .tooDeep)) { try JSONValue(parsing: nested(129)) }
    #expect(throws: JSONParsingError(offset: 2, reason: .tooDeep)) {
      try JSONValue(parsing: nested(3), maximumDepth: 2)
    }
    #expect(throws: JSONParsingError(offset: 512, reason: .tooDeep)) {
      try JSONValue(parsing: nested(100_000), maximumDepth: .max)
    }
  }

  @Test("An error says nothing of the content")
  func errorText() {
    let error = #expect(throws: JSONParsingError.self) { try JSONValue(parsing: #"{"token":secret}"#) }
    #expect(error?.description == "a value was expected at byte 9")
  }

  @Test("The canonical text does not depend on the order of members; neither does equality")
  func canonical() throws {
    let first = try JSONValue(parsing: #"{"b":[{"y":1,"x":2}],"a":"z"}"#)
    let second = try JSONValue(parsing: #"{"a":"z","b":[{"x":2,"y":1}]}"#)
    #expect(first.canonicalText() == #"{"a":"z","b":[{"x":2,"y":1}]}"#)
    #expect(first.canonicalText() == second.canonicalText())
    #expect(first == second)
    #expect(Set([first, second]).count == 1)
    #expect(first.text() != second.text())
    #expect(try first != JSONValue(parsing: #"{"a":"z","b":[{"x":2,"y":2}]}"#))
  }

  @Test("An object of any size finds, replaces, adds and removes its members")
  func objects() {
    for size in [3, 16, 17, 18, 300] {
      var object = JSONObject((0..<size).map { ("k\($0)", .integer(Int64($0))) })
      object["k1"] = "new"
      object["k0"] = nil
      object["last"] = .null
      #expect(object.count == size)
      #expect(object["k0"] == nil)
      #expect(object["k1"] == "new")
      #expect(object["k2"] == 2)
      #expect(object["last"] == .some(.null))
      #expect(object.keys.first == "k1" && object.keys.last == "last")
    }
  }

  @Test("A hundred thousand members take no quadratic time")
  func manyMembers() throws {
    let document = "{" + (0..<100_000).map { "\"k\($0)\":\($0)" }.joined(separator: ",") + "}"
    #expect(try JSONValue(parsing: document).object?.count == 100_000)
  }
}
