public import Logging
internal import Synchronization

/// Sends HTTP requests over libcurl: connections are kept and used again, HTTP/2 is used where a TLS server offers it.
///
/// One thread drives all requests; nothing blocks the caller's executor. Certificates are always verified, redirects
/// never followed, and neither proxies nor credentials are taken from the environment.
///
/// A kept connection that the server closed before it answered a single byte is replaced, and the request written
/// again, by libcurl itself. Give requests that are not idempotent an idempotency key.
public final class HTTPTransport: HTTPSending {
  private let configuration: HTTPTransportConfiguration
  private let mailbox = CurlMailbox()
  private let requestsUnderWay = Atomic(0)

  /// Starts the transport's thread. It ends with `shutdown()`, or when the transport is released.
  public init(_ configuration: HTTPTransportConfiguration = .init(), logger: Logger) {
    self.configuration = configuration
    let limits = CurlMultiLimits(
      connections: max(1, configuration.maximumConnections),
      connectionsPerHost: max(1, configuration.maximumConnectionsPerHost))
    CurlMultiLoop.startThread(named: "http-transport", mailbox: mailbox, limits: limits, logger: logger)
  }

  deinit { mailbox.close() }

  /// Sends one request and returns the complete answer, whatever its status.
  ///
  /// Ends at the request's deadline at the latest, and at once when the calling task is cancelled.
  public func send(_ request: HTTPTransportRequest) async throws(HTTPTransportError) -> HTTPTransportResponse {
    let deadline = ContinuousClock.now + request.deadline
    let target = try RequestCheck.check(request, allowsPlainHTTP: configuration.allowsPlainHTTP)
    guard !Task.isCancelled else { throw .cancelled }
    guard requestsUnderWay.add(1, ordering: .relaxed).newValue <= configuration.maximumRequests else {
      requestsUnderWay.subtract(1, ordering: .relaxed)
      throw .overloaded
    }
    defer { requestsUnderWay.subtract(1, ordering: .relaxed) }

    let ticket = CurlTicket()
    let configuration = configuration
    let answer: HTTPTransfer.Answer = await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let job = CurlJob(ticket: ticket, deadline: deadline) {
          HTTPTransfer(request: request, target: target, configuration: configuration) { answer in
            continuation.resume(returning: answer)
          }
        }
        if !mailbox.submit(job) { continuation.resume(returning: .failure(.shutDown)) }
      }
    } onCancel: {
      mailbox.cancel(ticket)
    }
    return try answer.get()
  }

  /// Ends the transport: requests under way fail with `.cancelled`, later ones with `.shutDown`. Returns at once.
  public func shutdown() {
    mailbox.close()
  }
}
