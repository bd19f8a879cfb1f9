import Foundation
import HTTPTransport
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
@testable import StripeHTTP
import Synchronization

/// A server on a port of its own that stands for Stripe: it answers as a test says and keeps what it was asked.
final class FakeStripe: Sendable {
  /// One request as it came.
  struct Asked: Sendable {
    let method: String
    /// Path and query, as sent.
    let target: String
    /// By lower-case name.
    let headers: [String: String]
    let body: String

    var form: [String: String] {
      Dictionary((FormEncoding.decode(body) ?? []).map { ($0.0, $0.1) }, uniquingKeysWith: { $1 })
    }

    var query: [String: String] {
      let halves = target.split(separator: "?", maxSplits: 1)
      let pairs = halves.count == 2 ? FormEncoding.decode(halves[1]) ?? [] : []
      return Dictionary(pairs.map { ($0.0, $0.1) }, uniquingKeysWith: { $1 })
    }

    var path: String { String(target.prefix { $0 != "?" }) }
  }

  struct Reply: Sendable {
    var status = 200
    var headers: [String: String] = [:]
    var body = "{}"
  }

  let url: String
  let transport: HTTPTransport
  private let askedSoFar: Mutex<[Asked]>
  private let pausesSoFar = Mutex<[Duration]>([])

  var asked: [Asked] { askedSoFar.withLock { $0 } }
  /// How long the client would have slept between attempts.
  var pauses: [Duration] { pausesSoFar.withLock { $0 } }

  private init(url: String, transport: HTTPTransport) {
    self.url = url
    self.transport = transport
    askedSoFar = Mutex([])
  }

  /// A client that does not really sleep.
  func client(policy: RetryPolicy = RetryPolicy()) -> StripeClient {
    let start = ContinuousClock.now
    return StripeClient(
      apiBaseURL: url, transport: transport, userAgent: "example/1 (https://example.com)", policy: policy,
      surroundings: .init(
        now: { Date(timeIntervalSince1970: 1) }, elapsed: { start.duration(to: .now) },
        sleep: { [self] pause in pausesSoFar.withLock { $0.append(pause) } }, random: { 1 }))
  }

  func session(budget: StripeClient.Budget? = nil) -> StripeSession {
    client().session(.accessToken("token_1"), budget: budget)
  }

  /// Serves while `body` runs. `answer` gets each request and how many came before it.
  static func serve(
    _ answer: @escaping @Sendable (Asked, Int) async throws -> Reply, while body: (FakeStripe) async throws -> Void
  ) async throws {
    var logger = Logger(label: "fake")
    logger.logLevel = .critical
    let transport = HTTPTransport(logger: logger)
    defer { transport.shutdown() }
    let (ports, bound) = AsyncStream.makeStream(of: Int.self)
    let kept = Kept()
    let responder = CallbackResponder<BasicRequestContext> { request, _ in
      let content = try await request.body.collect(upTo: 1 << 20)
      var headers: [String: String] = [:]
      for field in request.headers { headers[field.name.canonicalName] = field.value }
      let asked = Asked(
        method: request.method.rawValue, target: request.uri.string, headers: headers, body: String(buffer: content))
      let reply = try await answer(asked, kept.add(asked))
      var response = Response(
        status: .init(code: reply.status), body: .init(byteBuffer: ByteBuffer(string: reply.body)))
      for (name, value) in reply.headers {
        if let name = HTTPField.Name(name) { response.headers[name] = value }
      }
      return response
    }
    let application = Application(
      responder: responder, configuration: .init(address: .hostname("127.0.0.1", port: 0)),
      onServerRunning: { channel in bound.yield(channel.localAddress?.port ?? 0) }, logger: logger)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await application.run() }
      var iterator = ports.makeAsyncIterator()
      guard let port = await iterator.next() else { return }
      let fake = FakeStripe(url: "http://127.0.0.1:\(port)", transport: transport)
      kept.forward(to: fake)
      try await body(fake)
      group.cancelAll()
    }
  }

  /// Serves a fixed sequence of replies; the last one repeats.
  static func serve(_ replies: Reply..., while body: (FakeStripe) async throws -> Void) async throws {
    try await serve({ _, index in replies[min(index, replies.count - 1)] }, while: body)
  }

  /// Takes requests before the fake itself can exist, because its address is known only once it is bound.
  private final class Kept: Sendable {
    private let state = Mutex<(count: Int, fake: FakeStripe?)>((0, nil))

    func forward(to fake: FakeStripe) { state.withLock { $0.fake = fake } }

    func add(_ asked: Asked) -> Int {
      let (index, fake) = state.withLock { state in
        defer { state.count += 1 }
        return (state.count, state.fake)
      }
      fake?.askedSoFar.withLock { $0.append(asked) }
      return index
    }
  }
}

/// The error that a call ends with; nil when it succeeds.
func failure<Value, Failure: Error>(_ call: () async throws(Failure) -> Value) async -> Failure? {
  do throws(Failure) {
    _ = try await call()
    return nil
  } catch {
    return error
  }
}
