import HTTPTransport
import Logging
import Testing

@Suite("Requests that fail")
struct FailureTests {
  @Test("A server that never answers costs the deadline and no more")
  func deadline() async throws {
    let server = try RawServer { _, connection in connection.waitForClose() }
    let transport = makeTransport()
    let clock = ContinuousClock()
    let start = clock.now
    let error = await failure { () throws(HTTPTransportError) in
      try await transport.send(.init(url: server.url(), deadline: .milliseconds(300)))
    }
    let elapsed = start.duration(to: clock.now)
    #expect(error == .timeout)
    #expect(error?.requestMayHaveBeenSent == true)
    // Far below the server's silence, with room for a busy machine.
    #expect(elapsed >= .milliseconds(295) && elapsed < .seconds(10))
  }

  @Test("Headers that trickle in byte by byte do not stretch the deadline")
  func slowHeaders() async throws {
    let server = try RawServer { _, connection in
      connection.write("HTTP/1.1 200 OK\r\nX-Slow: ")
      connection.waitForClose()
    }
    let transport = makeTransport()
    let error = await failure { () throws(HTTPTransportError) in
      try await transport.send(.init(url: server.url(), deadline: .milliseconds(300)))
    }
    #expect(error == .timeout)
  }

  @Test("A request that finds no free connection in time was never sent")
  func waitingForConnection() async throws {
    let server = try RawServer { _, connection in connection.waitForClose() }
    let transport = makeTransport(.init(maximumConnectionsPerHost: 1))
    async let first = failure { () throws(HTTPTransportError) in
      try await transport.send(.init(url: server.url("/first"), deadline: .seconds(3)))
    }
    while server.requests == 0 { await Task.yield() }
    let second = await failure { () throws(HTTPTransportError) in
      try await transport.send(.init(url: server.url("/second"), deadline: .milliseconds(200)))
    }
    #expect(second == .connectTimeout)
    #expect(second?.requestMayHaveBeenSent == false)
    transport.shutdown()
    #expect(await first == .cancelled)
  }

  @Test("A refused connection was never sent")
  func refused() async throws {
    let port = try RawServer { _, _ in }.port  // closed again at once
    let transport = makeTransport()
    let error = await failure { () throws(HTTPTransportError) in
      try await transport.send(.init(url: "http://127.0.0.1:\(port)/"))
    }
    guard case .connection = error else {
      Issue.record("expected a connection error, got \(String(describing: error))")
      return
    }
    #expect(error?.requestMayHaveBeenSent == false)
  }

  @Test("A connection closed instead of an answer may have carried the request")
  func closedEarly() async throws {
    let server = try RawServer { _, connection in close(connection) }
    let transport = makeTransport()
    let error = await failure { () throws(HTTPTransportError) in
      try await transport.send(.init(method: "POST", url: server.url(), body: [1]))
    }
    guard case .connectionLost = error else {
      Issue.record("expected a lost connection, got \(String(describing: error))")
      return
    }
    #expect(error?.requestMayHaveBeenSent == true)
  }

  @Test("An answer cut short is not an answer")
  func cutShort() async throws {
    let server = try RawServer { _, connection in
      connection.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
      close(connection)
    }
    let transport = makeTransport()
    let error = await failure { () throws(HTTPTransportError) in try await transport.send(.init(url: server.url())) }
    guard case .connectionLost = error else {
      Issue.record("expected a lost connection, got \(String(describing: error))")
      return
    }
  }

