/// One connection with its own thread, for bulk work that should not compete for the pool.
///
/// Work runs in the order it was handed over. Unless told otherwise, a connection that broke is renewed at the
/// next use.
public final class PostgresLane: Sendable {
  private let thread = ConnectionThread()
  private let ended = LaneEnd()

  init(_ configuration: PostgresConfiguration, name: String, reconnects: Bool) {
    if !thread.start(name: name, configuration, reconnects: reconnects, onEnd: { [ended] in ended.happened() }) {
      thread.finish()
      ended.happened()
    }
  }

  deinit { thread.finish() }

  /// Runs one statement that commits by itself.
  @discardableResult
  public func execute(_ query: PostgresQuery) async throws -> PostgresRows {
    try await run { try $0.query(query) }
  }

  /// Runs `body` on the lane's thread: any number of statements for one hand-over. It may block only on its connection.
  ///
  /// Cancelling the task cancels the statement that runs, and each later one of `body`. A transaction that `body` leaves
  /// open is rolled back.
  @discardableResult
  public func run<T: Sendable>(
    _ body: @escaping @Sendable (PostgresLaneConnection) throws -> T
  ) async throws -> T {
    let ticket = StatementTicket()
    let result: Result<Result<T, any Error>, PostgresError> = await thread.run(ticket: ticket) { connection in
      let result = Result { try body(PostgresLaneConnection(connection, ticket: ticket)) }
      connection.rollBack()
      return .success(result)
    }
    return try result.get().get()
  }

  /// Refuses new work, lets what was handed over end, closes the connection, and returns after that.
  public func close() async {
    thread.finish()
    await ended.wait()
  }
}

/// A connection as its thread sees it: every call blocks. Not Sendable, so it stays there.
public final class PostgresLaneConnection {
  private let connection: LibpqConnection
  private let ticket: StatementTicket?
  private var transaction: Int?

  init(_ connection: LibpqConnection, ticket: StatementTicket?) {
    self.connection = connection
    self.ticket = ticket
  }

  /// Runs one statement: in the transaction if one is open, else it commits by itself.
  @discardableResult
  public func query(_ query: PostgresQuery) throws(PostgresError) -> PostgresRows {
    try connection.execute(query, transaction: transaction, ticket: ticket)
  }

  /// Runs a text of one or more statements without parameters, in the transaction if one is open.
  public func script(_ sql: String) throws(PostgresError) {
    try connection.executeScript(sql, transaction: transaction, ticket: ticket)
  }

  /// Runs `body` in a transaction: committed when it returns, rolled back when it throws.
  @discardableResult
  public func transaction<T>(_ options: TransactionOptions = .init(), _ body: () throws -> T) throws -> T {
    guard transaction == nil else { throw PostgresError(.misuse, "transactions do not nest") }
    let number = try connection.begin(options, ticket: ticket)
    transaction = number
    defer { transaction = nil }
    let value: T
    do {
      value = try body()
    } catch {
      connection.rollBack()
      throw error
    }
    try connection.commit(number)
    return value
  }
}
