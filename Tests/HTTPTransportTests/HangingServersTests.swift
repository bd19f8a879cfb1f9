import HTTPTransport
import Synchronization
import Testing

/// Answers or hangs as told, and keeps how much time each request had.
private final class Server: HTTPSending {
  private let state = Mutex<(hangs: Bool, deadlines: [Duration])>((true, []))

  var deadlines: [Duration] { state.withLock { $0.deadlines } }

  func set(hangs: Bool) { state.withLock { $0.hangs = hangs } }

  func send(_ request: HTTPTransportRequest) async throws(HTTPTransportError) -> HTTPTransportResponse {
    let hangs = state.withLock { state in
      state.deadlines.append(request.deadline)
      return state.hangs
    }
    if hangs { throw .timeout }
    return HTTPTransportResponse(status: 200, headers: .init(), body: [])
  }
}

@Suite("Servers that hang")
struct HangingServersTests {
  private let whole: Duration = .seconds(20)

  private func ask(_ servers: HangingServers, _ url: String = "https://one.example/a") async {
    _ = try? await servers.send(HTTPTransportRequest(method: "GET", url: url, deadline: whole))
  }

  @Test("one that hung gets a short time, and its whole time now and then and once it answers")
  func hung() async {
    let server = Server()
    let servers = HangingServers(server)
    let short = HangingServers.shortDeadline
    for _ in 0..<9 { await ask(servers) }
    #expect(server.deadlines == [whole, short, short, short, whole, short, short, short, whole])
    server.set(hangs: false)
    for _ in 0..<2 { await ask(servers) }
    #expect(server.deadlines.suffix(2) == [short, whole])
  }

  @Test("one that hung gets a short time however many ask at once")
  func atOnce() async {
    let server = Server()
    let servers = HangingServers(server)
    for _ in 0..<3 {
      await withTaskGroup { group in for _ in 0..<4 { group.addTask { await ask(servers) } } }
    }
    #expect(server.deadlines.dropFirst(4).count { $0 == whole } == 2)
  }

  @Test("says nothing about another server, and is one server by whatever path")
  func apart() async {
    let server = Server()
    let servers = HangingServers(server)
    await ask(servers)
    await ask(servers, "https://other.example/a")
    await ask(servers, "https://ONE.example:443/b?c")
    #expect(server.deadlines == [whole, whole, HangingServers.shortDeadline])
  }

  @Test("a deadline that is shorter already stays")
  func shorter() async {
    let server = Server()
    let servers = HangingServers(server)
    await ask(servers)
    _ = try? await servers.send(HTTPTransportRequest(method: "GET", url: "https://one.example", deadline: .seconds(1)))
    #expect(server.deadlines == [whole, .seconds(1)])
  }
}
