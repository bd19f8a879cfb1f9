/// Why a command has no reply. Callers decide whether to continue without Redis; no call waits long.
public enum RedisError: Error, Sendable, Hashable {
  /// There is no connection, or it broke before the reply came. The command may have run if it was already sent.
  case unavailable(String)
  /// The server was silent for longer than the time allowed. The command may have run, or may still run.
  case timeout
  /// More commands are waiting than the configuration allows. This one was not sent.
  case overloaded
  /// The server answered with an error, for example `WRONGTYPE …`. Never contains what this client sent, except where
  /// the server itself quotes a command's name.
  case server(String)
  /// The reply is of a kind that the command cannot have.
  case unexpectedReply(String)
  /// The call makes no sense, for example a bucket smaller than the cost asked of it. Nothing was sent.
  case invalidArgument(String)

  /// A stable word for logs and metrics.
  public var code: String {
    switch self {
    case .unavailable: "unavailable"
    case .timeout: "timeout"
    case .overloaded: "overloaded"
    case .server: "server"
    case .unexpectedReply: "unexpected_reply"
    case .invalidArgument: "invalid_argument"
    }
  }
}

extension RedisError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .unavailable(let reason), .server(let reason), .unexpectedReply(let reason), .invalidArgument(let reason):
      "\(code): \(reason)"
    case .timeout, .overloaded: code
    }
  }
}
