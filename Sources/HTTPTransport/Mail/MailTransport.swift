public import Logging
internal import Synchronization

/// Anything that can hand a message to a mail system: the real `MailTransport`, or a fake in a test.
public protocol MailSending: Sendable {
  /// Returns once the relay has accepted the message.
  func send(_ message: MailMessage, deadline: Duration) async throws(MailTransportError)
}

/// Hands mail to a relay over SMTP, with libcurl. One thread drives all of it; each message has a connection of its own.
///
/// Certificates are always verified. A message whose end was not acknowledged may have been taken: sending it again can
/// make a second copy.
public final class MailTransport: MailSending {
  private let relay: MailRelay
  private let mailbox = CurlMailbox()
  private let underWay = Atomic(0)
  /// The most messages under way or waiting at once.
  private static let mostMessages = 1_000

  /// Starts the transport's thread. It ends with `shutdown()`, or when the transport is released.
  /// - Parameter connections: the most connections to the relay at once.
  public init(_ relay: MailRelay, connections: Int = 8, logger: Logger) {
    self.relay = relay
    CurlMultiLoop.startThread(
      named: "mail-transport", mailbox: mailbox,
      limits: CurlMultiLimits(connections: max(1, connections), connectionsPerHost: max(1, connections)), logger: logger
    )
  }

  deinit { mailbox.close() }

  public func send(_ message: MailMessage, deadline: Duration = .seconds(30)) async throws(MailTransportError) {
    guard !Task.isCancelled else { throw .cancelled }
    guard underWay.add(1, ordering: .relaxed).newValue <= Self.mostMessages else {
      underWay.subtract(1, ordering: .relaxed)
      throw .overloaded
    }
    defer { underWay.subtract(1, ordering: .relaxed) }
    let ticket = CurlTicket()
    let relay = relay
    let until = ContinuousClock.now + deadline
    let result: SMTPTransfer.Answer = await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let job = CurlJob(ticket: ticket, deadline: until) {
          SMTPTransfer(message: message, relay: relay) { continuation.resume(returning: $0) }
        }
        if !mailbox.submit(job) { continuation.resume(returning: .failure(.shutDown)) }
      }
    } onCancel: {
      mailbox.cancel(ticket)
    }
    try result.get()
  }

  /// Ends the transport; messages under way fail with `.cancelled`. Returns at once.
  public func shutdown() { mailbox.close() }
}

/// Why a message was not accepted, or is not known to have been. Texts name causes in the words of the libraries below, never
/// what the relay wrote, because that often repeats an address.
public enum MailTransportError: Error, Sendable, Hashable {
  /// No connection to the relay could be made.
  case connection(String)
  /// TLS failed, or the relay does not offer it.
  case tls(String)
  /// The relay does not accept the user and password, or requires some.
  case authentication(reply: Int)
  /// The relay refused for now (a reply of 400 to 499), or was not ready at all.
  case later(reply: Int)
  /// The relay refused this message or its recipient for good (a reply of 500 to 599).
  case refused(reply: Int)
  /// The deadline passed.
  case timeout
  /// The connection broke. If that was after the last byte of the message, the relay may have accepted it.
  case connectionLost(String)
  case cancelled
  case overloaded
  case shutDown

  /// Whether another attempt with the same message is pointless.
  public var isFinal: Bool { if case .refused = self { true } else { false } }

  /// A stable word for logs and metrics.
  public var code: String {
    switch self {
    case .connection: "connection"
    case .tls: "tls"
    case .authentication: "authentication"
    case .later: "refused_for_now"
    case .refused: "refused"
    case .timeout: "timeout"
    case .connectionLost: "connection_lost"
    case .cancelled: "cancelled"
    case .overloaded: "overloaded"
    case .shutDown: "shut_down"
    }
  }

  /// The three digits of the relay's last reply, if that decided.
  public var reply: Int? {
    switch self {
    case .authentication(let reply), .later(let reply), .refused(let reply): reply > 0 ? reply : nil
    default: nil
    }
  }
}

extension MailTransportError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .connection(let reason), .tls(let reason), .connectionLost(let reason): "\(code): \(reason)"
    case .authentication, .later, .refused: reply.map { "\(code): reply \($0)" } ?? code
    case .timeout, .cancelled, .overloaded, .shutDown: code
    }
  }
}
