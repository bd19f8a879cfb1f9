import Foundation
import Hummingbird
import NIOCore
import ServerKit
import Testing

/// What a client sees on the wire.
@Suite("Connections")
struct ConnectionTests {
  private func router() -> AppRouter {
    let router = AppRouter()
    router.get("ok") { _, context in try Answer.data("ok", context: context) }
    router.get("stream") { _, _ in
      Response(
        status: .ok,
        body: ResponseBody { writer in
          try await writer.write(ByteBuffer(string: "in "))
          try await writer.write(ByteBuffer(string: "pieces"))
          try await writer.finish(nil)
        })
    }
    router.post("count") { request, context in
      try Answer.data(await request.bodyBytes().count, context: context)
    }
    router.post("deaf") { _, _ -> Response in throw APIFailure.unauthorized() }
    return router
  }

  private func head(_ method: String, _ target: String, _ version: String = "1.1", _ fields: String...) -> String {
    "\(method) \(target) HTTP/\(version)\r\nHost: test\r\n" + fields.map { $0 + "\r\n" }.joined() + "\r\n"
  }

  // MARK: Expectations

  @Test("a client that waits for 100 Continue is told to go on when its body is read")
  func expectation() async throws {
    try await withServer(router()) { server in
      let connection = try RawConnection(server)
      let waiting = try await connection.exchange(
        head("POST", "/count", "1.1", "Content-Length: 3", "Expect: 100-Continue"))
      #expect(waiting.status == 100)
      let answer = try await connection.exchange("abc")
      #expect(answer.status == 200)
      #expect(answer.text.hasPrefix("{\"data\":3"))
      #expect(try await connection.send("GET", "/ok").status == 200)
    }
  }

  @Test("a client whose body nobody wants gets the final answer at once, and the connection ends")
  func expectationRefused() async throws {
    try await withServer(router()) { server in
      for target in ["/deaf", "/nothing", "/count"] {
        let connection = try RawConnection(server)
        let length = target == "/count" ? 1 << 30 : 3
        try await connection.write(
          head("POST", target, "1.1", "Content-Length: \(length)", "Expect: 100-continue"))
        let text = try #require(try await connection.everything())
        #expect(!text.hasPrefix("HTTP/1.1 100"))
        #expect(text.hasPrefix("HTTP/1.1 4"))
        #expect(text.lowercased().contains("connection: close"))
      }
    }
  }

  @Test("what a server cannot do is 417, and HTTP/1.0 expects nothing")
  func otherExpectations() async throws {
    try await withServer(router()) { server in
      let answer = try await server.send("POST", "/count", headers: [("Expect", "miracles")], body: "abc")
      #expect(answer.status == 417)
      let connection = try RawConnection(server)
      try await connection.write(head("POST", "/count", "1.0", "Content-Length: 3", "Expect: 100-continue") + "abc")
      #expect(try await connection.everything()?.hasPrefix("HTTP/1.1 200") == true)
    }
  }

  // MARK: The end of a connection

  @Test("HTTP/1.0 and Connection: close end with the answer")
  func ends() async throws {
    try await withServer(router()) { server in
      for request in [
        head("GET", "/ok", "1.0"), head("GET", "/ok", "1.1", "Connection: close"),
        head("GET", "/ok", "1.1", "Connection: Upgrade, CLOSE"),
        head("GET", "/ok", "1.0", "Connection: keep-alive, close"), head("GET", "/ok", "1.0") + head("GET", "/ok"),
      ] {
        let connection = try RawConnection(server)
        try await connection.write(request)
        let text = try #require(try await connection.everything(), "\(request)")
        #expect(text.contains(" 200 ") && text.components(separatedBy: "\"ok\"").count == 2)
        #expect(text.lowercased().contains("connection: close"))
      }
    }
  }

  @Test("HTTP/1.0 goes on when the client asks for it and the answer has a length")
  func oldKeepAlive() async throws {
    try await withServer(router()) { server in
      let connection = try RawConnection(server)
      for _ in 0..<2 {
        let answer = try await connection.exchange(head("GET", "/ok", "1.0", "Connection: Keep-Alive"))
        #expect(answer.status == 200)
        #expect(answer.header("Connection")?.lowercased() == "keep-alive")
      }
      try await connection.write(head("GET", "/stream", "1.0", "Connection: keep-alive"))
      let text = try #require(try await connection.everything())
      #expect(text.hasSuffix("\r\n\r\nin pieces"))
      #expect(!text.lowercased().contains("chunked"))
    }
  }

  @Test("an answer is not lost with what the client was still sending")
  func lingering() async throws {
    try await withServer(router()) { server in
      let connection = try RawConnection(server)
      try await connection.write(
        head("POST", "/deaf", "1.1", "Content-Length: 4000000", "Connection: close")
          + String(repeating: "x", count: 1_000_000))
      #expect(try await connection.everything()?.hasPrefix("HTTP/1.1 401") == true)
    }
  }

