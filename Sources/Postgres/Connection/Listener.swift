import CLibpq
import Logging
import Synchronization

/// One connection and thread for all LISTENs of a client. The thread sleeps in poll() on the connection's socket and a
/// pipe that wakes it when subscriptions change.
final class Listener: Sendable {
  fileprivate struct Subscription: Sendable {
    var channel: String
    var continuation: AsyncStream<PostgresNotification>.Continuation
    /// The number of the connection it was told `.connected` for.
    var connection = 0
  }

  fileprivate struct State: Sendable {
    var subscriptions: [Int: Subscription] = [:]
    var lastSubscription = 0
    var isStarted = false
    var isClosed = false
    var hasEnded = false
    var endCallbacks: [@Sendable () -> Void] = []
  }

  /// Owned by the listener and its thread together, so that neither end is closed while the other is in use.
  fileprivate final class WakePipe: Sendable {
    let reading: Int32
    let writing: Int32
    init?() {
      var ends: [Int32] = [-1, -1]
      guard clibpq_wake_pipe(&ends) == 0 else { return nil }
      (reading, writing) = (ends[0], ends[1])
    }
    deinit {
      clibpq_close(reading)
      clibpq_close(writing)
    }
  }

  /// The state shared by the thread and the client; it is closed when the client ends.
  fileprivate final class Core: Sendable {
    let state = Mutex(State())
    let pipe = WakePipe()
    func wake() { if let pipe { clibpq_wake(pipe.writing) } }
  }

  private let configuration: PostgresConfiguration
  private let logger: Logger
  private let core = Core()

  /// After this time without traffic the connection is tested.
  private static let keepAlive: Int32 = 30_000

  init(_ configuration: PostgresConfiguration, logger: Logger) {
    var own = configuration
    own.statementTimeout = .seconds(10)
    self.configuration = own
    self.logger = logger
  }

  func listen(_ channel: String) -> AsyncStream<PostgresNotification> {
    let (stream, continuation) = AsyncStream.makeStream(
      of: PostgresNotification.self, bufferingPolicy: .bufferingNewest(4096))
    let (id, mustStart) = core.state.withLock { state -> (Int?, Bool) in
      guard !state.isClosed else { return (nil, false) }
      state.lastSubscription += 1
      state.subscriptions[state.lastSubscription] = Subscription(channel: channel, continuation: continuation)
      defer { state.isStarted = true }
      return (state.lastSubscription, !state.isStarted)
    }
    guard let id else {
      continuation.finish()
      return stream
    }
    continuation.onTermination = { [weak core] _ in
      _ = core?.state.withLock { $0.subscriptions.removeValue(forKey: id) }
      core?.wake()
    }
    if mustStart { start() } else { core.wake() }
    return stream
  }

  func close(_ ended: @escaping @Sendable () -> Void) {
    let (subscriptions, isOver) = core.state.withLock { state -> ([Subscription], Bool) in
      state.isClosed = true
      let subscriptions = Array(state.subscriptions.values)
      state.subscriptions = [:]
      let isOver = !state.isStarted || state.hasEnded
      if !isOver { state.endCallbacks.append(ended) }
      return (subscriptions, isOver)
    }
    for subscription in subscriptions { subscription.continuation.finish() }
    core.wake()
    if isOver { ended() }
  }

  private func start() {
    guard let pipe = core.pipe else { return failToStart("no file descriptor left") }
    let started = OSThread.start("pg-listen") { [core, configuration, logger] in
      Self.run(core, pipe, configuration, logger)
      let callbacks = core.state.withLock { state in
        state.hasEnded = true
        defer { state.endCallbacks = [] }
        return state.endCallbacks
      }
      for callback in callbacks { callback() }
    }
    if !started { failToStart("no thread left") }
  }

  /// The next subscription tries again. Existing ones end, so that nobody waits forever.
  private func failToStart(_ reason: String) {
    logger.error("cannot listen to Postgres", metadata: ["error": "\(reason)"])
    let subscriptions = core.state.withLock { state in
      state.isStarted = false
      defer { state.subscriptions = [:] }
      return Array(state.subscriptions.values)
    }
    for subscription in subscriptions { subscription.continuation.finish() }
  }

