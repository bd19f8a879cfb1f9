import CLibpq

/// One session, used only by the thread that owns it. All calls block.
final class LibpqConnection {
  private let configuration: PostgresConfiguration
  private var connection: OpaquePointer?
  private var statements: StatementCache
  private(set) var state = ConnectionState()
  /// The last attempt to connect failed.
  private(set) var couldNotConnect = false
  private let reconnects: Bool
  /// How many sessions there have been. If the number has changed, everything that the old session held (a LISTEN, a lock) is
  /// gone.
  private(set) var sessions = 0
  /// When this session was made, in the count of `PrimaryEpoch`.
  private var epoch = 0
  /// The open transaction was asked to be read-only, so a refused write says nothing about the server.
  private var mayNotWrite = false
  let cancelSlot: CancelSlot
  /// Whether the server announced that it ends this session. Stored at an address that libpq can keep.
  private let farewell = UnsafeMutablePointer<Bool>.allocate(capacity: 1)

  /// - Parameter reconnects: false for sessions that hold something (an advisory lock) which a new session would lack.
  init(
    _ configuration: PostgresConfiguration, reconnects: Bool = true, cancelSlot: CancelSlot = CancelSlot()
  ) {
    self.configuration = configuration
    self.reconnects = reconnects
    self.cancelSlot = cancelSlot
    statements = StatementCache(limit: configuration.maximumPreparedStatements)
    farewell.initialize(to: false)
  }

  deinit {
    drop()
    farewell.deallocate()
  }

  // MARK: Connecting

  func connect() throws(PostgresError) {
    guard state.phase != .closed else { throw PostgresError(.closed, "the connection is closed") }
    guard reconnects || sessions == 0 else {
      throw PostgresError(.connection, "the session was lost, and all that it held")
    }
    drop()
    couldNotConnect = true
    epoch = configuration.primary.current
    let settings = try configuration.sessionSettings.statement()
    let parameters = configuration.connectionParameters()
    for parameter in parameters where parameter.value.utf8.contains(0) {
      throw PostgresError(.encoding, "a connection parameter contains NUL")
    }
    guard
      let new = withCStrings(
        parameters.map(\.keyword),
        { keywords in
          withCStrings(parameters.map(\.value)) { values in PQconnectdbParams(keywords, values, 0) }
        })
    else { throw PostgresError(.connection, "out of memory") }
    guard PQstatus(new) == CONNECTION_OK else {
      let message = Self.message(of: new)
      PQfinish(new)
      throw PostgresError(.connection, message)
    }
    // Notices would go to standard error and can quote values. Only the one that ends an idle session matters (a shutdown, an
    // administrator): outside of statements libpq reports that error as a notice too.
    farewell.pointee = false
    PQsetNoticeReceiver(
      new,
      { farewell, notice in
        guard let severity = PQresultErrorField(notice, 86 /* V, severity, not translated */) else { return }
        if ["FATAL", "PANIC"].contains(String(cString: severity)) {
          farewell?.assumingMemoryBound(to: Bool.self).pointee = true
        }
      }, farewell)
    do {
      try Self.apply(settings, to: new)
    } catch {
      PQfinish(new)
      throw error
    }
    connection = new
    couldNotConnect = false
    sessions += 1
    cancelSlot.connected(new)
    state.connected()
  }

  /// Applies the settings of every session, and checks that the server accepted them.
  private static func apply(_ settings: String, to connection: OpaquePointer) throws(PostgresError) {
    let result = PQexec(connection, settings)
    defer { PQclear(result) }
    guard let result, PQresultStatus(result) == PGRES_TUPLES_OK else {
      let state = result.flatMap { PostgresError.server($0).sqlState }
      throw PostgresError(
        .connection, "the session cannot be set up: " + message(of: connection), sqlState: state)
    }
  }

