import Hummingbird
import JSON
import Logging
import ServerKit
import Testing

@Suite("A log line")
struct LoggingTests {
  @Test("A JSON line has time, level, msg and label first, then the metadata by name")
  func json() throws {
    let log = LogCollector()
    log.logger().info(
      "said \"hi\"\n", metadata: ["b": "2", "a": ["x": "y"], "n": .stringConvertible(3), "level": "mine"])
    let line = try #require(log.all.first)
    #expect(line.hasSuffix("}\n"))
    #expect(!line.trimmingNewline.contains("\n"))
    let json = try JSONValue(parsing: line.trimmingNewline)
    #expect(json.object?.keys == ["time", "level", "msg", "label", "a", "b", "meta_level", "n"])
    #expect(json["msg"]?.string == "said \"hi\"\n")
    #expect(json["n"]?.integer == 3)
    #expect(json["time"]?.string?.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/) != nil)
  }

  @Test("A text line is one line, whatever is logged")
  func text() throws {
    let log = LogCollector()
    log.logger(.text).warning("fake\n2026 INFO line", metadata: ["path": "/a b", "status": "200"])
    let line = try #require(log.all.first)
    #expect(!line.trimmingNewline.contains("\n"))
    #expect(line.contains(" WARNING ") && line.contains(" path=\"/a b\" status=200\n"))
  }

  @Test("The access log has the method, the route and the id, and no query, header or body")
  func accessLog() async throws {
    let log = LogCollector()
    let router = AppRouter()
    router.post("claim/{session}") { request, context in
      context.logger.info("inside")
      return try Answer.data(await request.bodyBytes().count, context: context)
    }
    router.addHealthRoutes()
    let id = try await withServer(router, logger: log.logger()) { server in
      _ = try await server.send("GET", "/healthz")
      let answer = try await server.send(
        "POST", "/claim/cs_hidden?token=hidden", headers: [("Authorization", "Bearer hidden")], body: "hidden")
      return try #require(answer.header("X-Request-Id"))
    }
    let lines = try log.all.map { try JSONValue(parsing: $0.trimmingNewline) }
    let requests = lines.filter { $0["msg"]?.string == "request" }
    #expect(requests.count == 1)
    let line = try #require(requests.first)
    #expect(line["method"]?.string == "POST")
    #expect(line["route"]?.string == "/claim/{session}")
    #expect(line["status"]?.integer == 200)
    #expect(line["duration_ms"] != nil)
    #expect(line["request_id"]?.string == id)
    #expect(lines.contains { $0["msg"]?.string == "inside" && $0["request_id"]?.string == id })
    #expect(!log.text.contains("hidden"))
  }

  @Test("An unforeseen error is in the log under the request's id, and not in the answer")
  func unforeseen() async throws {
    struct Unforeseen: Error {}
    let log = LogCollector()
    let router = AppRouter()
    router.get("broken") { _, _ -> Response in throw Unforeseen() }
    let answer = try await withServer(router, logger: log.logger()) { try await $0.send("GET", "/broken") }
    #expect(!answer.text.contains("Unforeseen"))
    let line = try #require(log.all.first { $0.contains("\"level\":\"error\"") })
    let id = try #require(answer.header("X-Request-Id"))
    #expect(line.contains("Unforeseen") && line.contains(id))
  }

  @Test("A redacted secret shows too little to use")
  func redaction() {
    #expect(redacted("whsec_0123456789abcdef") == "whse…")
    #expect(redacted("abcd") == "a…")
    #expect(redacted("") == "…")
  }
}

extension String {
  /// Without the newline at the end of a line.
  fileprivate var trimmingNewline: String { hasSuffix("\n") ? String(dropLast()) : self }
}
