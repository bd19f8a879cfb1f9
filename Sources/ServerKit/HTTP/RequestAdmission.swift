import HTTPTypes
import Hummingbird
import NIOCore

/// Checks that need only a request's head, whatever the request is for.
enum RequestAdmission {
  /// Why a request cannot be served; nil when it can.
  ///
  /// A compressed body is refused instead of being misread: 415 with the accepted codings in `Accept-Encoding` (RFC 9110,
  /// section 15.5.16), and 501 for a transfer coding other than chunks (RFC 9112, section 6.1).
  static func refusal(of request: HTTPRequest) -> APIFailure? {
    let fields = request.headerFields
    let transfer = tokens(fields[values: .transferEncoding])
    if transfer.contains(where: { $0 != "chunked" && $0 != "identity" }) {
      return APIFailure(
        .notImplemented, code: "TRANSFER_ENCODING_NOT_SUPPORTED",
        message: "The body is sent in a way that this service does not understand.",
        detail: "Transfer-Encoding may be chunked")
    }
    let expectations = tokens(fields[values: .expect])
    if let unknown = expectations.first(where: { $0 != "100-continue" }) {
      return APIFailure(
        .expectationFailed, code: "EXPECTATION_FAILED", message: "This service cannot do what the request expects.",
        detail: "Expect may be 100-continue; found: \(unknown.prefix(60))")
    }
    let codings = tokens(fields[values: .contentEncoding])
    let hasBody = !transfer.isEmpty || (fields[.contentLength].map { $0 != "0" } ?? false)
    if hasBody, let coding = codings.first(where: { $0 != "identity" }) {
      return APIFailure(
        .unsupportedMediaType, code: "CONTENT_ENCODING_NOT_SUPPORTED",
        message: "Compressed request bodies are not accepted.",
        detail: "send the body as it is, without Content-Encoding: \(coding.prefix(60))",
        headers: [("Accept-Encoding", "identity")])
    }
    return nil
  }

  /// Whether a client waits to be told to send its body.
  static func expectsContinue(_ values: [String]) -> Bool { tokens(values).contains("100-continue") }

  /// The entries of lists, in lower case.
  static func tokens(_ values: [String]) -> [String] {
    values.flatMap { $0.split(separator: ",") }.map { $0.trimmed.lowercased() }.filter { !$0.isEmpty }
  }
}

/// Answers for ``RequestAdmission`` before any route is called.
struct RequestAdmissionMiddleware: RouterMiddleware {
  typealias Context = AppContext

  func handle(
    _ request: Request, context: AppContext, next: (Request, AppContext) async throws -> Response
  ) async throws -> Response {
    if let refusal = RequestAdmission.refusal(of: request.head) { return Answer.failure(refusal, context: context) }
    guard RequestAdmission.expectsContinue(request.headers[values: .expect]) else {
      return try await next(request, context)
    }
    var request = request
    request.body = RequestBody(asyncSequence: AwaitedBody(base: request.body, channel: context.channel))
    return try await next(request, context)
  }
}

/// A body that the client sends only when asked: the connection is told when the body is first read.
private struct AwaitedBody: AsyncSequence, Sendable {
  typealias Element = ByteBuffer

  let base: RequestBody
  let channel: any Channel

  struct AsyncIterator: AsyncIteratorProtocol {
    var base: RequestBody.AsyncIterator
    var channel: (any Channel)?

    mutating func next() async throws -> ByteBuffer? {
      channel?.triggerUserOutboundEvent(ConnectionHandler.BodyWanted(), promise: nil)
      channel = nil
      return try await base.next()
    }
  }

  func makeAsyncIterator() -> AsyncIterator {
    AsyncIterator(base: base.makeAsyncIterator(), channel: channel)
  }
}
