import Hummingbird
import JSON
import ServerKit
import Testing

private struct Order: Codable {
  var name: String
  var count: Int
  var note: String?
}

private struct Unforeseen: Error { let secret = "sk_live_hidden" }

@Suite("Every answer and every error")
struct EnvelopeTests {
  private func router() -> AppRouter {
    let router = AppRouter()
    router.get("orders/{id}") { request, context in
      try Answer.data(["id": context.pathParameter("id")], context: context)
    }
    router.post("orders") { request, context in
      try Answer.data(await request.decodeBody(Order.self, limit: 256), status: .created, context: context)
    }
    router.get("list") { _, context in try Answer.page(["a"], nextCursor: nil, context: context) }
    router.get("events") { _, context in try Answer.page([1, 2], nextCursor: 17 as Int64?, context: context) }
    router.get("signed") { _, context in
      Answer.raw(
        data: Array(#"{"b":1,"a":2}"#.utf8), members: [("signature", Array(#"{"kid":"1"}"#.utf8))], context: context)
    }
    router.get("broken") { _, _ -> Response in throw Unforeseen() }
    router.get("http-error") { _, _ -> Response in throw HTTPError(.conflict, message: "taken") }
    router.get("bare") { _, _ in HTTPResponse.Status.forbidden }
    router.get("slow-down") { _, _ -> Response in throw APIFailure.tooManyRequests(retryAfter: .milliseconds(1500)) }
    router.delete("orders/{id}") { _, _ in Answer.empty() }
    return router
  }

  @Test("An answer carries data, the request's id and the time in whole seconds")
  func data() async throws {
    try await withServer(router()) { server in
      let answer = try await server.send("GET", "/orders/a%2Fb%20c")
      #expect(answer.status == 200)
      #expect(answer.header("Content-Type") == "application/json")
      #expect(answer.header("Cache-Control") == "no-store")
      #expect(answer.header("Server") == nil)
      let json = try answer.json()
      #expect(json[path: "data", "id"]?.string == "a/b c")
      let id = try #require(json[path: "meta", "request_id"]?.string)
      #expect(id.wholeMatch(of: /req_[a-z2-7]{24}/) != nil)
      #expect(answer.header("X-Request-Id") == id)
      let time = try #require(json[path: "meta", "timestamp"]?.string)
      #expect(time.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/) != nil)
    }
  }

  @Test("A list names the next cursor, or null at its end")
  func pages() async throws {
    try await withServer(router()) { server in
      let lastPage = try await server.send("GET", "/list").json()[path: "page_info", "next_cursor"]
      #expect(lastPage == .null)
      let nextPage = try await server.send("GET", "/events").json()[path: "page_info", "next_cursor"]
      #expect(nextPage == .integer(17))
    }
  }

  @Test("Ready-made data is sent byte for byte, with its signature between data and meta")
  func raw() async throws {
    try await withServer(router()) { server in
      let text = try await server.send("GET", "/signed").text
      #expect(text.hasPrefix(#"{"data":{"b":1,"a":2},"signature":{"kid":"1"},"meta":{"request_id":"req_"#))
    }
  }

  @Test(
    "Every error is an envelope in JSON",
    arguments: [
      ("GET", "/nowhere", 404, "NOT_FOUND"), ("PUT", "/orders/1", 405, "METHOD_NOT_ALLOWED"),
      ("GET", "/broken", 500, "INTERNAL_ERROR"), ("GET", "/http-error", 409, "CONFLICT"),
      ("GET", "/bare", 403, "FORBIDDEN"), ("GET", "/slow-down", 429, "RATE_LIMITED"),
      ("GET", "/orders/%ff", 404, "NOT_FOUND"),
    ])
  func errors(method: String, path: String, status: Int, code: String) async throws {
    try await withServer(router()) { server in
      let answer = try await server.send(method, path)
      #expect(answer.status == status)
      #expect(answer.header("Content-Type") == "application/json")
      let json = try answer.json()
      #expect(json[path: "error", "code"]?.string == code)
      #expect(json[path: "error", "message"]?.string != nil)
      #expect(json[path: "meta", "request_id"]?.string == answer.header("X-Request-Id"))
      #expect(json[path: "meta", "timestamp"]?.string != nil)
      if let detail = json[path: "error", "detail"] { #expect(detail.string != nil) }
      #expect(!answer.text.contains("hidden"))
    }
  }

  @Test("A wrong method is told the right ones, and a limit says when to come back")
  func headersOfErrors() async throws {
    try await withServer(router()) { server in
      let several = try await server.send("PUT", "/orders/1").header("Allow")
      #expect(several == "DELETE, GET, HEAD")
      let only = try await server.send("GET", "/orders").header("Allow")
      #expect(only == "POST")
      let wait = try await server.send("GET", "/slow-down").header("Retry-After")
      #expect(wait == "2")
    }
  }

  @Test("HEAD gets the head of GET and no body, errors included, and the connection goes on")
  func head() async throws {
    try await withServer(router()) { server in
      let connection = try RawConnection(server)
      let found = try await connection.send("HEAD", "/orders/1")
      #expect(found.status == 200 && found.body.isEmpty)
      let missing = try await connection.send("HEAD", "/nowhere")
      #expect(missing.status == 404 && missing.body.isEmpty)
      let next = try await connection.send("GET", "/orders/1").status
      #expect(next == 200)
    }
  }

  @Test("A trailing slash is no other address and redirects nowhere")
  func trailingSlash() async throws {
    try await withServer(router()) { server in
      let status = try await server.send("GET", "/orders/1/").status
      #expect(status == 200)
    }
  }

  @Test("204 has no body and no length")
  func noContent() async throws {
    try await withServer(router()) { server in
      let connection = try RawConnection(server)
      let answer = try await connection.send("DELETE", "/orders/1")
      #expect(answer.status == 204 && answer.body.isEmpty)
      #expect(answer.header("Content-Type") == nil)
      #expect(answer.header("Content-Length") == nil)
      let next = try await connection.send("GET", "/orders/1").status
      #expect(next == 200)
    }
  }

  @Test(
    "A body is read strictly, and the answer names what is wrong",
    arguments: [
      (#"{"name":"a","count":1}"#, 201, "", ""),
      (#"{"name":"a","count":1,"note":null}"#, 201, "", ""),
      (#"{"name":"a""#, 400, "INVALID_JSON", ""),
      ("", 400, "INVALID_JSON", "empty"),
      (#"{"name":"a","count":1,"colour":"red"}"#, 400, "INVALID_JSON", "colour"),
      (#"{"name":"a","count":"many"}"#, 400, "INVALID_JSON", "count"),
      (#"{"name":"a"}"#, 422, "VALIDATION_ERROR", "count"),
      ("[1]", 400, "INVALID_JSON", ""),
    ])
  func bodies(body: String, status: Int, code: String, detail: String) async throws {
    try await withServer(router()) { server in
      let answer = try await server.send("POST", "/orders", body: body)
      #expect(answer.status == status, "\(answer.text)")
      guard status >= 400 else { return }
      let json = try answer.json()
      #expect(json[path: "error", "code"]?.string == code)
      let found = try #require(json[path: "error", "detail"]?.string)
      #expect(detail.isEmpty || found.contains(detail), "\(found)")
      #expect(!found.contains("many"))
    }
  }

  @Test("A body that is too large is refused by its length or while it comes, and the connection goes on")
  func tooLarge() async throws {
    try await withServer(router()) { server in
      let connection = try RawConnection(server)
      let declared = try await connection.send("POST", "/orders", body: String(repeating: "x", count: 200_000))
      #expect(declared.status == 413)
      #expect(try declared.json()[path: "error", "code"]?.string == "PAYLOAD_TOO_LARGE")
      let chunk = "1000\r\n" + String(repeating: "x", count: 4096) + "\r\n"
      let chunked = try await connection.exchange(
        "POST /orders HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"
          + String(repeating: chunk, count: 40) + "0\r\n\r\n")
      #expect(chunked.status == 413)
      let next = try await connection.send("GET", "/orders/1").status
      #expect(next == 200)
    }
  }

  @Test("An error of another module is answered as the server was told")
  func translated() async throws {
    let router = AppRouter(translate: { $0 is Unforeseen ? .unavailable(code: "STORAGE_UNAVAILABLE") : nil })
    router.get("broken") { _, _ -> Response in throw Unforeseen() }
    try await withServer(router) { server in
      let answer = try await server.send("GET", "/broken")
      #expect(answer.status == 503)
      #expect(try answer.json()[path: "error", "code"]?.string == "STORAGE_UNAVAILABLE")
    }
  }

  @Test("A handler that takes too long is cancelled and answered with 503 TIMEOUT")
  func timeout() async throws {
    let router = AppRouter(requestTimeout: .milliseconds(20))
    router.get("slow") { _, context in
      try await Task.sleep(for: .seconds(60))
      return Answer.empty()
    }
    try await withServer(router) { server in
      let answer = try await server.send("GET", "/slow")
      #expect(answer.status == 503)
      #expect(try answer.json()[path: "error", "code"]?.string == "TIMEOUT")
    }
  }

  @Test("Bytes that are not HTTP are answered with 400")
  func notHTTP() async throws {
    try await withServer(router()) { server in
      let status = try await RawConnection(server).exchange("HELLO\r\n\r\n").status
      #expect(status == 400)
    }
  }
}
