import HTTPTransport
import Logging
import Testing

@testable import HTTPTransport

@Suite("Requests refused before anything is sent")
struct RefusedRequestTests {
  static let allowedNothing = makeTransport()

  private func refusal(_ request: HTTPTransportRequest) async -> Bool {
    let error = await failure { () throws(HTTPTransportError) in try await Self.allowedNothing.send(request) }
    if case .invalidRequest = error { return error?.requestMayHaveBeenSent == false }
    return false
  }

  @Test(
    "Plain http leaves this machine never, however the host is written",
    arguments: [
      "http://192.0.2.1/", "http://example.com/", "http://127.0.0.1.example.com/", "http://localhost.example.com/",
      "http://0/", "http://2130706432.example/", "http://[::2]/", "http://1270.0.0.1/", "HTTP://EXAMPLE.COM/",
      "http://127.0.0.1@example.com/", "http://example.com#@127.0.0.1/", "http://127.0.0.1:80@192.0.2.1/",
    ])
  func plainHTTP(url: String) async {
    #expect(await refusal(.init(url: url, deadline: .seconds(2))))
  }

  @Test(
    "This machine has many names",
    arguments: ["127.0.0.1", "127.255.0.9", "[::1]", "localhost", "LocalHost"])
  func loopback(host: String) {
    #expect(RequestCheck.isLoopback(host))
  }

  @Test(
    "Only absolute http and https URLs without credentials are taken",
    arguments: [
      "", "/path", "example.com", "ftp://127.0.0.1/", "file:///etc/passwd", "gopher://127.0.0.1/", "https://",
      "https://user:password@127.0.0.1/", "https://user@127.0.0.1/", "https://127.0.0.1/ x", "https://127.0.0.1/\u{0}x",
      "https://127.0.0.1/\r\nX: y", "https://127.0.0.1/ü", "https://127.0.0.1:99999/", "dict://127.0.0.1/",
    ])
  func urls(url: String) async {
    #expect(await refusal(.init(url: url, deadline: .seconds(2))))
  }

  @Test(
    "No header can smuggle in another",
    arguments: [
      ("X-A", "b\r\nX-C: d"), ("X-A", "b\nX-C: d"), ("X-A", "b\r"), ("X-A", "b\u{0}c"), ("X-A\r\nX-B", "c"),
      ("X A", "b"),
      ("", "b"), ("X-A:", "b"), ("Content-Length", "5"), ("transfer-encoding", "chunked"), ("X-A", "\u{7F}"),
    ])
  func headers(name: String, value: String) async {
    #expect(await refusal(.init(url: "http://127.0.0.1:1/", headers: [(name, value)])))
  }

  @Test(
    "No method can smuggle in a line", arguments: ["", "GET / HTTP/1.1\r\nX:", "GE T", "CONNECT", "TRACE", "G\u{0}T"])
  func methods(method: String) async {
    #expect(await refusal(.init(method: method, url: "http://127.0.0.1:1/")))
  }
}
