internal import CHiredis
internal import Foundation
internal import Logging

/// One connection and the thread that owns it: takes all commands that wait, writes them together, and hands out the
/// replies in order. An instance is created by its thread and never leaves it.
final class RedisLane {
  private let configuration: RedisConfiguration
  private let mailbox: LaneMailbox
  private let logger: Logger
  private let resolver: HostResolver
  private var connection: RedisConnection?
  private var lastReported: Reported = .nothing

  /// What was last logged: each outage is one warning and one note of its end.
  private enum Reported { case nothing, down }

  /// Bounds of one batch: enough to make the round trip's share small, little enough that a silent server holds few.
  private static let maximumBatch = 512
  private static let maximumBatchBytes = 1_048_576

  /// Starts a thread that serves the mailbox until it is closed.
  static func startThread(
    named name: String, configuration: RedisConfiguration, mailbox: LaneMailbox, logger: Logger
  ) {
    let thread = Thread {
      chiredis_block_sigpipe_in_this_thread()
      RedisLane(configuration: configuration, mailbox: mailbox, logger: logger).run()
    }
    thread.name = name
    thread.start()
  }

  private init(configuration: RedisConfiguration, mailbox: LaneMailbox, logger: Logger) {
    self.configuration = configuration
    self.mailbox = mailbox
    self.logger = logger
    resolver = HostResolver()
  }

  private func run() {
    while true {
      switch mailbox.step() {
      case .stop: return
      case .connect: connect()
      case .serve: serve()
      case .wait(let instant): mailbox.sleep(until: instant)
      }
    }
  }

  private func connect() {
    connection = nil
    do throws(RedisError) {
      connection = try RedisConnection(configuration, resolver: resolver)
      mailbox.connected()
      if lastReported == .down { logger.info("connected to Redis again") }
      lastReported = .nothing
    } catch {
      noteFailure(error)
    }
  }

  private func serve() {
    guard let connection else { return noteFailure(.unavailable("not connected")) }
    let batch = mailbox.take(maximumCount: Self.maximumBatch, maximumBytes: Self.maximumBatchBytes)
    guard !batch.isEmpty else { return mailbox.sleep(until: nil) }
    if connection.wasClosedWhileIdle {
      // No reply is awaited on it and nothing was written, so a new connection can replace it unnoticed.
      self.connection = nil
      mailbox.foundStale()
      connect()
      guard let replacement = self.connection else {
        for command in batch { command.answer(.failure(.unavailable("not connected"))) }
        return
      }
      return exchange(batch, on: replacement)
    }
    exchange(batch, on: connection)
  }

  private func exchange(_ batch: [RedisCommand], on connection: RedisConnection) {
    let now = ContinuousClock.now
    var owed: [RedisCommand] = []
    owed.reserveCapacity(batch.count)
    for command in batch {
      if command.since.duration(to: now) > configuration.maximumWait {
        command.answer(.failure(.timeout))
      } else {
        owed.append(command)
      }
    }
    var answered = 0
    do throws(RedisError) {
      for command in owed { try connection.append(command) }
      let deadline = now + configuration.maximumWait
      try connection.flush()
      while answered < owed.count {
        let reply = try connection.nextReply(deadline: deadline)
        // This server is no longer the primary: another one has replaced it behind the same address.
        if case .error(let text) = reply, Self.isNoPrimary(text) { throw .unavailable(text) }
        owed[answered].answer(Self.answer(reply))
        answered += 1
      }
    } catch {
      for command in owed[answered...] { command.answer(.failure(error)) }
      self.connection = nil
      noteFailure(error)
    }
  }

  private func noteFailure(_ error: RedisError) {
    mailbox.failed(error)
    guard lastReported != .down else { return }
    lastReported = .down
    logger.warning("Redis is unavailable", metadata: ["reason": "\(error)"])
  }

  /// The first word of these errors is fixed: a replica, one that lost its primary, one that reads its data back.
  private static func isNoPrimary(_ text: String) -> Bool {
    ["READONLY", "MASTERDOWN", "LOADING"].contains(text.prefix { $0 != " " })
  }

  private static func answer(_ reply: RedisReply) -> RedisCommand.Answer {
    if case .error(let text) = reply { .failure(.server(text)) } else { .success(reply) }
  }
}