  /// Connects if there is no connection, if the server closed it while it was idle, or if it leads to a server that was found
  /// to be read-only. So a restart of the server, or its replacement by another, costs the next caller a reconnect and not an
  /// error.
  func ensureLive() throws(PostgresError) {
    if connection != nil, state.phase == .idle, epoch != configuration.primary.current { lose() }
    if let connection, state.phase != .disconnected {
      guard clibpq_poll_readable(PQsocket(connection), -1, 0) != 0 else { return }
      // Unrequested data has come. `PQisBusy` parses it; a farewell from the server reaches the notice receiver.
      if PQconsumeInput(connection) == 1, PQisBusy(connection) == 0, PQstatus(connection) == CONNECTION_OK,
        !farewell.pointee
      {
        return
      }
      lose()
    }
    try connect()
  }

  func close() {
    drop()
    state.close()
  }

  private func lose() {
    drop()
    state.lost()
  }

  private func drop() {
    statements.removeAll()
    cancelSlot.disconnected()
    if let connection { PQfinish(connection) }
    connection = nil
  }

  // MARK: Statements

  /// Runs one statement: in the transaction with that number, or outside of any.
  func execute(
    _ query: PostgresQuery, transaction: Int? = nil, ticket: StatementTicket? = nil
  ) throws(PostgresError) -> PostgresRows {
    let parameters = try EncodedParameters(query.parameters)
    let sql = query.sql
    guard !sql.utf8.contains(0) else { throw PostgresError(.encoding, "the statement contains NUL") }
    if transaction == nil { try ensureLiveIfIdle() }
    try admit(transaction: transaction)

    let key = StatementCache.Key(sql: sql, types: parameters.types)
    do {
      return try run(ticket, inTransaction: transaction != nil) { (connection) throws(PostgresError) in
        try send(key, parameters, on: connection)
      }
    } catch {
      // The plan of a prepared statement can become unusable (a table changed its columns), or the statement can be gone (a
      // pooler between here and the server). Outside a transaction nothing has happened yet, so it is tried once more,
      // unprepared.
      guard error.sqlState == .featureNotSupported || error.sqlState == .invalidStatementName,
        statements.forget(key), transaction == nil, state.phase == .idle
      else { throw error }
      return try run(ticket, inTransaction: false) { (connection) throws(PostgresError) in
        try send(key, parameters, on: connection)
      }
    }
  }

  /// Runs a text of one or more statements without parameters (libpq's simple protocol).
  @discardableResult
  func executeScript(
    _ sql: String, transaction: Int? = nil, ticket: StatementTicket? = nil
  ) throws(PostgresError) -> PostgresRows {
    guard !sql.utf8.contains(0) else { throw PostgresError(.encoding, "the statement contains NUL") }
    if transaction == nil { try ensureLiveIfIdle() }
    try admit(transaction: transaction)
    return try run(ticket, inTransaction: transaction != nil) { connection in PQexec(connection, sql) }
  }

  // MARK: Transactions

  /// Opens a transaction and returns its number.
  func begin(_ options: TransactionOptions, ticket: StatementTicket? = nil) throws(PostgresError) -> Int {
    let sql = try options.openingSQL()
    try ensureLiveIfIdle()
    try admit(transaction: nil)
    let number = state.nextTransaction()
    do {
      mayNotWrite = options.readOnly
      _ = try run(ticket, inTransaction: true, opening: number) { connection in PQexec(connection, sql) }
    } catch {
      rollBack()
      throw error
    }
    return number
  }

  /// - Throws: `.outcomeUnknown` when the connection broke after COMMIT was sent.
  func commit(_ transaction: Int) throws(PostgresError) {
    switch state.finish(transaction: transaction) {
    case .commit:
      do {
        _ = try run(nil, inTransaction: false) { connection in PQexec(connection, "COMMIT") }
      } catch {
        rollBack()
        throw error
      }
    case .rollBackBecauseFailed:
      rollBack()
      throw PostgresError(
        .server(sqlState: .inFailedTransaction),
        "a statement of the transaction failed and the error was not passed on; the transaction was rolled back")
    case .refuse(.disconnected):
      throw PostgresError(.connection, "the connection broke before COMMIT; nothing was kept")
    case .refuse(let refusal):
      throw Self.error(refusal)
    }
  }

