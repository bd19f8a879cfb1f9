/// An open transaction. It is valid until the closure it was given to returns; later statements fail with `.closed`.
public struct PostgresTransaction: Sendable {
  let thread: ConnectionThread
  let number: Int

  /// Runs one statement in the transaction. Statements of concurrent child tasks run one after the other.
  @discardableResult
  public func query(_ query: PostgresQuery) async throws -> PostgresRows {
    let ticket = StatementTicket()
    return try await thread.run(ticket: ticket) { [number] connection in
      Result { () throws(PostgresError) in try connection.execute(query, transaction: number, ticket: ticket) }
    }.get()
  }

  /// Runs `body` so that its failure undoes only its own changes: the transaction can continue after the error was caught.
  @discardableResult
  public func savepoint<T: Sendable>(
    isolation: isolated (any Actor)? = #isolation, _ body: (PostgresTransaction) async throws -> T
  ) async throws -> T {
    try await script("SAVEPOINT nested")
    let value: T
    do {
      value = try await body(self)
    } catch {
      // Not cancellable, because the transaction may continue. If this fails, the transaction fails too, at the latest at
      // COMMIT.
      try? await script("ROLLBACK TO SAVEPOINT nested; RELEASE SAVEPOINT nested")
      throw error
    }
    try await script("RELEASE SAVEPOINT nested")
    return value
  }

  private func script(_ sql: String) async throws {
    _ = try await thread.run(ticket: nil) { [number] connection in
      Result { () throws(PostgresError) in try connection.executeScript(sql, transaction: number) }
    }.get()
  }
}
