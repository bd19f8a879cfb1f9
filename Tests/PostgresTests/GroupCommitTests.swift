import Postgres
import Synchronization
import TestSupport
import Testing

private struct Event: Sendable {
  var tenant: String
  var id: String
  var number = "0"
}

@Suite("A group commit")
struct GroupCommitTests {
  /// The outcome tells whether the event is new.
  private func receiver(
    _ client: PostgresClient, _ limits: GroupCommit<Event, Bool>.Limits = .init(),
    before: @escaping @Sendable ([Event], PostgresLaneConnection) throws -> Void = { _, _ in }
  ) -> GroupCommit<Event, Bool> {
    GroupCommit(client: client, limits: limits, logger: quiet, fairnessKey: \.tenant) { events, connection in
      try before(events, connection)
      let rows = try connection.query(
        """
        INSERT INTO inbox (id, number)
        SELECT DISTINCT ON (id) id, number::int FROM unnest(\(events.map(\.id)), \(events.map(\.number))) AS e (id, number)
        ON CONFLICT DO NOTHING RETURNING id
        """)
      var new = Set(try rows.map { try $0.get("id", as: String.self) })
      return events.map { new.remove($0.id) != nil }
    }
  }

  private func makeTable(_ client: PostgresClient) async throws {
    try await client.query("CREATE TABLE inbox (id text PRIMARY KEY, number int)")
  }

  @Test("all who submit at once are answered, each new id once, in far fewer commits than items")
  func grouping() async throws {
    try await withDatabase { database in
      try await makeTable(database.client)
      let writes = Mutex(0)
      let receiver = receiver(database.client) { _, _ in writes.withLock { $0 += 1 } }
      let new = try await withThrowingTaskGroup(of: Bool.self) { group in
        for number in 0..<2000 {
          group.addTask { try await receiver.submit(Event(tenant: "t", id: "\(number % 1500)")) }
        }
        return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
      }
      #expect(new == 1500)
      #expect(try await database.client.query("SELECT count(*) FROM inbox").value(Int.self) == 1500)
      #expect(writes.withLock { $0 } < 1000)
      await receiver.shutdown()
    }
  }

  @Test("one bad item fails alone; the others of its batch are kept")
  func badItem() async throws {
    try await withDatabase { database in
      try await makeTable(database.client)
      let receiver = receiver(database.client, .init(lanes: 1))
      let failed = await withTaskGroup(of: (Int, PostgresError?).self) { group -> [(Int, PostgresError)] in
        for number in 0..<200 {
          let content = number == 77 ? "not a number" : "\(number)"
          group.addTask {
            (number, await failure { try await receiver.submit(Event(tenant: "t", id: "\(number)", number: content)) })
          }
        }
        var failed: [(Int, PostgresError)] = []
        for await (number, error) in group { if let error { failed.append((number, error)) } }
        return failed
      }
      #expect(failed.map(\.0) == [77])
      #expect(failed.first?.1.sqlState == .invalidTextRepresentation)
      #expect(try await database.client.query("SELECT count(*) FROM inbox").value(Int.self) == 199)
      await receiver.shutdown()
    }
  }

  @Test(
    "an item that cannot be carried, that a policy or a limit of the server refuses, or that a trigger does, fails alone",
    arguments: ["with\u{0}NUL", String(repeating: "x", count: 9_000), "42501", "44000", "P0001", "our own"])
  func refusedItem(_ bad: String) async throws {
    try await withDatabase { database in
      try await makeTable(database.client)
      try await database.client.query(
        """
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF length(NEW.id) = 5 AND NEW.id !~ '^t' THEN RAISE 'refused' USING ERRCODE = NEW.id; END IF;
          RETURN NEW;
        END $$
        """)
      try await database.client.query(
        "CREATE TRIGGER refuse BEFORE INSERT ON inbox FOR EACH ROW EXECUTE FUNCTION refuse()")
      let receiver = receiver(database.client, .init(lanes: 1)) { events, _ in
        struct Unwritable: Error {}
        if events.contains(where: { $0.id == "our own" }) { throw Unwritable() }
      }
      let failed = await withTaskGroup(of: String?.self) { group -> [String] in
        for number in 0..<100 {
          // An index takes rows of 2,700 bytes at most (54000), and compresses what repeats.
          let id = number == 57 ? (bad.utf8.count > 1_000 ? noise : bad) : "t\(number)"
          group.addTask {
            do {
              _ = try await receiver.submit(Event(tenant: "t", id: id))
              return nil
            } catch { return id }
          }
        }
        return await group.reduce(into: []) { if let id = $1 { $0.append(id) } }
      }
      #expect(failed.count == 1 && failed.first?.hasPrefix("t") == false, "\(failed.map { $0.prefix(20) })")
      #expect(try await database.client.query("SELECT count(*) FROM inbox").value(Int.self) == 99)
      await receiver.shutdown()
    }
  }

