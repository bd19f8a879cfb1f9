public import Logging
public import ServiceLifecycle
import Synchronization

/// A pool of connections to one Postgres database.
///
/// Each connection is owned by one thread that runs blocking libpq. Callers hand statements over and resume when the answer
/// is there, so no cooperative thread ever waits for the network. Connections are opened when they are needed. A broken one
/// is replaced, and one that the server closed while idle is renewed before its next use.
public final class PostgresClient: Sendable, Service {
  public let configuration: PostgresConfiguration
  private let pool: ConnectionPool
  private let listener: Listener
  private let lanes = Mutex<[WeakLane]>([])

  private struct WeakLane: Sendable { weak let lane: PostgresLane? }

  public init(_ configuration: PostgresConfiguration, logger: Logger) {
    self.configuration = configuration
    pool = ConnectionPool(configuration, logger: logger)
    listener = Listener(configuration, logger: logger)
  }

  deinit {
    // Nobody closed this client; its threads end by themselves.
    pool.close {}
    listener.close {}
  }

  /// Stays until the task is cancelled or a graceful shutdown begins, then closes everything. Queries work without it, too.
  public func run() async throws {
    try? await gracefulShutdown()
    await close()
  }

  /// Refuses new work, lets running statements and transactions end, closes all connections, and returns after that.
  public func close() async {
    await withCheckedContinuation { continuation in pool.close { continuation.resume() } }
    await withCheckedContinuation { continuation in listener.close { continuation.resume() } }
    let open = lanes.withLock { lanes in
      defer { lanes = [] }
      return lanes.compactMap(\.lane)
    }
    for lane in open { await lane.close() }
  }

  /// Runs one statement that commits by itself.
  ///
  /// Cancelling the task ends the statement on the server.
  /// - Throws: `PostgresError`. With `.outcomeUnknown` the statement may have taken effect.
  @discardableResult
  public func query(_ query: PostgresQuery) async throws -> PostgresRows {
    let ticket = StatementTicket()
    return try await pool.run(ticket) { connection, _ in
      Result { () throws(PostgresError) in try connection.execute(query, ticket: ticket) }
    }.get()
  }

  /// Runs `body` in a transaction: committed when it returns, rolled back when it throws (its error is passed on).
  ///
  /// The connection belongs to the transaction until the end, so `body` should hold no foreign calls.
  /// - Parameter attempts: how many times it is begun at most, if nothing of it took effect and the same work may be done
  ///   again (`PostgresError.isRetryable`: a deadlock, a connection that broke before the commit). With more than one, `body`
  ///   may only talk to the database.
  /// - Throws: what `body` throws, or `PostgresError`: `.outcomeUnknown` if the connection broke during COMMIT, and 25P02 if
  ///   a statement failed but `body` swallowed the error and returned; then nothing is kept.
  @discardableResult
  public func transaction<T: Sendable>(
    _ options: TransactionOptions = .init(), attempts: Int = 1, isolation: isolated (any Actor)? = #isolation,
    _ body: (PostgresTransaction) async throws -> T
  ) async throws -> T {
    var attempt = 1
    while true {
      do {
        return try await attemptTransaction(options, isolation: isolation, body)
      } catch let error as PostgresError where error.isRetryable && attempt < attempts {
        attempt += 1
      }
    }
  }

  private func attemptTransaction<T: Sendable>(
    _ options: TransactionOptions, isolation: isolated (any Actor)?, _ body: (PostgresTransaction) async throws -> T
  ) async throws -> T {
    let ticket = StatementTicket()
    let (lease, number) = try await pool.run(ticket, keepLease: true) { connection, lease in
      Result { () throws(PostgresError) in (lease, try connection.begin(options, ticket: ticket)) }
    }.get()
    let value: T
    do {
      value = try await body(PostgresTransaction(thread: lease.thread, number: number))
    } catch {
      await finish(lease) { _ in .success(()) }.ignored()
      throw error
    }
    try await finish(lease) { connection in
      Result { () throws(PostgresError) in try connection.commit(number) }
    }.get()
    return value
  }

  /// Ends a transaction and gives the connection back, which rolls back what is still open. Never cancelled.
  private func finish(
    _ lease: ConnectionPool.Lease, _ body: @escaping @Sendable (LibpqConnection) -> Result<Void, PostgresError>
  ) async -> Result<Void, PostgresError> {
    await lease.thread.run(ticket: nil) { [pool] connection in
      let result = body(connection)
      pool.release(lease, connection)
      return result
    }
  }

  /// Notifications on a channel, from a separate connection of the listener.
  ///
  /// `.connected` comes first, and again after every reconnect: notifications in between are lost, so read the state again.
  /// The stream ends when the client is closed; ending the iteration ends the subscription. A consumer that falls 4096 behind
  /// loses the oldest.
  public func listen(_ channel: String) -> AsyncStream<PostgresNotification> { listener.listen(channel) }

  /// A connection with its own thread, outside the pool, for bulk work. It connects at its first use.
  /// - Parameters:
  ///   - sessionRole: the role of the session, instead of the configuration's.
  ///   - reconnects: false if the session holds something, such as an advisory lock: after the connection broke, all further
  ///     work fails with `.connection` instead of continuing without it.
  public func lane(
    name: String = "pg-lane", sessionRole: String? = nil, reconnects: Bool = true
  ) -> PostgresLane {
    var configuration = configuration
    if let sessionRole { configuration.sessionRole = sessionRole }
    let lane = PostgresLane(configuration, name: name, reconnects: reconnects)
    lanes.withLock { lanes in
      lanes.removeAll { $0.lane == nil }
      lanes.append(WeakLane(lane: lane))
    }
    return lane
  }

  /// How many connections the pool has, how many of them are idle, and how many callers wait; for metrics.
  public var poolCounts: (connections: Int, idle: Int, waiting: Int) { pool.counts }
}

extension Result where Success == Void {
  fileprivate func ignored() {}
}
