import ServerKit
import Testing

@Suite("A NUL in what comes in")
struct NULTests {
  private struct Thing: Decodable {
    var name: String?
    var tags: [String]?
  }

  private func refusal(_ text: String) -> String? {
    do {
      _ = try JSONBody.decode(Thing.self, from: Array(text.utf8))
      return nil
    } catch { return "\(error.code) \(error.detail ?? "")" }
  }

  @Test("NUL in a body is refused by the field it stands in, and what only looks like it is not")
  func bodies() {
    #expect(refusal(#"{"name":"a\u0000"}"#) == "VALIDATION_ERROR name: must not contain NUL")
    #expect(refusal(#"{"tags":["a","\u0000"]}"#) == "VALIDATION_ERROR tags[1]: must not contain NUL")
    #expect(refusal(#"{"\u0000":1}"#) == "VALIDATION_ERROR a name in the body: must not contain NUL")
    #expect(refusal(#"{"name":"a\\u0000"}"#) == nil)
    #expect(refusal(#"{"name":"a\u0000"#)?.hasPrefix("INVALID_JSON") == true)
  }

  @Test("NUL in a query is refused by the parameter it stands in")
  func queries() {
    #expect(throws: APIFailure.self) { try QueryReader(query: "name=a%00").string("name") }
    do { _ = try QueryReader(query: "name=a%00").string("name") } catch {
      #expect(error.detail == "name: must not contain NUL")
    }
  }
}
