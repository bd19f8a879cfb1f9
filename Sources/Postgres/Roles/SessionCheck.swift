extension PostgresClient {
  /// Checks that a connection is one session of the server from beginning to end: a role, a prepared statement, a lock and a
  /// LISTEN belong to the session. A pooler in transaction mode gives each transaction another session.
  ///
  /// Two connections are open at once. If they are real sessions, each keeps its own server process and never gets the
  /// other's.
  /// - Throws: `.pooled`.
  public func checkSessions() async throws {
    let lane = lane(name: "pg-check", reconnects: false)
    do {
      let first = try await Self.process(lane.execute(Self.question))
      let (other, second) = try await transaction { transaction in
        (
          try await Self.process(transaction.query(Self.question)),
          try await Self.process(lane.execute(Self.question))
        )
      }
      await lane.close()
      guard first == second, first != other else {
        throw PostgresError(
          .pooled,
          "a pooler in transaction mode stands between this service and the database. Use session mode, or a connection to "
            + "the server itself: roles, prepared statements, locks and notifications belong to a session")
      }
    } catch {
      await lane.close()
      throw error
    }
  }

  private static let question: PostgresQuery = "SELECT pg_backend_pid() AS process"

  private static func process(_ rows: PostgresRows) throws -> Int { try rows.first?.get("process") ?? 0 }
}