  /// Ends whatever transaction is open. A connection on which that fails is dropped, which ends it, too.
  func rollBack() {
    guard state.cleanup == .rollBack else { return }
    do {
      _ = try run(nil, inTransaction: true) { connection in PQexec(connection, "ROLLBACK") }
      if state.cleanup == .rollBack { lose() }
    } catch {
      lose()
    }
  }

  // MARK: Waiting for notifications

  /// Everything that arrived without a statement. Nil means that the connection is lost.
  func receivedNotifications() -> [(channel: String, payload: String)]? {
    guard let connection, PQconsumeInput(connection) == 1, PQstatus(connection) == CONNECTION_OK else {
      lose()
      return nil
    }
    var found: [(channel: String, payload: String)] = []
    while let notification = PQnotifies(connection) {
      found.append(
        (
          notification.pointee.relname.map { String(cString: $0) } ?? "",
          notification.pointee.extra.map { String(cString: $0) } ?? ""
        ))
      PQfreemem(notification)
    }
    return found
  }

  var socket: Int32 { connection.map { PQsocket($0) } ?? -1 }

  // MARK: Sending

  private func ensureLiveIfIdle() throws(PostgresError) {
    switch state.phase {
    case .disconnected, .idle: try ensureLive()
    case .inTransaction, .failed, .closed: break
    }
  }

  private func admit(transaction: Int?) throws(PostgresError) {
    if case .refuse(let refusal) = state.start(transaction: transaction) { throw Self.error(refusal) }
  }

  private static func error(_ refusal: ConnectionState.Refusal) -> PostgresError {
    switch refusal {
    case .closed: PostgresError(.closed, "the connection is closed")
    case .disconnected: PostgresError(.connection, "not connected")
    case .transactionOver: PostgresError(.closed, "the transaction is over")
    case .transactionOpen: PostgresError(.misuse, "a transaction is open on this connection")
    }
  }

  private func send(
    _ key: StatementCache.Key, _ parameters: EncodedParameters, on connection: OpaquePointer
  ) throws(PostgresError) -> OpaquePointer? {
    let use = configuration.preparesStatements ? statements.use(key) : .unprepared
    switch use {
    case .unprepared:
      return parameters.withPointers { values, lengths, formats in
        PQexecParams(
          connection, key.sql, Int32(parameters.count), parameters.types, values, lengths, formats, 0)
      }
    case .prepare(let name, let evicted):
      if let evicted {
        PQclear(PQexec(connection, "DEALLOCATE " + evicted))
      }
      let prepared = PQprepare(connection, name, key.sql, Int32(parameters.count), parameters.types)
      guard PQresultStatus(prepared) == PGRES_COMMAND_OK else {
        statements.forget(key)
        return prepared
      }
      PQclear(prepared)
      return sendPrepared(name, parameters, on: connection)
    case .prepared(let name):
      return sendPrepared(name, parameters, on: connection)
    }
  }

  private func sendPrepared(
    _ name: String, _ parameters: EncodedParameters, on connection: OpaquePointer
  ) -> OpaquePointer? {
    parameters.withPointers { values, lengths, formats in
      PQexecPrepared(connection, name, Int32(parameters.count), values, lengths, formats, 0)
    }
  }

  /// Sends, waits, and turns the answer into rows or an error; keeps the state in step with the server's.
  private func run(
    _ ticket: StatementTicket?, inTransaction: Bool, opening: Int? = nil,
    _ send: (OpaquePointer) throws(PostgresError) -> OpaquePointer?
  ) throws(PostgresError) -> PostgresRows {
    guard let connection else { throw PostgresError(.connection, "not connected") }
    cancelSlot.begin(ticket)
    if let ticket {
      ticket.attach(to: cancelSlot)
      if ticket.isCancelled {
        cancelSlot.end()
        throw PostgresError(.cancelled, "cancelled before the statement was sent")
      }
    }
    let result: OpaquePointer?
    do { result = try send(connection) } catch {
      cancelSlot.end()
      throw error
    }
    cancelSlot.end()

    let outcome = noticingReadOnly(
      self.outcome(of: result, on: connection, ticket, inTransaction: inTransaction), on: connection)
    switch PQtransactionStatus(connection) {
    case PQTRANS_IDLE: state.ended(server: .idle, opening: opening)
    case PQTRANS_INTRANS: state.ended(server: .inTransaction, opening: opening)
    case PQTRANS_INERROR: state.ended(server: .failed, opening: opening)
    default: lose()  // lost, or in a mode (COPY) that this module does not speak
    }
    return try outcome.get()
  }

