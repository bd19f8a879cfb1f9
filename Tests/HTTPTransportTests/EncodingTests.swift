import HTTPTransport
import Testing

@Suite("Forms and URLs")
struct EncodingTests {
  @Test("Unreserved characters stay, every other byte is encoded")
  func percent() {
    #expect(PercentEncoding.encode("azAZ09-._~") == "azAZ09-._~")
    #expect(PercentEncoding.encode("a b+c/ü&=") == "a%20b%2Bc%2F%C3%BC%26%3D")
    #expect(PercentEncoding.encode("a b+c", space: .plus) == "a+b%2Bc")
  }

  @Test("Decoding undoes encoding and refuses what is broken")
  func decoding() {
    let text = "\u{0}a b+c%/ü日&=\r\n"
    #expect(PercentEncoding.decode(PercentEncoding.encode(text)) == text)
    #expect(PercentEncoding.decode(PercentEncoding.encode(text, space: .plus), space: .plus) == text)
    for broken in ["%", "%1", "%zz", "%ff", "%+1"] { #expect(PercentEncoding.decode(broken) == nil) }
  }

  @Test("Form pairs keep their order, and names are encoded too")
  func forms() throws {
    let text = FormEncoding.encode([("metadata[a b]", "1+1"), ("", ""), ("x", "é")])
    #expect(text == "metadata%5Ba+b%5D=1%2B1&=&x=%C3%A9")
    let pairs = try #require(FormEncoding.decode(text + "&lonely"))
    #expect(pairs.map(\.0) == ["metadata[a b]", "", "x", "lonely"])
    #expect(pairs.map(\.1) == ["1+1", "", "é", ""])
    #expect(FormEncoding.decode("a=%") == nil)
  }

  @Test("No segment and no value changes the shape of a URL")
  func urls() {
    #expect(
      URLBuilder.url("https://a.example/", path: ["v1", "x/y?z", ".."]) == "https://a.example/v1/x%2Fy%3Fz/%2E%2E")
    #expect(URLBuilder.url("https://a.example/v1", query: [("q", "a b&c")]) == "https://a.example/v1?q=a%20b%26c")
    #expect(URLBuilder.adding(query: [("b", "2")], to: "https://a.example/?a=1#f") == "https://a.example/?a=1&b=2#f")
    #expect(URLBuilder.adding(query: [], to: "https://a.example/?") == "https://a.example/?")
  }
}
