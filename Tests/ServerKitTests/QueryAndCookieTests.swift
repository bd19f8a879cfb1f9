import Foundation
import Hummingbird
import ServerKit
import Testing

@Suite("Reading a query")
struct QueryTests {
  private enum Colour: String, CaseIterable {
    case red, green
  }

  @Test("Values are percent-decoded, a plus is a space, names may repeat")
  func decoding() throws {
    let query = QueryReader(query: "name=J%C3%BCrgen+M&id=a%2Fb&id=c&empty=&flag")
    #expect(try query.string("name") == "Jürgen M")
    #expect(try query.strings("id") == ["a/b", "c"])
    #expect(try query.string("empty") == nil)
    #expect(try query.string("flag") == nil)
    #expect(try query.string("absent") == nil)
  }

  @Test("Numbers, switches, choices and times are read with their type")
  func types() throws {
    let query = QueryReader(
      query: "limit=50&live=true&colour=green&from=2026-01-01T00:00:00+01:00&to=2026-01-01T00:00:00.000Z")
    #expect(try query.int("limit", in: 1...100) == 50)
    #expect(try query.int("other", in: 1...100, default: 20) == 20)
    #expect(try query.bool("live") == true)
    #expect(try query.value("colour", as: Colour.self) == .green)
    #expect(try query.date("from") == Date(timeIntervalSince1970: 1_767_222_000))
    #expect(try query.date("to") == Date(timeIntervalSince1970: 1_767_225_600))
  }

  @Test("A parameter that cannot be used is named, with what was expected")
  func refusals() {
    func detail(_ read: () throws -> Void) -> String {
      do { try read() } catch let failure as APIFailure { return "\(failure.code) \(failure.detail ?? "")" } catch {}
      return "nothing"
    }
    let query = QueryReader(query: "limit=500&live=maybe&colour=blue&from=tomorrow&twice=1&twice=2&bad=%zz&utf=%ff")
    #expect(
      detail { _ = try query.int("limit", in: 1...100) } == "INVALID_QUERY limit: must be a whole number from 1 to 100")
    #expect(detail { _ = try query.bool("live") } == "INVALID_QUERY live: must be true or false")
    #expect(
      detail { _ = try query.value("colour", as: Colour.self) } == "INVALID_QUERY colour: must be one of red, green")
    #expect(detail { _ = try query.date("from") }.hasPrefix("INVALID_QUERY from: must be a time"))
    #expect(detail { _ = try query.string("twice") } == "INVALID_QUERY twice: is given 2 times")
    #expect(detail { _ = try query.string("bad") }.contains("percent-encoded"))
    #expect(detail { _ = try query.string("utf") }.contains("UTF-8"))
    #expect(detail { _ = try query.required("absent") } == "INVALID_QUERY absent: is required")
    #expect(detail { _ = try QueryReader(form: "").required("name") } == "VALIDATION_ERROR name: is required")
  }

  @Test("Encoding and decoding are each other's inverse")
  func roundTrip() {
    let text = "a/b c+d&e=ü\u{1F600}%"
    #expect(PercentCoding.decode(PercentCoding.encode(text)) == text)
    #expect(PercentCoding.query([("a b", "c&d"), ("e", "")]) == "a%20b=c%26d&e=")
  }
}

@Suite("A cookie")
struct CookieTests {
  @Test("A cookie is hidden from scripts, bound to HTTPS and to this site")
  func attributes() {
    #expect(SetCookie("state", "abc").headerValue == "state=abc; Path=/; HttpOnly; Secure; SameSite=Lax")
    let short = SetCookie("s", "x", path: "/console", maximumAge: .seconds(600), isSecure: false, sameSite: .strict)
    #expect(short.headerValue == "s=x; Path=/console; Max-Age=600; HttpOnly; SameSite=Strict")
    #expect(SetCookie.expired("state").headerValue.contains("Max-Age=0"))
  }

  @Test("Cookies come back, several of them, each answer header on its own")
  func overTheWire() async throws {
    let router = AppRouter()
    router.get("set") { _, _ in Answer.redirect(to: "/next", cookies: [SetCookie("a", "1"), SetCookie("b", "2")]) }
    router.get("read") { request, context in
      try Answer.data([request.cookie("a"), request.cookie("b"), request.cookie("c")], context: context)
    }
    try await withServer(router) { server in
      let answer = try await server.send("GET", "/set")
      #expect(answer.status == 302 && answer.header("Location") == "/next")
      #expect(answer.headers("Set-Cookie").count == 2)
      let read = try await server.send("GET", "/read", headers: [("Cookie", "b=\"2\"; a=1; aa=3")])
      #expect(read.text.hasPrefix(#"{"data":["1","2",null]"#))
    }
  }
}

@Suite("A page")
struct PageTests {
  @Test("Text in a page is escaped, markup is not")
  func escaping() {
    let name = "<script>alert('x')</script> & \"co\""
    let cell: HTML = "<td title=\"\(name)\">\(HTML(markup: "<b>ok</b>"))</td>"
    #expect(
      cell.markup
        == "<td title=\"&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;co&quot;\"><b>ok</b></td>")
  }

  @Test("A page may run only what this server sends, and nobody may frame it")
  func headers() async throws {
    let router = AppRouter()
    router.get("page") { _, _ in Answer.html(HTMLPage(title: "A & B", body: "<p>\("1 < 2")</p>")) }
    try await withServer(router) { server in
      let answer = try await server.send("GET", "/page")
      #expect(answer.header("Content-Type") == "text/html; charset=utf-8")
      let policy = try #require(answer.header("Content-Security-Policy"))
      #expect(policy.contains("default-src 'self'") && policy.contains("frame-ancestors 'none'"))
      #expect(answer.header("Referrer-Policy") == "no-referrer")
      #expect(answer.header("X-Content-Type-Options") == "nosniff")
      #expect(answer.text.contains("<title>A &amp; B</title>") && answer.text.contains("<p>1 &lt; 2</p>"))
    }
  }
}
