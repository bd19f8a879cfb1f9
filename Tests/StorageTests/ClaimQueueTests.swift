import Foundation
import Postgres
import Storage
import TestSupport
import Testing

/// A key with two columns, as those of the product have.
private struct Shop: QueueKey {
  let name: String
  let isOpen: Bool

  static var keyColumns: [String] { ["name", "is_open"] }
  var keyValues: [PostgresQuery] { ["\(name)::text", "\(isOpen)::boolean"] }

  init(_ name: String, isOpen: Bool = true) { (self.name, self.isOpen) = (name, isOpen) }
  init(key row: PostgresRow) throws { self.init(try row.get("name"), isOpen: try row.get("is_open")) }
}

/// A queue of each kind in a database of its own.
private struct Bench: Sendable {
  let client: PostgresClient
  let queue: ClaimQueue<Shop>

  enum Kind: CaseIterable, Sendable { case held, repeated, limited }

  static func open(_ kind: Kind, _ body: (Bench) async throws -> Void) async throws {
    try await withDatabase { database in
      try await database.client.query(
        """
        CREATE TABLE shops (
          name          text        NOT NULL,
          is_open       boolean     NOT NULL,
          due_at        timestamptz NOT NULL,
          claimed_until timestamptz NOT NULL DEFAULT '-infinity',
          paused_until  timestamptz NOT NULL DEFAULT '-infinity',
          PRIMARY KEY (name, is_open)
        )
        """)
      let queue: ClaimQueue<Shop>
      switch kind {
      case .held:
        queue = ClaimQueue(table: "shops", claim: .held("interval '1 hour'"), notBefore: "q.paused_until")
      case .repeated: queue = ClaimQueue(table: "shops", claim: .repeated("interval '1 hour'"))
      case .limited:
        queue = ClaimQueue(
          table: "shops", claim: .held("interval '1 hour'"),
          admits: "(SELECT count(*) FROM shops o WHERE o.name = q.name AND o.claimed_until > now()) < 1")
      }
      try await body(Bench(client: database.client, queue: queue))
    }
  }

  func run<T: Sendable>(_ body: @Sendable (PostgresTransaction) async throws -> T) async throws -> T {
    try await client.transaction(TransactionOptions(), body)
  }

  func claimNext() async throws -> Shop? { try await run { try await queue.claimNext(in: $0) } }
  func enqueue(_ shop: Shop, secondsAgo: Double = 0) async throws {
    try await run { try await queue.enqueue(shop, at: Date() - secondsAgo, in: $0) }
  }
  func dueIn(_ shop: Shop) async throws -> Double {
    let row = try await client.query(
      """
      SELECT (extract(epoch FROM due_at) - extract(epoch FROM now()))::double precision AS seconds
        FROM shops
       WHERE name = \(shop.name) AND is_open = \(shop.isOpen)
      """
    ).first
    return try #require(row).get("seconds")
  }
}

@Suite("Every claim queue")
struct ClaimQueueTests {
  @Test("claims the key that has been due longest, each once", arguments: Bench.Kind.allCases)
  fileprivate func order(_ kind: Bench.Kind) async throws {
    try await Bench.open(kind) { bench in
      for (name, seconds) in [("b", 20.0), ("a", 10), ("c", 30)] {
        try await bench.enqueue(Shop(name), secondsAgo: seconds)
      }
      try await bench.enqueue(Shop("later"), secondsAgo: -60)
      #expect(try await bench.claimNext() == Shop("c"))
      #expect(try await bench.claimNext() == Shop("b"))
      #expect(try await bench.claimNext() == Shop("a"))
      #expect(try await bench.claimNext() == nil)
    }
  }

  @Test("gives a key to one of many workers at once", arguments: Bench.Kind.allCases)
  fileprivate func race(_ kind: Bench.Kind) async throws {
    try await Bench.open(kind) { bench in
      for number in 0..<5 { try await bench.enqueue(Shop("\(number)"), secondsAgo: 10) }
      let claimed = try await withThrowingTaskGroup(of: Shop?.self) { group in
        for _ in 0..<20 { group.addTask { try await bench.claimNext() } }
        return try await group.reduce(into: [Shop]()) { if let shop = $1 { $0.append(shop) } }
      }
      #expect(Set(claimed).count == claimed.count)
      // A worker that found a row locked by another passes it by; nothing stays behind.
      var rest: [Shop] = []
      while let shop = try await bench.claimNext() { rest.append(shop) }
      #expect(Set(claimed + rest).count == 5 && claimed.count + rest.count == 5)
    }
  }

  @Test("tells which keys are due, and lets one of those who know of it claim it", arguments: Bench.Kind.allCases)
  fileprivate func due(_ kind: Bench.Kind) async throws {
    try await Bench.open(kind) { bench in
      try await bench.enqueue(Shop("a"), secondsAgo: 10)
      try await bench.enqueue(Shop("b"), secondsAgo: 20)
      try await bench.enqueue(Shop("later"), secondsAgo: -60)
      #expect(try await bench.run { try await bench.queue.due(atMost: 9, in: $0) } == [Shop("b"), Shop("a")])
      #expect(try await bench.run { try await bench.queue.due(atMost: 1, in: $0) } == [Shop("b")])
      #expect(try await bench.run { try await bench.queue.claim(Shop("b"), in: $0) })
      #expect(try await !bench.run { try await bench.queue.claim(Shop("b"), in: $0) })
      #expect(try await !bench.run { try await bench.queue.claim(Shop("later"), in: $0) })
      #expect(try await !bench.run { try await bench.queue.claim(Shop("unknown"), in: $0) })
      #expect(try await bench.run { try await bench.queue.due(atMost: 9, in: $0) } == [Shop("a")])
    }
  }