  @Test("An answer beyond the limit is given up, announced or not, and one at the limit is not")
  func oversized() async throws {
    let server = try RawServer { request, connection in
      if request.path == "/endless" {
        connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in 0..<100 { connection.write("400\r\n" + String(repeating: "x", count: 1024) + "\r\n") }
        connection.waitForClose()
      } else if request.path == "/header" {
        connection.write("HTTP/1.1 200 OK\r\n")
        for _ in 0..<100 { connection.write("X-Long: " + String(repeating: "x", count: 1024) + "\r\n") }
        connection.waitForClose()
      } else {
        connection.answer(body: [UInt8](repeating: 1, count: 4096))
      }
    }
    let transport = makeTransport()
    func error(_ path: String, _ limit: Int) async -> HTTPTransportError? {
      await failure { () throws(HTTPTransportError) in
        try await transport.send(.init(url: server.url(path), maximumResponseBytes: limit))
      }
    }
    #expect(await error("/announced", 4095) == .tooLarge(limit: 4095))
    #expect(await error("/endless", 10_000) == .tooLarge(limit: 10_000))
    #expect(await error("/header", 10_000) == .tooLarge(limit: 65_536))
    #expect(await error("/announced", 4096) == nil)
  }

  @Test("What is not HTTP is not an answer")
  func notHTTP() async throws {
    let server = try RawServer { _, connection in
      connection.write("220 mail.example ESMTP\r\n")
      close(connection)
    }
    let transport = makeTransport()
    let error = await failure { () throws(HTTPTransportError) in try await transport.send(.init(url: server.url())) }
    guard case .invalidResponse = error else {
      Issue.record("expected an invalid response, got \(String(describing: error))")
      return
    }
    #expect(error?.requestMayHaveBeenSent == true)
  }

  @Test("Five hundred cancellations racing with answers resume every caller exactly once")
  func racingCancellations() async throws {
    let server = try RawServer { _, connection in connection.answer(body: [1, 2, 3]) }
    let transport = makeTransport()
    let counts = await withTaskGroup(of: String.self) { group in
      for index in 0..<500 {
        group.addTask {
          let request = Task { () -> String in
            let error = await failure { () throws(HTTPTransportError) in
              try await transport.send(.init(url: server.url("/\(index)")))
            }
            return error?.code ?? "answered"
          }
          for _ in 0..<(index % 40) { await Task.yield() }
          request.cancel()
          return await request.value
        }
      }
      return await group.reduce(into: [String: Int]()) { $0[$1, default: 0] += 1 }
    }
    #expect(counts.values.reduce(0, +) == 500)
    #expect(Set(counts.keys).isSubset(of: ["answered", "cancelled"]))
    #expect(try await transport.send(.init(url: server.url())).status == 200)
  }

  @Test("A cancelled task does not wait for its answer")
  func cancellation() async throws {
    let server = try RawServer { _, connection in connection.waitForClose() }
    let transport = makeTransport()
    let request = Task {
      await failure { () throws(HTTPTransportError) in try await transport.send(.init(url: server.url())) }
    }
    while server.requests == 0 { await Task.yield() }
    request.cancel()
    #expect(await request.value == .cancelled)
  }

  @Test("After shutdown nothing is sent, and what was under way has ended")
  func shutdown() async throws {
    let server = try RawServer { _, connection in connection.waitForClose() }
    let transport = makeTransport()
    async let underWay = failure { () throws(HTTPTransportError) in try await transport.send(.init(url: server.url())) }
    while server.requests == 0 { await Task.yield() }
    transport.shutdown()
    transport.shutdown()
    #expect(await underWay == .cancelled)
    let late = await failure { () throws(HTTPTransportError) in try await transport.send(.init(url: server.url())) }
    #expect(late == .shutDown)
  }

  @Test("More requests than allowed are turned away at once")
  func overloaded() async throws {
    let server = try RawServer { _, connection in connection.waitForClose() }
    let transport = makeTransport(.init(maximumRequests: 1))
    async let first = failure { () throws(HTTPTransportError) in try await transport.send(.init(url: server.url())) }
    while server.requests == 0 { await Task.yield() }
    let second = await failure { () throws(HTTPTransportError) in try await transport.send(.init(url: server.url())) }
    #expect(second == .overloaded)
    transport.shutdown()
    _ = await first
  }
}