  // MARK: The thread

  private static func run(_ core: Core, _ pipe: WakePipe, _ configuration: PostgresConfiguration, _ logger: Logger) {
    let connection = LibpqConnection(configuration)
    defer { connection.close() }
    var listening: Set<String> = []
    var session = 0
    var pause = configuration.initialBackoff

    while true {
      let (channels, isClosed) = core.state.withLock { ($0.channels, $0.isClosed) }
      if isClosed { return }
      do throws(PostgresError) {
        if connection.state.phase == .disconnected, !channels.isEmpty {
          try connection.connect()
        }
        // A new session listens to nothing. It was made by this loop, or by a statement that found the old session gone.
        if connection.sessions != session { (session, listening) = (connection.sessions, []) }
        for channel in channels.subtracting(listening) {
          try connection.executeScript("LISTEN " + PostgresQuery.quotedIdentifier(channel))
          listening.insert(channel)
        }
        for channel in listening.subtracting(channels) where connection.state.phase == .idle {
          try connection.executeScript("UNLISTEN " + PostgresQuery.quotedIdentifier(channel))
          listening.remove(channel)
        }
        guard connection.sessions == session else { continue }
        pause = configuration.initialBackoff
      } catch {
        if error.code == .encoding || connection.state.phase == .idle {
          // This channel's name cannot be listened to; the others must not suffer.
          core.finish(channels.subtracting(listening))
        } else {
          logger.warning("the listener lost Postgres", metadata: ["error": "\(error.message)"])
          _ = clibpq_poll_readable(pipe.reading, -1, Int32(clamping: pause.wholeMilliseconds))
          clibpq_wake_drain(pipe.reading)
          pause = min(pause * 2, configuration.maximumBackoff)
        }
        continue
      }
      core.announce(listening, session)
      // Notifications may have come with the answer to LISTEN.
      guard deliver(connection, core) else { continue }

      if connection.state.phase == .disconnected {
        _ = clibpq_poll_readable(pipe.reading, -1, -1)
        clibpq_wake_drain(pipe.reading)
        continue
      }
      let ready = clibpq_poll_readable(pipe.reading, connection.socket, keepAlive)
      if ready & 1 != 0 { clibpq_wake_drain(pipe.reading) }
      if ready & 2 != 0 { _ = deliver(connection, core) }
      if ready == 0 { _ = try? connection.executeScript("SELECT") }
    }
  }

  /// False: the connection is lost.
  private static func deliver(_ connection: LibpqConnection, _ core: Core) -> Bool {
    guard connection.state.phase == .idle else { return true }
    guard let notifications = connection.receivedNotifications() else { return false }
    for notification in notifications { core.deliver(notification.channel, notification.payload) }
    return true
  }
}

extension Listener.State {
  fileprivate var channels: Set<String> { Set(subscriptions.values.map(\.channel)) }
}

extension Listener.Core {
  /// Sends `.connected` to the subscriptions that did not get it for this connection.
  fileprivate func announce(_ channels: Set<String>, _ connection: Int) {
    let told = state.withLock { state in
      state.subscriptions.filter { channels.contains($0.value.channel) && $0.value.connection != connection }.map {
        entry in
        state.subscriptions[entry.key]?.connection = connection
        return entry.value.continuation
      }
    }
    for continuation in told { continuation.yield(.connected) }
  }

  fileprivate func deliver(_ channel: String, _ payload: String) {
    let receivers = state.withLock { $0.subscriptions.values.filter { $0.channel == channel }.map(\.continuation) }
    for receiver in receivers { receiver.yield(.notification(payload: payload)) }
  }

  fileprivate func finish(_ channels: Set<String>) {
    let ended = state.withLock { state in
      let ids = state.subscriptions.filter { channels.contains($0.value.channel) }.keys
      return ids.compactMap { state.subscriptions.removeValue(forKey: $0)?.continuation }
    }
    for continuation in ended { continuation.finish() }
  }
}