  // MARK: Codings

  @Test("a compressed body is 415 with what is accepted, on every route; a transfer coding besides chunks is 501")
  func codings() async throws {
    try await withServer(router()) { server in
      for target in ["/count", "/nothing"] {
        let answer = try await server.send("POST", target, headers: [("Content-Encoding", "gzip")], body: "abc")
        #expect(answer.status == 415)
        #expect(answer.header("Accept-Encoding") == "identity")
        #expect(answer.text.contains("CONTENT_ENCODING_NOT_SUPPORTED"))
      }
      let plain = try await server.send("POST", "/count", headers: [("Content-Encoding", "Identity")], body: "abc")
      #expect(plain.status == 200)
      let empty = try await server.send("GET", "/ok", headers: [("Content-Encoding", "gzip")])
      #expect(empty.status == 200)
      let connection = try RawConnection(server)
      let answer = try await connection.exchange(
        head("POST", "/count", "1.1", "Transfer-Encoding: gzip, chunked") + "3\r\nabc\r\n0\r\n\r\n")
      #expect(answer.status == 501)
    }
  }

  // MARK: Limits

  @Test("a body that trickles is cut off with 408, and a short one beside it is not")
  func trickling() async throws {
    var limits = HTTPService.Limits()
    limits.requestTimeout = .milliseconds(300)
    try await withServer(router(), limits: limits) { server in
      let slow = try RawConnection(server)
      try await slow.write(head("POST", "/count", "1.1", "Content-Length: 1000") + "x")
      async let everything = slow.everything()
      // Each byte shows that somebody is there; the whole takes too long all the same.
      for _ in 0..<100 {
        try? await slow.write("x", inTurn: false)
        try await Task.sleep(for: .milliseconds(10))
      }
      let text = try #require(try await everything)
      #expect(text.hasPrefix("HTTP/1.1 408"))
      #expect(text.contains("REQUEST_TIMEOUT") && text.lowercased().contains("connection: close"))
      #expect(try await server.send("POST", "/count", body: "abc").status == 200)
    }
  }

  @Test("a head that trickles, and a connection that begins with silence, are closed")
  func tricklingHead() async throws {
    var limits = HTTPService.Limits()
    limits.headTimeout = .milliseconds(200)
    try await withServer(router(), limits: limits) { server in
      let silent = try RawConnection(server)
      #expect(try await silent.everything() == "")
      let connection = try RawConnection(server)
      #expect(try await connection.send("GET", "/ok").status == 200)
      try await connection.write("GET /ok HT")
      #expect(try await connection.everything() == "")
    }
  }

  @Test("beyond the bound of unfinished requests there is 503, and whole requests are served")
  func unfinished() async throws {
    var limits = HTTPService.Limits()
    limits.maximumUnfinishedRequests = 3
    try await withServer(router(), limits: limits) { server in
      var connections: [RawConnection] = []
      for _ in 0..<4 {
        let connection = try RawConnection(server)
        try await connection.write(head("POST", "/count", "1.1", "Content-Length: 6") + "abc")
        connections.append(connection)
      }
      // Which of the four comes too late is not known; it does not get to send the rest.
      let answers = try await withThrowingTaskGroup(of: RawConnection.Answer.self) { group in
        for connection in connections { group.addTask { try await connection.answer() } }
        var answers = [try #require(try await group.next())]
        for connection in connections { try? await connection.write("def", inTurn: false) }
        for try await answer in group { answers.append(answer) }
        return answers
      }
      #expect(answers.map(\.status).sorted() == [200, 200, 200, 503])
      let refused = try #require(answers.first { $0.status == 503 })
      #expect(refused.status == 503)
      #expect(refused.header("Retry-After") != nil && refused.text.contains("OVERLOADED"))
      #expect(try await server.send("POST", "/count", body: "abc").status == 200)
    }
  }

  @Test("the bodies of all connections together have a bound; short ones are served beside it")
  func bodies() async throws {
    var limits = HTTPService.Limits()
    limits.maximumBodyBytes = 100_000
    limits.freeBodyBytes = 1_000
    let (entered, enter) = AsyncStream<Void>.makeStream()
    let (released, release) = AsyncStream<Void>.makeStream()
    let router = router()
    router.post("held") { request, context in
      let count = try await request.bodyBytes().count
      enter.yield()
      for await _ in released { break }
      return try Answer.data(count, context: context)
    }
    try await withServer(router, limits: limits) { server in
      let large = String(repeating: "x", count: 90_000)
      async let first = server.send("POST", "/held", body: large)
      for await _ in entered { break }
      let refused = try await server.send("POST", "/count", body: large)
      #expect(refused.status == 503)
      #expect(refused.header("Retry-After") != nil)
      #expect(try await server.send("POST", "/count", body: String(repeating: "x", count: 900)).status == 200)
      release.finish()
      #expect(try await first.status == 200)
      #expect(try await server.send("POST", "/count", body: large).status == 200)
    }
  }
}