  /// A text that does not compress.
  private var noise: String {
    var seed: UInt64 = 7
    return String(
      (0..<9_000).map { _ -> Character in
        seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Character(Unicode.Scalar(UInt8(0x41 + (seed >> 33) % 26)))
      })
  }

  /// Holds the lane in its first batch until told to go on.
  private final class Gate: Sendable {
    private let state = Mutex<(isOpen: Bool, entered: Int)>((false, 0))
    var entered: Int { state.withLock { $0.entered } }
    func open() { state.withLock { $0.isOpen = true } }
    func pass(_ connection: PostgresLaneConnection) throws {
      state.withLock { $0.entered += 1 }
      while !state.withLock({ $0.isOpen }) { try connection.query("SELECT pg_sleep(0.005)") }
    }
  }

  @Test("a full queue refuses, a loud key cannot fill it, and what waits is drained at shutdown")
  func overload() async throws {
    try await withDatabase { database in
      try await makeTable(database.client)
      let gate = Gate()
      let batches = Mutex<[[String]]>([])
      let receiver = receiver(database.client, .init(lanes: 1, maximumBatch: 4, maximumWaiting: 8)) {
        events, connection in
        batches.withLock { $0.append(events.map(\.tenant)) }
        try gate.pass(connection)
      }
      let first = Task { try await receiver.submit(Event(tenant: "loud", id: "first")) }
      try await expectEventually { gate.entered == 1 }
      var loud: [Task<Bool, any Error>] = []
      for number in 0..<4 {
        loud.append(Task { try await receiver.submit(Event(tenant: "loud", id: "l\(number)")) })
        try await expectEventually { receiver.waiting == number + 1 }
      }
      #expect(await failure { try await receiver.submit(Event(tenant: "loud", id: "l4")) }?.code == .overloaded)
      var quiet: [Task<Bool, any Error>] = []
      for number in 0..<4 {
        quiet.append(Task { try await receiver.submit(Event(tenant: "q\(number)", id: "q\(number)")) })
        try await expectEventually { receiver.waiting == 5 + number }
      }
      #expect(await failure { try await receiver.submit(Event(tenant: "other", id: "o")) }?.code == .overloaded)

      let shutdown = Task { await receiver.shutdown() }
      try await expectEventually {
        await failure { try await receiver.submit(Event(tenant: "late", id: "late")) }?.code == .closed
      }
      gate.open()
      await shutdown.value
      for task in [first] + loud + quiet { #expect(try await task.value) }
      #expect(batches.withLock { $0 }.dropFirst().first == ["loud", "q0", "q1", "q2"])
      #expect(try await database.client.query("SELECT count(*) FROM inbox").value(Int.self) == 9)
    }
  }

  @Test("a caller that is cancelled while its item waits takes the item back")
  func cancellation() async throws {
    try await withDatabase { database in
      try await makeTable(database.client)
      let gate = Gate()
      let receiver = receiver(database.client, .init(lanes: 1)) { try gate.pass($1) }
      let first = Task { try await receiver.submit(Event(tenant: "t", id: "first")) }
      try await expectEventually { gate.entered == 1 }
      let second = Task { await failure { try await receiver.submit(Event(tenant: "t", id: "second")) } }
      try await expectEventually { receiver.waiting == 1 }
      second.cancel()
      first.cancel()  // too late: it is being written
      #expect(await second.value?.code == .cancelled)
      gate.open()
      #expect(try await first.value)
      await receiver.shutdown()
      #expect(try await database.client.query("SELECT array_agg(id) FROM inbox").value([String].self) == ["first"])
    }
  }

  @Test("when the server ends the session the callers are told, and the lane reconnects")
  func killedBackend() async throws {
    try await withDatabase { database in
      try await makeTable(database.client)
      let kill = Mutex(true)
      let receiver = receiver(database.client, .init(lanes: 1)) { _, connection in
        let now = kill.withLock { kill in
          defer { kill = false }
          return kill
        }
        if now { try connection.query("SELECT pg_terminate_backend(pg_backend_pid())") }
      }
      let error = await failure { try await receiver.submit(Event(tenant: "t", id: "a")) }
      #expect(error?.code == .connection || error?.code == .outcomeUnknown)
      #expect(try await receiver.submit(Event(tenant: "t", id: "a")))

      // An idle lane whose session is ended goes on without an error.
      try await database.client.query(
        """
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()
        """)
      try await expectEventually {
        try await database.client.query(
          "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).isEmpty
      }
      #expect(try await receiver.submit(Event(tenant: "t", id: "b")))
      await receiver.shutdown()
    }
  }

  @Test("while the server is away callers fail soon instead of piling up")
  func serverAway() async throws {
    var configuration = try PostgresConfiguration(url: "postgres://nobody@127.0.0.1:1/none")
    configuration.maximumBackoff = .milliseconds(100)
    let client = PostgresClient(configuration, logger: quiet)
    let receiver = receiver(client)
    for number in 0..<3 {
      let error = await failure { try await receiver.submit(Event(tenant: "t", id: "\(number)")) }
      #expect(error?.code == .connection)
    }
    await receiver.shutdown()
    #expect(await failure { try await receiver.submit(Event(tenant: "t", id: "x")) }?.code == .closed)
    await client.close()
  }
}

@Suite("A lane, which has a connection and a thread of its own")
struct LaneTests {
  @Test("a lane runs many statements for one hand-over, rolls back what is left open, and takes on its role")
  func lane() async throws {
    try await withDatabase { database in
      let lane = database.client.lane()
      let sum = try await lane.run { connection in
        try connection.script("CREATE TABLE t (x int)")
        for number in 1...100 { try connection.query("INSERT INTO t VALUES (\(number)::int)") }
        return try connection.query("SELECT sum(x) FROM t").value(Int.self)
      }
      #expect(sum == 5050)
      try await lane.run { connection in
        try connection.script("BEGIN")
        _ = try? connection.query("DELETE FROM t")
      }
      let refused = await failure {
        try await lane.run { connection in
          try connection.transaction {
            try connection.query("DELETE FROM t")
            try connection.query("SELECT 1/0")
          }
        }
      }
      #expect(refused?.isDataError == true)
      #expect(try await lane.execute("SELECT count(*) FROM t").value(Int.self) == 100)

      let role = "lane \(database.name)"
      try await database.client.query("CREATE ROLE \(identifier: role)")
      let other = database.client.lane(sessionRole: role)
      #expect(try await other.execute("SELECT current_user::text").value(String.self) == role)
      await other.close()
      try await database.client.query("DROP ROLE \(identifier: role)")
      await lane.close()
      #expect(await failure { try await lane.execute("SELECT 1") }?.code == .closed)
    }
  }

  @Test("a lane that must not reconnect fails after its session was lost")
  func noReconnect() async throws {
    try await withDatabase { database in
      let lane = database.client.lane(reconnects: false)
      try await lane.execute("SELECT pg_advisory_lock(1)")
      _ = await failure { try await lane.execute("SELECT pg_terminate_backend(pg_backend_pid())") }
      for _ in 0..<2 { #expect(await failure { try await lane.execute("SELECT 1") }?.code == .connection) }
    }
  }

  @Test("cancelling a task ends what it runs on a lane")
  func cancelled() async throws {
    try await withDatabase { database in
      let lane = database.client.lane()
      let task = Task { await failure { try await lane.execute("SELECT pg_sleep(60)") } }
      try await Task.sleep(for: .milliseconds(30))
      task.cancel()
      #expect(await task.value?.code == .cancelled)
      #expect(try await lane.execute("SELECT 1").value(Int.self) == 1)
    }
  }
}