  @Test("keeps the earlier time of a key that is enqueued again", arguments: Bench.Kind.allCases)
  fileprivate func earlier(_ kind: Bench.Kind) async throws {
    try await Bench.open(kind) { bench in
      try await bench.enqueue(Shop("a"), secondsAgo: 10)
      try await bench.enqueue(Shop("a"), secondsAgo: -60)
      #expect(try await bench.dueIn(Shop("a")) < 0)
      try await bench.enqueue(Shop("a", isOpen: false), secondsAgo: -60)
      try await bench.enqueue(Shop("a", isOpen: false), secondsAgo: -10)
      #expect((5...10).contains(try await bench.dueIn(Shop("a", isOpen: false))))
    }
  }

  @Test(
    "makes a key due again when its next piece of work is, and not at all when there is none or nothing can be done",
    arguments: Bench.Kind.allCases)
  fileprivate func release(_ kind: Bench.Kind) async throws {
    try await Bench.open(kind) { bench in
      let shop = Shop("a")
      try await bench.enqueue(shop, secondsAgo: 10)
      #expect(try await bench.claimNext() == shop)
      try await bench.run { try await bench.queue.release(shop, nextDue: "now() + interval '1 minute'", in: $0) }
      #expect((50...60).contains(try await bench.dueIn(shop)))
      try await bench.run { try await bench.queue.release(shop, nextDue: "now() - interval '1 day'", in: $0) }
      #expect(try await bench.claimNext() == shop)
      try await bench.run { try await bench.queue.release(shop, nextDue: "NULL", in: $0) }
      #expect(try await bench.dueIn(shop) == .infinity)
      try await bench.enqueue(shop)
      #expect(try await bench.claimNext() == shop)
      try await bench.run {
        try await bench.queue.release(shop, isBlocked: "1 = 1", nextDue: "now()", in: $0)
      }
      #expect(try await bench.claimNext() == nil)
      try await bench.enqueue(shop)
      #expect(try await bench.claimNext() == shop)
    }
  }

  @Test("with held claims keeps a key from others until the claim has passed, and longer while it is extended")
  func held() async throws {
    try await Bench.open(.held) { bench in
      let shop = Shop("a")
      try await bench.enqueue(shop, secondsAgo: 10)
      #expect(try await bench.claimNext() == shop)
      try await bench.enqueue(shop)
      #expect(try await bench.claimNext() == nil)
      // The worker dies, and its claim passes.
      try await bench.client.query("UPDATE shops SET claimed_until = now() - interval '1 second'")
      try await bench.run { try await bench.queue.extend(shop, in: $0) }
      #expect(try await bench.claimNext() == nil)
      try await bench.client.query("UPDATE shops SET claimed_until = now() - interval '1 second'")
      #expect(try await bench.claimNext() == shop)
      // A key that is rescheduled under a claim is still claimed.
      try await bench.run { try await bench.queue.reschedule(shop, nextDue: "now()", in: $0) }
      #expect(try await bench.claimNext() == nil)
    }
  }

  @Test("with repeated claims makes a key due again after a while, whatever comes of its work")
  func repeated() async throws {
    try await Bench.open(.repeated) { bench in
      let shop = Shop("a")
      try await bench.enqueue(shop, secondsAgo: 10)
      #expect(try await bench.claimNext() == shop)
      #expect((3_590...3_600).contains(try await bench.dueIn(shop)))
    }
  }

  @Test("makes nothing due before its own earliest time")
  func notBefore() async throws {
    try await Bench.open(.held) { bench in
      let shop = Shop("a")
      try await bench.enqueue(shop, secondsAgo: 10)
      try await bench.client.query(
        "UPDATE shops SET paused_until = now() + interval '1 minute', due_at = 'infinity'")
      try await bench.enqueue(shop)
      #expect((50...60).contains(try await bench.dueIn(shop)))
      try await bench.run { try await bench.queue.release(shop, nextDue: "now()", in: $0) }
      #expect((50...60).contains(try await bench.dueIn(shop)))
    }
  }

  @Test("claims only what its condition admits")
  func admits() async throws {
    try await Bench.open(.limited) { bench in
      try await bench.enqueue(Shop("a"), secondsAgo: 30)
      try await bench.enqueue(Shop("a", isOpen: false), secondsAgo: 20)
      try await bench.enqueue(Shop("b"), secondsAgo: 10)
      #expect(try await bench.claimNext() == Shop("a"))
      #expect(try await bench.claimNext() == Shop("b"))
      #expect(try await bench.claimNext() == nil)
    }
  }

  @Test("sees what is enqueued while a claim ends", arguments: Bench.Kind.allCases)
  fileprivate func meanwhile(_ kind: Bench.Kind) async throws {
    try await Bench.open(kind) { bench in
      let shop = Shop("a")
      try await bench.enqueue(shop, secondsAgo: 10)
      #expect(try await bench.claimNext() == shop)
      let isLocked = AsyncStream<Void>.makeStream()
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask {
          try await bench.run { transaction in
            #expect(try await bench.queue.lock(shop, in: transaction) != nil)
            isLocked.continuation.yield()
            // There is no work; another transaction enqueues some, and waits for this one.
            try await transaction.query("SELECT pg_sleep(0.2)")
            try await bench.queue.release(shop, nextDue: "NULL", in: transaction)
          }
        }
        for await _ in isLocked.stream { break }
        try await bench.enqueue(shop)
        try await group.waitForAll()
      }
      #expect(try await bench.claimNext() == shop)
      #expect(try await bench.run { try await bench.queue.lock(Shop("unknown"), in: $0) } == nil)
    }
  }
}
