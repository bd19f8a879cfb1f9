import Foundation
import Postgres
import Synchronization
import TestSupport
import Testing

@Suite("The client of Postgres")
struct ClientTests {
  @Test("500 tasks share a pool of 4 connections and all get their own answer")
  func limits() async throws {
    try await withDatabase(configure: { $0.maximumConnections = 4 }) { database in
      let client = database.client
      let answers = try await withThrowingTaskGroup(of: (Int, Int, Int).self) { group in
        for number in 0..<500 {
          group.addTask {
            let row = try await client.query(
              "SELECT \(number) AS n, pg_backend_pid() AS pid"
            ).first
            guard let row else { return (number, -1, 0) }
            return (number, try row.get("n"), try row.get("pid"))
          }
        }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      #expect(answers.count == 500)
      #expect(answers.allSatisfy { $0.0 == $0.1 })
      #expect(Set(answers.map(\.2)).count <= 4)
      #expect(client.poolCounts.connections <= 4)
      #expect(client.poolCounts.waiting == 0)
    }
  }

  @Test("who finds no free connection in time learns it, and the pool goes on")
  func acquireTimeout() async throws {
    try await withDatabase(configure: {
      $0.maximumConnections = 1
      $0.acquireTimeout = .seconds(3)
    }) { database in
      let error = try await database.client.transaction { _ in
        await failure { try await database.client.query("SELECT 1") }
      }
      #expect(error?.code == .timeout)
      try await expectWorks(database.client)
    }
  }

  @Test("a task that is cancelled while it waits for a connection ends at once")
  func cancelWaiting() async throws {
    try await withDatabase(configure: { $0.maximumConnections = 1 }) { database in
      let client = database.client
      try await client.transaction { _ in
        let waiting = Task { await failure { try await client.query("SELECT 1") } }
        try await expectEventually { client.poolCounts.waiting == 1 }
        waiting.cancel()
        #expect(await waiting.value?.code == .cancelled)
        #expect(client.poolCounts.waiting == 0)
      }
    }
  }

  @Test("cancelling a task ends its statement on the server, and the connection is used again")
  func cancelRunning() async throws {
    try await withDatabase(configure: { $0.maximumConnections = 1 }) { database in
      let client = database.client
      let pid: Int = try await client.query("SELECT pg_backend_pid()").value()
      let started = ContinuousClock.now
      let running = Task { await failure { try await client.query("SELECT pg_sleep(60)") } }
      try await Task.sleep(for: .milliseconds(50))
      running.cancel()
      #expect(await running.value?.code == .cancelled)
      #expect(ContinuousClock.now - started < .seconds(20))
      #expect(try await client.query("SELECT pg_backend_pid()").value(Int.self) == pid)
    }
  }

  @Test("cancellations that race with their statements hit no other statement")
  func cancelRaces() async throws {
    try await withDatabase(configure: { $0.maximumConnections = 3 }) { database in
      let client = database.client
      await withTaskGroup(of: Void.self) { group in
        for number in 0..<200 {
          let cancelled = number.isMultiple(of: 2)
          group.addTask {
            let task = Task { try await client.query("SELECT pg_sleep(0.002), \(number) AS n").first?.get("n") as Int? }
            if cancelled {
              await Task.yield()
              task.cancel()
              let result = await task.result
              if case .failure(let error) = result { #expect((error as? PostgresError)?.code == .cancelled) }
            } else {
              let result = await task.result
              #expect((try? result.get()) == number)
            }
          }
        }
      }
      try await expectWorks(client)
    }
  }

  @Test("a statement that runs too long is ended by the server: the session's limit, or the transaction's own")
  func statementTimeout() async throws {
    try await withDatabase(configure: { $0.statementTimeout = .milliseconds(150) }) { database in
      let client = database.client
      let error = await failure { try await client.query("SELECT pg_sleep(30)") }
      #expect(error?.code == .timeout)
      #expect(error?.sqlState == .queryCanceled)
      let patient = TransactionOptions(statementTimeout: .seconds(10))
      try await client.transaction(patient) { try await $0.query("SELECT pg_sleep(0.3)") }
      let hasty = TransactionOptions(statementTimeout: .milliseconds(20))
      #expect(
        await failure { try await client.transaction(hasty) { try await $0.query("SELECT pg_sleep(0.1)") } }?.code
          == .timeout)
    }
  }

  @Test("connections that the server closed while idle are renewed without anybody noticing")
  func reconnect() async throws {
    try await withDatabase(configure: { $0.maximumConnections = 2 }) { database in
      let client = database.client
      let pid: Int = try await client.query("SELECT pg_backend_pid()").value()
      let other = PostgresClient(client.configuration, logger: quiet)
      try await other.query("SELECT pg_terminate_backend(\(pid)::int)")
      try await expectEventually {
        try await other.query("SELECT 1 FROM pg_stat_activity WHERE pid = \(pid)").isEmpty
      }
      #expect(try await client.query("SELECT pg_backend_pid()").value(Int.self) != pid)
      await other.close()
    }
  }

  @Test("a connection that breaks under a statement fails that statement only and is replaced")
  func brokenConnection() async throws {
    try await withDatabase(configure: { $0.maximumConnections = 1 }) { database in
      let client = database.client
      let suicide = await failure { try await client.query("SELECT pg_terminate_backend(pg_backend_pid())") }
      #expect(suicide?.code == .connection || suicide?.code == .outcomeUnknown)
      try await expectWorks(client)

      let inside = await failure {
        try await client.transaction { transaction in
          try await transaction.query("SELECT pg_terminate_backend(pg_backend_pid())")
        }
      }
      #expect(inside?.code == .connection)
      #expect(inside?.isRetryable == true)
      // A transaction whose connection is gone does not move to another one.
      let swallowed = await failure {
        try await client.transaction { transaction in
          _ = try? await transaction.query("SELECT pg_terminate_backend(pg_backend_pid())")
          #expect(await failure { try await transaction.query("SELECT 1") } != nil)
        }
      }
      #expect(swallowed?.code == .connection)
      try await expectWorks(client)
    }
  }

  @Test("when the connection breaks during COMMIT the error says that the outcome is unknown")
  func unknownOutcome() async throws {
    try await withDatabase { database in
      let client = database.client
      // A deferred trigger runs within COMMIT and ends the session there.
      try await client.query("CREATE TABLE t (x int)")
      try await client.query(
        """
        CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$
        """)
      try await client.query(
        """
        CREATE CONSTRAINT TRIGGER die AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION die()
        """)
      let error = await failure {
        try await client.transaction { try await $0.query("INSERT INTO t VALUES (1)") }
      }
      #expect(error?.code == .outcomeUnknown)
      #expect(error?.isRetryable == false)
      #expect(try await client.query("SELECT count(*) FROM t").value(Int.self) == 0)
    }
  }

  @Test("a server that is not there gives a connection error after the acquire timeout")
  func unreachable() async throws {
    var configuration = try PostgresConfiguration(url: "postgres://nobody@127.0.0.1:1/none")
    configuration.acquireTimeout = .milliseconds(200)
    let client = PostgresClient(configuration, logger: quiet)
    let error = await failure { try await client.query("SELECT 1") }
    #expect(error?.code == .connection)
    await client.close()
  }

  @Test("closing lets running work end, refuses new work, and may be repeated")
  func closing() async throws {
    let database = try await TestDatabase.make()
    let client = database.client
    try await client.query("SELECT 1")
    let (begun, begin) = AsyncStream.makeStream(of: Void.self)
    let (released, release) = AsyncStream.makeStream(of: Void.self)
    let running = Task {
      try await client.transaction { transaction in
        begin.finish()
        for await _ in released {}
        return try await transaction.query("SELECT 7").value(Int.self)
      }
    }
    for await _ in begun {}
    let closing = Task { await client.close() }
    // Work that came a moment before the end may still be done; from some moment on all of it is refused.
    try await expectEventually { await failure { try await client.query("SELECT 1") }?.code == .closed }
    release.finish()
    await closing.value
    #expect(try await running.value == 7)
    #expect(await failure { try await client.query("SELECT 1") }?.code == .closed)
    #expect(client.poolCounts.connections == 0)
    await database.close()
  }

  @Test("run() closes the client when its task is cancelled")
  func running() async throws {
    let database = try await TestDatabase.make()
    let client = database.client
    let service = Task { try await client.run() }
    try await client.query("SELECT 1")
    service.cancel()
    try await service.value
    #expect(await failure { try await client.query("SELECT 1") }?.code == .closed)
    await database.close()
  }

  @Test("a server error carries SQLSTATE, constraint and table, and no value")
  func serverErrors() async throws {
    try await withDatabase { database in
      let client = database.client
      try await client.query("CREATE TABLE buyers (mail text CONSTRAINT one_mail UNIQUE, age int)")
      try await client.query("INSERT INTO buyers VALUES (\("buyer@example.com"), 1)")
      let twice = await failure { try await client.query("INSERT INTO buyers VALUES (\("buyer@example.com"), 1)") }
      #expect(twice?.code == .server(sqlState: .uniqueViolation))
      #expect(twice?.constraint == "one_mail")
      #expect(twice?.table == "buyers")
      #expect(twice?.isUniqueViolation(of: "one_mail") == true)
      #expect(twice?.isDataError == true)
      let bad = await failure { try await client.query("SELECT \("buyer@example.com")::int") }
      #expect(bad?.sqlState == .invalidTextRepresentation)
      for error in [twice, bad] { #expect(!String(describing: error).contains("buyer@")) }
    }
  }

  @Test("a prepared statement survives a change of its table")
  func preparedPlans() async throws {
    try await withDatabase(configure: { $0.maximumConnections = 1 }) { database in
      let client = database.client
      try await client.query("CREATE TABLE t (a int)")
      try await client.query("INSERT INTO t VALUES (1)")
      for _ in 0..<3 { #expect(try await client.query("SELECT * FROM t WHERE a = \(1)").columns == ["a"]) }
      try await client.query("ALTER TABLE t ADD COLUMN b int")
      #expect(try await client.query("SELECT * FROM t WHERE a = \(1)").columns == ["a", "b"])
      #expect(try await client.query("UPDATE t SET b = 5").affectedRows == 1)
    }
  }
}