  /// A server that became a standby keeps its connections and refuses writes; it reports both in its parameters (PostgreSQL
  /// 14 and newer). What it refused took no effect and must go to another server, as after a lost connection.
  private func noticingReadOnly(
    _ outcome: Result<PostgresRows, PostgresError>, on connection: OpaquePointer
  ) -> Result<PostgresRows, PostgresError> {
    func isOn(_ parameter: String) -> Bool {
      PQparameterStatus(connection, parameter).map { String(cString: $0) == "on" } ?? false
    }
    let isRefused = if case .failure(let error) = outcome { error.sqlState == .readOnlyTransaction } else { false }
    let isStandby = configuration.needsPrimary && (isOn("in_hot_standby") || isOn("default_transaction_read_only"))
    guard isStandby || (isRefused && !mayNotWrite) else { return outcome }
    configuration.primary.lost(during: epoch)
    guard isRefused else { return outcome }
    return .failure(PostgresError(.connection, "the server is read-only", sqlState: .readOnlyTransaction))
  }

  private func outcome(
    of result: OpaquePointer?, on connection: OpaquePointer, _ ticket: StatementTicket?, inTransaction: Bool
  ) -> Result<PostgresRows, PostgresError> {
    let isLost = PQstatus(connection) != CONNECTION_OK
    guard let result else {
      return .failure(lossError(Self.message(of: connection), inTransaction: inTransaction))
    }
    switch PQresultStatus(result) {
    case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY, PGRES_SINGLE_TUPLE:
      return .success(PostgresRows(result: QueryResult(owning: result)))
    case PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH:
      PQclear(result)
      return .failure(PostgresError(.misuse, "COPY is not supported"))
    default:
      defer { PQclear(result) }
      // 67 is 'C', the field with the SQLSTATE (PG_DIAG_SQLSTATE). If it is missing, the message is libpq's own: the
      // connection broke.
      guard PQresultErrorField(result, 67) != nil else {
        return .failure(lossError(Self.message(of: connection), inTransaction: inTransaction))
      }
      var error = PostgresError.server(result)
      if isLost {
        // The server said why it ended the session. It can do so even after it has committed.
        error.code = inTransaction ? .connection : .outcomeUnknown
      } else if error.sqlState == .queryCanceled {
        error.code = ticket?.isCancelled == true ? .cancelled : .timeout
      }
      return .failure(error)
    }
  }

  /// Inside a transaction, a broken connection means that nothing was kept. Outside, the outcome is unknown.
  private func lossError(_ message: String, inTransaction: Bool) -> PostgresError {
    PostgresError(inTransaction ? .connection : .outcomeUnknown, "the connection broke: " + message)
  }

  private static func message(of connection: OpaquePointer) -> String {
    let text = PQerrorMessage(connection).map { String(cString: $0) } ?? ""
    return text.split(separator: "\n").joined(separator: "; ")
  }
}

/// Calls `body` with a NULL-terminated array of C strings.
private func withCStrings<R>(_ strings: [String], _ body: (UnsafePointer<UnsafePointer<CChar>?>) -> R) -> R {
  var bytes: [CChar] = []
  var offsets: [Int] = []
  for string in strings {
    offsets.append(bytes.count)
    bytes.append(contentsOf: string.utf8CString)
  }
  return bytes.withUnsafeBufferPointer { buffer in
    var pointers: [UnsafePointer<CChar>?] = offsets.map { offset in buffer.baseAddress.map { $0 + offset } }
    pointers.append(nil)
    return pointers.withUnsafeBufferPointer { list in
      guard let start = list.baseAddress else { preconditionFailure("an array with one element has an address") }
      return body(start)
    }
  }
}
