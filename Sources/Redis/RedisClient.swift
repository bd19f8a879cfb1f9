public import Logging
internal import Synchronization

/// A Redis client for data that may be lost: every call ends within a short, configured time, and while the server is down
/// calls fail at once instead of waiting. Callers decide whether to continue without it.
///
/// A few connections, each with its own thread, carry all commands; waiting commands are written together. If a command is
/// sent after another's reply, they run in that order; concurrent ones run in any order. Do not send commands that block
/// (`BLPOP`), subscribe, or change the connection (`SELECT`, `MULTI`), because all callers share the connections.
public final class RedisClient: Sendable {
  /// The configuration that the client was made with.
  public let configuration: RedisConfiguration
  private let lanes: [LaneMailbox]
  private let turn = Atomic<UInt>(0)
  let scriptDigests = Mutex<[RedisScript: String]>([:])

  /// Starts connecting in the background. The client ends with `shutdown()`, or when it is released.
  public init(_ configuration: RedisConfiguration, logger: Logger) {
    self.configuration = configuration
    lanes = (0..<configuration.connections).map { index in
      let mailbox = LaneMailbox(backoff: configuration.backoff, maximumQueued: configuration.maximumQueued)
      RedisLane.startThread(
        named: "redis-\(index)", configuration: configuration, mailbox: mailbox, logger: logger)
      return mailbox
    }
  }

  deinit { shutdown() }

  /// Stays until the calling task is cancelled, then shuts the client down. Calling it is optional: it ties the
  /// client's life to a task or service group.
  public func run() async {
    let (stream, continuation) = AsyncStream<Never>.makeStream()
    for await _ in stream {}
    withExtendedLifetime(continuation) {}
    shutdown()
  }

  /// Closes the connections. Commands under way still get their reply or error; later ones fail.
  public func shutdown() {
    for lane in lanes { lane.close() }
  }

  /// Whether at least one connection is believed to work. Makes no call.
  public var isAvailable: Bool { lanes.contains { $0.admitsCommands } }

  /// Runs a command and returns its reply. Keys in it are as the server has them, with the prefix.
  ///
  /// Ends within the configured times even if the server is silent; cancelling the calling task does not shorten that,
  /// because a command once queued cannot be taken back.
  @discardableResult
  package func send(_ arguments: [RedisArgument]) async throws(RedisError) -> RedisReply {
    guard !arguments.isEmpty else { throw .invalidArgument("a command has at least one word") }
    let first = Int(turn.add(1, ordering: .relaxed).newValue % UInt(lanes.count))
    let order = lanes[first...] + lanes[..<first]
    let lane = order.first { $0.admitsCommands } ?? lanes[first]
    let answer: RedisCommand.Answer = await withCheckedContinuation { continuation in
      lane.submit(RedisCommand(arguments, continuation: continuation))
    }
    return try answer.get()
  }
}
