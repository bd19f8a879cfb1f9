import Postgres
import TestSupport
import Testing

private struct Refused: Error {}

@Suite("A transaction")
struct TransactionTests {
  @Test("what the body returns is committed, and a body that throws leaves nothing")
  func commitAndRollback() async throws {
    try await withDatabase { database in
      let client = database.client
      try await client.query("CREATE TABLE t (x int)")
      let count = try await client.transaction { transaction in
        try await transaction.query("INSERT INTO t SELECT * FROM generate_series(1, 3)").affectedRows
      }
      #expect(count == 3)
      await #expect(throws: Refused.self) {
        try await client.transaction { transaction in
          try await transaction.query("DELETE FROM t")
          throw Refused()
        }
      }
      #expect(try await client.query("SELECT count(*) FROM t").value(Int.self) == 3)
    }
  }

  @Test("an error that the body swallowed does not turn into a silent rollback")
  func swallowedError() async throws {
    try await withDatabase { database in
      let error = await failure {
        try await database.client.transaction { _ = try? await $0.query("SELECT 1/0") }
      }
      #expect(error?.sqlState == .inFailedTransaction)
    }
  }

  @Test("a savepoint's failure undoes only its own part")
  func savepoint() async throws {
    try await withDatabase { database in
      let client = database.client
      try await client.query("CREATE TABLE t (x int UNIQUE)")
      try await client.transaction { transaction in
        try await transaction.query("INSERT INTO t VALUES (1)")
        let error = await failure {
          try await transaction.savepoint {
            try await $0.query("INSERT INTO t VALUES (2)")
            try await $0.query("INSERT INTO t VALUES (1)")
          }
        }
        #expect(error?.isUniqueViolation() == true)
        try await transaction.savepoint { try await $0.query("INSERT INTO t VALUES (3)") }
      }
      #expect(try await client.query("SELECT array_agg(x::int8 ORDER BY x) FROM t").value([Int].self) == [1, 3])
    }
  }

  @Test("a transaction used after its end is refused and touches nobody else's")
  func afterTheEnd() async throws {
    try await withDatabase(configure: { $0.maximumConnections = 1 }) { database in
      let client = database.client
      let old = try await client.transaction { $0 }
      #expect(await failure { try await old.query("SELECT 1") }?.code == .closed)
      try await client.transaction { _ in
        #expect(await failure { try await old.query("SELECT 1") }?.code == .closed)
      }
    }
  }

  @Test("a transaction opened by hand through query() does not stay open for the next user")
  func openedByHand() async throws {
    try await withDatabase(configure: { $0.maximumConnections = 1 }) { database in
      let client = database.client
      try await client.query("CREATE TABLE t (x int)")
      try await client.query("BEGIN")
      try await client.query("INSERT INTO t VALUES (1)")
      #expect(try await client.query("SELECT count(*) FROM t").value(Int.self) == 1)
      try await client.transaction { try await $0.query("INSERT INTO t VALUES (2)") }
      #expect(try await client.query("SELECT count(*) FROM t").value(Int.self) == 2)
    }
  }

  @Test("role, settings and row-level security hold for one transaction and never reach the connection's next user")
  func rowSecurity() async throws {
    try await withDatabase(configure: { $0.maximumConnections = 1 }) { database in
      let client = database.client
      let role = "tenant \"\(database.name)\""
      try await client.query("CREATE ROLE \(identifier: role)")
      try await client.query("CREATE TABLE notes (tenant text, body text)")
      try await client.query("INSERT INTO notes VALUES ('a', 'one'), ('b', 'two'), ('o''b\\x', 'three')")
      try await client.query("ALTER TABLE notes ENABLE ROW LEVEL SECURITY")
      try await client.query("CREATE POLICY own ON notes USING (tenant = current_setting('app.tenant', true))")
      try await client.query("GRANT SELECT ON notes TO \(identifier: role)")

      for (tenant, body) in [("a", "one"), ("b", "two"), ("o'b\\x", "three")] {
        let options = TransactionOptions(role: role, settings: [("app.tenant", tenant)], readOnly: true)
        let seen = try await client.transaction(options) { transaction in
          try await transaction.query("SELECT body FROM notes").map { try $0.get("body", as: String.self) }
        }
        #expect(seen == [body])
        let row = try #require(
          try await client.query("SELECT current_user::text AS who, current_setting('app.tenant', true) AS tenant")
            .first)
        #expect(try row.get("who", as: String.self) != role)
        #expect(try row.get("tenant", as: String?.self) ?? "" == "")
      }
      // Nor after a failure.
      _ = await failure {
        try await client.transaction(.init(role: role, settings: [("app.tenant", "a")])) {
          try await $0.query("DELETE FROM notes")
        }
      }
      #expect(try await client.query("SELECT count(*) FROM notes").value(Int.self) == 3)
      let unknown = await failure { try await client.transaction(.init(role: "no such role")) { _ in } }
      #expect(unknown?.sqlState != nil)
      #expect(try await client.query("SELECT count(*) FROM notes").value(Int.self) == 3)
      try await client.query("DROP OWNED BY \(identifier: role)")
      try await client.query("DROP ROLE \(identifier: role)")
    }
  }

  @Test("isolation and read-only reach the server")
  func modes() async throws {
    try await withDatabase { database in
      let level = try await database.client.transaction(.init(isolation: .serializable)) {
        try await $0.query("SELECT current_setting('transaction_isolation')").value(String.self)
      }
      #expect(level == "serializable")
      let error = await failure {
        try await database.client.transaction(.init(readOnly: true)) { try await $0.query("CREATE TABLE t (x int)") }
      }
      #expect(error?.sqlState == .readOnlyTransaction)
    }
  }

  @Test("cancelling a task rolls its transaction back and frees the connection")
  func cancelled() async throws {
    try await withDatabase(configure: { $0.maximumConnections = 1 }) { database in
      let client = database.client
      try await client.query("CREATE TABLE t (x int)")
      let (started, signal) = AsyncStream.makeStream(of: Void.self)
      let task = Task {
        await failure {
          try await client.transaction { transaction in
            try await transaction.query("INSERT INTO t VALUES (1)")
            signal.finish()
            try await transaction.query("SELECT pg_sleep(60)")
          }
        }
      }
      for await _ in started {}
      task.cancel()
      #expect(await task.value?.code == .cancelled)
      #expect(try await client.query("SELECT count(*) FROM t").value(Int.self) == 0)
    }
  }

  @Test("two transactions that deadlock: one fails with an error that may be retried")
  func deadlock() async throws {
    try await withDatabase { database in
      let client = database.client
      try await client.query("CREATE TABLE t (id int PRIMARY KEY, x int)")
      try await client.query("INSERT INTO t VALUES (1, 0), (2, 0)")
      let (firstLocked, first) = AsyncStream.makeStream(of: Void.self)
      let (secondLocked, second) = AsyncStream.makeStream(of: Void.self)
      async let one = failure {
        try await client.transaction {
          try await $0.query("UPDATE t SET x = 1 WHERE id = 1")
          first.finish()
          for await _ in secondLocked {}
          try await $0.query("UPDATE t SET x = 1 WHERE id = 2")
        }
      }
      async let two = failure {
        try await client.transaction {
          try await $0.query("UPDATE t SET x = 2 WHERE id = 2")
          second.finish()
          for await _ in firstLocked {}
          try await $0.query("UPDATE t SET x = 2 WHERE id = 1")
        }
      }
      let errors = await [one, two].compactMap { $0 }
      #expect(errors.count == 1)
      #expect(errors.first?.isRetryable == true)
    }
  }
}
