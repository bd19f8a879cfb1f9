import HTTPTransport
import Logging
import Testing

func makeTransport(_ configuration: HTTPTransportConfiguration = .init()) -> HTTPTransport {
  HTTPTransport(configuration, logger: Logger(label: "test"))
}

@Suite("Sending requests")
struct SendingTests {
  @Test("A request arrives as given, and the answer comes back whole")
  func roundTrip() async throws {
    let server = try RawServer { request, connection in
      connection.answer(
        "201 Created", headers: ["X-Seen: \(request.head.count)", "x-twice: 1", "X-Twice:  2 "], body: request.body)
    }
    let response = try await makeTransport(.init(userAgent: "test/1")).send(
      .init(
        method: "POST", url: server.url("/a%2Fb?c=d"), headers: [("X-One", "1"), ("X-Empty", "")],
        body: Array("hello".utf8)))
    #expect(response.status == 201)
    #expect(response.isSuccess)
    #expect(response.text == "hello")
    #expect(response.headers["x-seen"] != nil)
    #expect(response.headers.all("X-TWICE") == ["1", "2"])
    #expect(response.httpVersion == .http11)
  }

  @Test("The head holds the given fields once, no Expect, and no Content-Type that nobody asked for")
  func head() async throws {
    let server = try RawServer { request, connection in connection.answer(body: Array(request.head.utf8)) }
    let transport = makeTransport(.init(userAgent: "test/1"))
    let head = try await transport.send(
      .init(
        method: "PATCH", url: server.url("/x/../y"), headers: [("X-Empty", "")],
        body: [UInt8](repeating: 1, count: 2_000_000))
    ).text
    let lines = head.components(lines: "\r\n")
    #expect(lines.first == "PATCH /x/../y HTTP/1.1")
    #expect(lines.contains("X-Empty:"))
    #expect(lines.contains("User-Agent: test/1"))
    #expect(lines.contains("Content-Length: 2000000"))
    #expect(!head.lowercased().contains("expect:"))
    #expect(!head.lowercased().contains("content-type:"))

    let delete = try await transport.send(.init(method: "DELETE", url: server.url("/z"))).text
    #expect(delete.hasPrefix("DELETE /z HTTP/1.1"))
    #expect(!delete.lowercased().contains("content-length"))
    let post = try await transport.send(.init(method: "POST", url: server.url("/z"))).text
    #expect(post.contains("Content-Length: 0"))
  }

  @Test("HEAD is answered without a body, whatever length is announced")
  func headMethod() async throws {
    let server = try RawServer { _, connection in
      connection.write("HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n")
    }
    let response = try await makeTransport().send(.init(method: "HEAD", url: server.url(), maximumResponseBytes: 10))
    #expect(response.headers["content-length"] == "99999999")
    #expect(response.body.isEmpty)
  }

  @Test("Requests one after the other share one connection")
  func reuse() async throws {
    let server = try RawServer { _, connection in connection.answer() }
    let transport = makeTransport()
    for _ in 0..<50 { #expect(try await transport.send(.init(url: server.url())).status == 200) }
    #expect(server.accepted == 1)
    #expect(server.requests == 50)
  }

  @Test("A kept connection that the server closed is replaced without the caller noticing")
  func staleConnection() async throws {
    let server = try RawServer { _, connection in
      connection.answer()
      close(connection)
    }
    let transport = makeTransport()
    for _ in 0..<5 { #expect(try await transport.send(.init(url: server.url())).status == 200) }
    #expect(server.accepted == 5)
  }

  @Test("A thousand requests at once are all answered, over no more connections than allowed")
  func concurrent() async throws {
    let server = try RawServer { request, connection in connection.answer(body: Array(request.path.utf8)) }
    let transport = makeTransport(.init(maximumConnectionsPerHost: 16))
    let answers = try await withThrowingTaskGroup(of: String.self) { group in
      for index in 0..<1000 {
        group.addTask { try await transport.send(.init(url: server.url("/\(index)"))).text }
      }
      return try await group.reduce(into: Set<String>()) { $0.insert($1) }
    }
    #expect(answers == Set((0..<1000).map { "/\($0)" }))
    #expect(server.accepted <= 16)
  }

  @Test("Bodies of two megabytes travel both ways", arguments: [0, 1, 65_536, 2 * 1_048_576])
  func bodies(size: Int) async throws {
    let server = try RawServer { request, connection in connection.answer(body: request.body) }
    let body = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
    let response = try await makeTransport().send(.init(method: "PUT", url: server.url(), body: body))
    #expect(response.body == body)
  }

  @Test("A redirect is an answer like any other")
  func redirect() async throws {
    let server = try RawServer { _, connection in
      connection.answer("302 Found", headers: ["Location: /elsewhere"])
    }
    let response = try await makeTransport().send(.init(url: server.url()))
    #expect(response.status == 302)
    #expect(response.headers["Location"] == "/elsewhere")
    #expect(server.requests == 1)
  }

  @Test("Informational answers and trailers are not the answer")
  func informational() async throws {
    let server = try RawServer { _, connection in
      connection.write(
        "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
      connection.write("2\r\nok\r\n0\r\nX-Trailer: 1\r\n\r\n")
    }
    let response = try await makeTransport().send(.init(url: server.url()))
    #expect(response.status == 200)
    #expect(response.text == "ok")
    #expect(response.headers["Link"] == nil)
    #expect(response.headers["X-Trailer"] == nil)
  }
}
