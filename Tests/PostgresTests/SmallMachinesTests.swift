import Testing

@testable import Postgres

@Suite("The state of a connection")
struct ConnectionStateTests {
  @Test("a transaction admits only its own statements, and nobody's after its end")
  func transaction() {
    var state = ConnectionState()
    #expect(state.start(transaction: nil) == .refuse(.disconnected))
    state.connected()
    let number = state.nextTransaction()
    state.ended(server: .inTransaction, opening: number)
    #expect(state.start(transaction: number) == .proceed)
    #expect(state.start(transaction: nil) == .refuse(.transactionOpen))
    #expect(state.start(transaction: number + 1) == .refuse(.transactionOver))
    #expect(state.finish(transaction: number) == .commit)
    state.ended(server: .idle)
    #expect(state.start(transaction: number) == .refuse(.transactionOver))
    #expect(state.finish(transaction: number) == .refuse(.transactionOver))
    #expect(state.cleanup == .reuse)
  }

  @Test("a failed transaction is rolled back, not committed, and heals through a savepoint")
  func failed() {
    var state = ConnectionState()
    state.connected()
    let number = state.nextTransaction()
    state.ended(server: .inTransaction, opening: number)
    state.ended(server: .failed)
    #expect(state.finish(transaction: number) == .rollBackBecauseFailed)
    #expect(state.cleanup == .rollBack)
    state.ended(server: .inTransaction)
    #expect(state.finish(transaction: number) == .commit)
  }

  @Test("a lost connection is discarded, and a closed one stays closed")
  func ends() {
    var state = ConnectionState()
    state.connected()
    state.ended(server: .lost)
    #expect(state.cleanup == .discard)
    #expect(state.finish(transaction: 1) == .refuse(.disconnected))
    state.close()
    state.connected()
    #expect(state.start(transaction: nil) == .refuse(.closed))
  }
}

@Suite("The cache of prepared statements")
struct StatementCacheTests {
  @Test("a statement is prepared at its second use; the one unused for longest makes room")
  func preparing() {
    var cache = StatementCache(limit: 2, owner: "x")
    func key(_ sql: String) -> StatementCache.Key { .init(sql: sql, types: []) }
    #expect(cache.use(key("a")) == .unprepared)
    #expect(cache.use(key("a")) == .prepare(name: "s1_x", evicted: nil))
    #expect(cache.use(key("a")) == .prepared(name: "s1_x"))
    _ = cache.use(key("b"))
    #expect(cache.use(key("b")) == .prepare(name: "s2_x", evicted: nil))
    #expect(cache.use(key("a")) == .prepared(name: "s1_x"))
    _ = cache.use(key("c"))
    #expect(cache.use(key("c")) == .prepare(name: "s3_x", evicted: "s2_x"))
    let wasPrepared = cache.forget(key("a"))
    #expect(wasPrepared)
    #expect(cache.use(key("a")) == .unprepared)
    #expect(cache.use(.init(sql: "a", types: [25])) == .unprepared)
  }
}

@Suite("The fair queue")
struct FairQueueTests {
  @Test("a batch takes from every key in turn, in the order of each key")
  func fairness() {
    var queue = FairQueue<String, Int>()
    for number in 0..<1000 { queue.append(number, for: "loud") }
    queue.append(5000, for: "quiet")
    queue.append(5001, for: "quiet")
    queue.append(6000, for: "other")
    #expect(queue.take(upTo: 6) == [0, 5000, 6000, 1, 5001, 2])
    #expect(queue.count == 997)
    #expect(queue.count(of: "quiet") == 0)
    #expect(queue.take(upTo: 5000).count == 997)
    #expect(queue.isEmpty)
    #expect(queue.take(upTo: 1).isEmpty)
  }
}

@Suite("The writer of batches")
struct BatchWriterTests {
  private let writer = BatchWriter<Int, Int> { _, _ in [] }

  @Test("a batch with bad items is split until only those fail")
  func splitting() {
    var calls = 0
    let results = writer.outcomes(Array(0..<64)[...]) { items in
      calls += 1
      if items.contains(13) || items.contains(40) { throw PostgresError(.server(sqlState: "22P02"), "bad") }
      return items.map { $0 * 10 }
    }
    let failed = results.indices.filter { (try? results[$0].get()) == nil }
    #expect(failed == [13, 40])
    #expect((try? results[63].get()) == 630)
    #expect(calls < 30)
  }

  @Test("an error that is not about the data fails the whole batch at once; a deadlock is tried again")
  func others() {
    var calls = 0
    let lost = writer.outcomes([1, 2, 3]) { _ in
      calls += 1
      throw PostgresError(.outcomeUnknown, "lost")
    }
    #expect(calls == 1)
    #expect(lost.allSatisfy { (try? $0.get()) == nil })
    calls = 0
    let retried = writer.outcomes([1, 2, 3]) { items in
      calls += 1
      if calls < 3 { throw PostgresError(.server(sqlState: .deadlockDetected), "deadlock") }
      return items
    }
    #expect(retried.compactMap { try? $0.get() } == [1, 2, 3])
    let short = writer.outcomes([1, 2]) { _ in [1] }
    #expect(short.allSatisfy { (try? $0.get()) == nil })
  }
}

@Suite("Cutting a file into statements")
struct SQLStatementsTests {
  @Test("statements end at semicolons that stand outside of quotes and comments")
  func splitting() {
    let sql = """
      -- no transaction; really
      CREATE INDEX a ON t (x); /* one; /* nested; */ two; */
      SELECT ';', 'it''s;', E'\\';', "odd;name" FROM t;
      DO $body$ BEGIN PERFORM 1; END $body$;
      SELECT $1, $$a;b$$;
      ;  -- the end
      """
    let statements = SQLStatements.split(sql).map { $0.split(separator: "\n").last.map(String.init) ?? "" }
    #expect(
      statements == [
        "CREATE INDEX a ON t (x)", #"SELECT ';', 'it''s;', E'\';', "odd;name" FROM t"#,
        "DO $body$ BEGIN PERFORM 1; END $body$", "SELECT $1, $$a;b$$",
      ])
  }

  @Test(
    "an unfinished quote or comment ends with the text", arguments: ["SELECT 'a;", "SELECT $x$ a;", "SELECT 1 /* ;"])
  func unfinished(sql: String) {
    #expect(SQLStatements.split(sql).count == 1)
  }
}

@Suite("An error of Postgres")
struct ErrorTests {
  @Test(
    "messages that can quote a value lose it",
    arguments: [
      ("22P02", "invalid input syntax for type integer: \"bu\"y\"er\"", "invalid input syntax for type integer: \"…\""),
      ("22003", "value \"99\" is out of range for type integer", "value \"…\" is out of range for type integer"),
      ("22021", "invalid byte sequence for encoding \"UTF8\": 0xff", "invalid byte sequence for the encoding"),
      (
        "23505", "duplicate key value violates unique constraint \"u\"",
        "duplicate key value violates unique constraint \"u\""
      ),
    ] as [(SQLState, String, String)])
  func redaction(state: SQLState, message: String, expected: String) {
    #expect(PostgresError.redacted(message, state) == expected)
  }
}
