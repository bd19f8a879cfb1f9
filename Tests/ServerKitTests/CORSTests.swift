import Hummingbird
import ServerKit
import Testing

@Suite("Requests from scripts of other origins")
struct CORSTests {
  private let policy = CORSPolicy(
    allowedOrigins: ["null", "https://Dashboard.example.com/"], allowedMethods: [.get, .post],
    allowedHeaders: ["X-Signature", "Content-Type"], maximumAge: .seconds(300))

  private struct Refuse: RouterMiddleware {
    typealias Context = AppContext
    func handle(
      _ request: Request, context: AppContext, next: (Request, AppContext) async throws -> Response
    ) async throws -> Response {
      guard request.headers[.authorization] != nil else { throw APIFailure.unauthorized() }
      return try await next(request, context)
    }
  }

  private func router() -> AppRouter {
    let router = AppRouter()
    router.cors(policy, under: "/widget")
    let widget = router.group("widget").add(middleware: Refuse())
    widget.get("thing") { _, context in try Answer.data(["ok": true], context: context) }
    widget.get("limited") { _, _ -> Response in throw APIFailure.tooManyRequests(retryAfter: .seconds(3)) }
    widget.get("broken") { _, _ -> Response in throw CancellationError() }
    router.get("widgets") { _, context in try Answer.data(["ok": true], context: context) }
    return router
  }

  @Test("The policy is a pure value: an allowed origin is echoed, a foreign one gets nothing but Vary")
  func value() {
    #expect(policy.headers(origin: "null")[.accessControlAllowOrigin] == "null")
    #expect(policy.headers(origin: "https://dashboard.example.com")[.accessControlAllowOrigin] != nil)
    for foreign in [nil, "https://evil.example", "https://dashboard.example.com.evil.example", "*", ""] {
      let headers = policy.headers(origin: foreign)
      #expect(headers.count == 1 && headers[.vary] == "Origin")
    }
    #expect(policy.preflightHeaders(origin: "null")[.accessControlMaxAge] == "300")
    #expect(policy.preflightHeaders(origin: "null")[.accessControlAllowMethods] == "GET, POST")
    #expect(policy.preflightHeaders(origin: "null")[.accessControlAllowCredentials] == nil)
  }

  @Test("A preflight is answered with 204 and needs no credential")
  func preflight() async throws {
    try await withServer(router()) { server in
      let headers = [("Origin", "null"), ("Access-Control-Request-Method", "GET")]
      let answer = try await server.send("OPTIONS", "/widget/thing", headers: headers)
      #expect(answer.status == 204)
      #expect(answer.header("Access-Control-Allow-Origin") == "null")
      #expect(answer.header("Access-Control-Allow-Headers") == "X-Signature, Content-Type")
      #expect(answer.header("Vary") == "Origin")
      let foreign = try await server.send(
        "OPTIONS", "/widget/thing",
        headers: [("Origin", "https://evil.example"), ("Access-Control-Request-Method", "GET")])
      #expect(foreign.status == 204)
      #expect(foreign.header("Access-Control-Allow-Origin") == nil)
    }
  }

  @Test(
    "Every answer below the path carries the headers: data, refusals, limits, failures, unknown and wrong methods",
    arguments: [
      ("GET", "/widget/thing", true, 200), ("GET", "/widget/thing", false, 401), ("GET", "/widget/limited", true, 429),
      ("GET", "/widget/broken", true, 503), ("GET", "/widget/nothing", true, 404), ("PUT", "/widget/thing", true, 405),
    ])
  func everywhere(method: String, path: String, hasCredential: Bool, status: Int) async throws {
    try await withServer(router()) { server in
      let credential = hasCredential ? [("Authorization", "Bearer x")] : []
      let answer = try await server.send(method, path, headers: [("Origin", "null")] + credential)
      #expect(answer.status == status)
      #expect(answer.header("Access-Control-Allow-Origin") == "null")
      #expect(answer.header("Access-Control-Allow-Credentials") == nil)
      #expect(answer.headers("Vary") == ["Origin"])
      let foreign = try await server.send(method, path, headers: [("Origin", "https://evil.example")] + credential)
      #expect(foreign.header("Access-Control-Allow-Origin") == nil)
      #expect(foreign.headers("Vary") == ["Origin"])
    }
  }

  @Test("A path that only begins with the same letters is not below it")
  func outside() async throws {
    try await withServer(router()) { server in
      let answer = try await server.send("GET", "/widgets", headers: [("Origin", "null")])
      #expect(answer.header("Access-Control-Allow-Origin") == nil)
      #expect(answer.header("Vary") == nil)
    }
  }

  @Test("a policy for all names nobody, and needs no origin")
  func all() async throws {
    let router = AppRouter()
    router.cors(
      CORSPolicy(.all, allowedMethods: [.post], allowedHeaders: ["Authorization", "Idempotency-Key"]), under: "/open")
    router.post("open/thing") { _, _ -> Response in throw APIFailure.unauthorized() }
    router.get("opener") { _, context in try Answer.data("ok", context: context) }
    try await withServer(router) { server in
      let preflight = try await server.send(
        "OPTIONS", "/open/thing",
        headers: [("Origin", "tauri://localhost"), ("Access-Control-Request-Method", "POST")])
      #expect(preflight.status == 204)
      #expect(preflight.header("Access-Control-Allow-Origin") == "*")
      #expect(preflight.header("Access-Control-Allow-Headers") == "Authorization, Idempotency-Key")
      for (method, target) in [("POST", "/open/thing"), ("GET", "/open/thing"), ("POST", "/open/nothing")] {
        let answer = try await server.send(method, target)
        #expect(answer.header("Access-Control-Allow-Origin") == "*")
        #expect(answer.header("Access-Control-Expose-Headers") == "X-Request-Id, Retry-After")
        #expect(answer.header("Access-Control-Allow-Credentials") == nil && answer.header("Vary") == nil)
      }
      #expect(try await server.send("GET", "/opener").header("Access-Control-Allow-Origin") == nil)
    }
  }
}
