import JSON
import Testing

@Suite("A document of somebody outside")
struct OutsideDocumentTests {
  @Test(
    "is read without control characters, however they are written, and with everything else",
    arguments: [
      (#"{"name":"a\u0000b"}"#, "ab"), (#"{"name":"\u0000"}"#, ""), (#"{"name":"a\u001b[31m"}"#, "a[31m"),
      (#"{"name":"a\bb\fc"}"#, "abc"), (#"{"name":"a\tb\nc\rd"}"#, "a\tb\nc\rd"), ("{\"name\":\"a\u{7F}b\"}", "ab"),
      ("{\"name\":\"a\u{85}b\u{9B}c\"}", "abc"), (#"{"name":"a\u0085b"}"#, "ab"), (#"{"name":"a\u007Fb"}"#, "ab"),
      (#"{"name":"\\u0000"}"#, #"\u0000"#), (#"{"na\u0000me":"x"}"#, "x"), (#"{"name":"é\u00e9 😀"}"#, "éé 😀"),
      ("{\"name\":\"\u{A0}â\"}", "\u{A0}â"),
    ])
  func texts(_ document: String, _ name: String) throws {
    let value = try JSONValue(ofOutside: Array(document.utf8))
    #expect(value["name"]?.string.map { Array($0.utf8) } == Array(name.utf8))
  }

  @Test("all the way down")
  func deep() throws {
    let value = try JSONValue(ofOutside: Array(#"{"a":[{"b\u0001":["\u0000x",1,1.50,null,true]}]}"#.utf8))
    #expect(value == ["a": [["b": ["x", 1, .decimal("1.50"), .null, true]]]])
  }

  @Test("is no less strictly read than any other")
  func strict() {
    #expect(throws: JSONParsingError.self) { try JSONValue(ofOutside: Array("{\"a\":\"\u{0}\"}".utf8)) }
    #expect(throws: JSONParsingError.self) { try JSONValue(ofOutside: Array("[[1]]".utf8), maximumDepth: 1) }
  }
}
