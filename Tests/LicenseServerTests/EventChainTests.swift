import Cryptography
import Foundation
import Identity
import LicenseKitAPI
import LicenseKitHTTP
import Logging
import Postgres
import ServerKit
import TestSupport
import Testing

@testable import LicenseServer

@Suite("The chain of events")
struct EventChainTests {
  @Test("a link's hash is what the documentation says, to the byte")
  func vector() {
    let event = StoredEvent(
      eventType: "license.created", actorType: "api_key", actorID: "key_1", resourceType: "license",
      resourceID: "lic_1", metadata: #"{"a": "é"}"#, createdAt: 1_774_310_400_000_000)
    let first = EventLink.hash(
      after: EventLink.firstPrevious, position: 1, tenant: "acme", sequence: 7, event: event)
    #expect(Hex.encode(first) == "f473470290269107e7dfbe5311fefe009ee16ecd842a3cb081e42895167efc93")
    let second = EventLink.hash(after: first, position: 2, tenant: "acme", sequence: 9, event: nil)
    #expect(Hex.encode(second) == "f3be8672032a3e003bb1fa7c2040a3a8ed2d7ace8929a99ee5a6e64b7a76b4f2")
  }

  @Test("every column of an event is part of its hash")
  func columns() async throws {
    try await withLicenseServer { fixture in
      let names = try await fixture.database.client.query(
        """
        SELECT column_name::text AS name FROM information_schema.columns
         WHERE table_schema = 'license_server' AND table_name = 'events'
         ORDER BY column_name
        """
      ).map { row in try row.get("name", as: String.self) }
      #expect(
        names == [
          "actor_id", "actor_type", "created_at", "event_type", "ip_address", "metadata", "resource_id",
          "resource_type",
          "sequence", "tenant_id",
        ], "a new column needs a new format of the hash")
    }
  }

  @Test("every event gets the next place in its tenant's chain, and a second look has nothing to do")
  func links() async throws {
    try await WebhookBench.open { bench in
      let administration = bench.fixture.server.administration
      try await administration.createTenant("acme", name: "Acme")
      let token = try await administration.createToken(for: "acme", name: "t", scopes: [.admin]).token
      for number in 1...3 { try await bench.product("P\(number)") }
      _ = try await bench.fixture.client(token: token).createProduct(ProductCreateRequest(name: "A", code: "a"))
      try await bench.link()
      let report = try await administration.verifyEvents(of: .defaultTenant)
      #expect(report.isIntact && report.head.position == 3 && report.checked == 3 && report.waiting == 0)
      let other = try await administration.verifyEvents(of: "acme")
      let all = try await Self.events(of: "acme", bench)
      #expect(other.isIntact && other.head.position == all && all > 1)
      try await bench.link()
      let again = try await administration.verifyEvents(of: .defaultTenant, expecting: report.head)
      #expect(again.isIntact && again.head == report.head)
      #expect(try await bench.linker.tenantWithWork(after: nil) == nil)
    }
  }

  @Test("an event whose transaction commits after one with a higher sequence is not passed over")
  func lateCommit() async throws {
    try await WebhookBench.open { bench in
      let options = TransactionOptions(
        role: "license_server_tenant", settings: [("license_server.tenant_id", "default")])
      let caller = Caller.operatorCaller(.defaultTenant)
      try await bench.fixture.database.client.transaction(options) { late in
        try await EventLog.append(.productCreated, "early_number", by: caller, at: Date(), in: late)
        try await bench.product()
        try await bench.link()
        let report = try await bench.fixture.server.administration.verifyEvents(of: .defaultTenant)
        #expect(report.isIntact && report.head.position == 1)
      }
      try await bench.link()
      let report = try await bench.fixture.server.administration.verifyEvents(of: .defaultTenant)
      #expect(report.isIntact && report.head.position == 2 && report.waiting == 0)
    }
  }

  @Test("many linkers beside many writers link each event once")
  func manyLinkers() async throws {
    try await WebhookBench.open { bench in
      let caller = Caller.operatorCaller(.defaultTenant)
      try await withThrowingTaskGroup(of: Void.self) { group in
        for writer in 0..<4 {
          group.addTask {
            for number in 0..<40 {
              try await bench.services.store.transaction(.defaultTenant) { transaction in
                try await EventLog.append(
                  .usageConsumed, "lic_\(writer)_\(number)", by: caller, at: Date(), in: transaction)
              }
            }
          }
        }
        for _ in 0..<3 {
          group.addTask { for _ in 0..<40 { _ = try await bench.linker.linkBatch(of: .defaultTenant) } }
        }
        try await group.waitForAll()
      }
      try await bench.link()
      let report = try await bench.fixture.server.administration.verifyEvents(of: .defaultTenant)
      #expect(report.isIntact && report.head.position == 160, "\(report.findings)")
    }
  }

  @Test("a batch that ends in the middle is linked by the next one, and one that dies leaves everything as it was")
  func batches() async throws {
    try await WebhookBench.open { bench in
      try await bench.sql(
        """
        INSERT INTO license_server.events (tenant_id, event_type, actor_type, actor_id, resource_type, created_at)
        SELECT 'default', 'usage.consumed', 'license', 'lic', 'license', now() FROM generate_series(1, 1200)
        """)
      #expect(try await bench.linker.linkBatch(of: .defaultTenant) == EventLinker.batch)
      struct Crash: Error {}
      // The same work, in a transaction that does not commit.
      await #expect(throws: Crash.self) {
        try await bench.services.store.transaction(as: .linker) { transaction in
          try await transaction.query("DELETE FROM license_server.unlinked_events WHERE tenant_id = 'default'")
          throw Crash()
        }
      }
      let between = try await bench.fixture.server.administration.verifyEvents(of: .defaultTenant)
      #expect(between.isIntact && between.waiting == 700)
      try await bench.link()
      let report = try await bench.fixture.server.administration.verifyEvents(of: .defaultTenant)
      #expect(report.isIntact && report.head.position == 1200)
    }
  }

  @Test("an event that was removed before it could be linked holds up nothing, and is reported")
  func removedBeforeLinking() async throws {
    try await WebhookBench.open { bench in
      try await bench.product()
      try await bench.product()
      let gone: Int64? = try await bench.sql(
        """
        DELETE FROM license_server.events
         WHERE sequence = (SELECT min(sequence) FROM license_server.events)
        RETURNING sequence
        """
      ).first?.get("sequence")
      try await bench.link()
      let report = try await bench.fixture.server.administration.verifyEvents(of: .defaultTenant)
      #expect(report.head.position == 2 && report.checked == 2)
      #expect(report.findings == [.deleted(position: 1, sequence: try #require(gone))])
    }
  }

  @Test("trouble with one tenant's events keeps no other tenant's from being linked")
  func troubledTenant() async throws {
    try await WebhookBench.open { bench in
      let administration = bench.fixture.server.administration
      try await administration.createTenant("acme", name: "Acme")
      let token = try await administration.createToken(for: "acme", name: "t", scopes: [.admin]).token
      _ = try await bench.fixture.client(token: token).createProduct(ProductCreateRequest(name: "A", code: "a"))
      try await bench.product()
      try await bench.sql(
        "ALTER TABLE license_server.event_links ADD CONSTRAINT trouble CHECK (tenant_id <> 'acme')")
      var rounds = FairRounds<TenantID>()
      for _ in 0..<20 { _ = try await bench.linker.step(&rounds) }
      #expect(rounds.isLeftOut("acme"))
      #expect(try await administration.verifyEvents(of: .defaultTenant).head.position == 1)
      let held = try await administration.verifyEvents(of: "acme")
      let all = try await Self.events(of: "acme", bench)
      #expect(held.isIntact && held.head.position == 0 && held.waiting == all && all > 1)
      try await bench.sql("ALTER TABLE license_server.event_links DROP CONSTRAINT trouble")
      try await bench.link()
      #expect(try await administration.verifyEvents(of: "acme").head.position == all)
    }
  }

  private static func events(of tenant: String, _ bench: WebhookBench) async throws -> Int64 {
    let rows = try await bench.fixture.database.client.query(
      "SELECT count(*) AS count FROM license_server.events WHERE tenant_id = \(tenant)")
    return try #require(rows.first).get("count")
  }

  @Test("events from before the chain are linked when a database is brought up to date, in their order, and not told")
  func upgrade() async throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("migrations-\(unique("m"))/server")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder.deletingLastPathComponent()) }
    let source = PackageRoot.path + "/migrations/server"
    let files = try FileManager.default.contentsOfDirectory(atPath: source).filter { $0.hasSuffix(".sql") }
    func add(_ names: [String]) throws {
      for name in names {
        try FileManager.default.copyItem(atPath: "\(source)/\(name)", toPath: folder.path + "/" + name)
      }
    }
    try await withDatabase { database in
      let migrator = Migrator(directory: folder.path, client: database.client, logger: Fixture.logger)
      try add(files.filter { $0 < "0004" })
      try await migrator.migrate()
      try await database.client.query(
        "INSERT INTO license_server.tenants (tenant_id, name, created_at) VALUES ('default', 'Default', now())")
      try await database.client.query(
        """
        INSERT INTO license_server.events (tenant_id, event_type, actor_type, actor_id, resource_type, created_at)
        SELECT 'default', 'usage.consumed', 'license', 'lic', 'license', now() FROM generate_series(1, 700)
        """)
      try add(files.filter { $0 >= "0004" })
      try await migrator.migrate()
      let server = LicenseServer(
        client: database.client, keyRing: try KeyRing(parsing: KeyRing.newEntry(id: "k")), logger: Fixture.logger)
      _ = try await server.services.webhooks.create(
        WebhookEndpointCreateRequest(name: "W", url: "https://hooks.example.com"),
        for: .operatorCaller(.defaultTenant))
      let linker = EventLinker(
        store: server.services.store, deliveries: WakeUp(), pollInterval: .seconds(1), logger: Fixture.logger)
      while try await linker.linkBatch(of: .defaultTenant) > 0 {}
      let report = try await server.administration.verifyEvents(of: .defaultTenant)
      #expect(report.isIntact && report.head.position == 701)
      let told = try await database.client.query("SELECT event_type AS type FROM license_server.webhook_deliveries")
      #expect(try told.map { row in try row.get("type", as: String.self) } == ["webhook.created"])
      let order = try await database.client.query(
        "SELECT bool_and(position = sequence) AS ordered FROM license_server.event_links WHERE position <= 700")
      #expect(try order.first?.get("ordered") == true)
    }
  }

  @Test("the roles of the background have their own rights and no others")
  func rights() async throws {
    try await WebhookBench.open { bench in
      _ = try await bench.endpoint()
      try await bench.link()
      let refused: [(String, PostgresQuery)] = [
        ("license_server_linker", "SELECT sealed_secret FROM license_server.webhook_endpoints"),
        ("license_server_linker", "SELECT url FROM license_server.webhook_endpoints"),
        ("license_server_linker", "UPDATE license_server.events SET actor_id = 'x'"),
        ("license_server_linker", "DELETE FROM license_server.events"),
        ("license_server_linker", "UPDATE license_server.event_links SET hash = ''"),
        ("license_server_linker", "DELETE FROM license_server.event_links"),
        ("license_server_linker", "SELECT FROM license_server.licenses"),
        ("license_server_courier", "SELECT error FROM license_server.webhook_deliveries"),
        ("license_server_courier", "SELECT sealed_secret FROM license_server.webhook_endpoints"),
        ("license_server_courier", "SELECT actor_id FROM license_server.events"),
        ("license_server_tenant", "INSERT INTO license_server.event_links VALUES ('default', 9, 9, '')"),
        ("license_server_tenant", "UPDATE license_server.event_links SET hash = ''"),
        ("license_server_tenant", "UPDATE license_server.event_chains SET position = 0"),
        ("license_server_tenant", "DELETE FROM license_server.unlinked_events"),
      ]
      for (role, statement) in refused {
        let options = TransactionOptions(role: role, settings: [("license_server.tenant_id", "default")])
        let error = await #expect(throws: PostgresError.self, "\(role): \(statement)") {
          try await bench.fixture.database.client.transaction(options) { transaction in
            try await transaction.query(statement)
          }
        }
        #expect(error?.sqlState == .insufficientPrivilege, "\(role): \(statement)")
      }
    }
  }

  @Test("a head is read as it is written, and nothing else is")
  func headText() {
    let head = EventChainHead(position: 12, hash: SHA256.hash([1]))
    #expect(EventChainHead(parsing: head.description) == head)
    for bad in ["", "12", "12:", "0:\(Hex.encode(head.hash))", "12:zz", "12:abcd", "\(head):1"] {
      #expect(EventChainHead(parsing: bad) == nil, "\(bad)")
    }
  }
}

@Suite("Tampering with events")
struct EventTamperingTests {
  /// Six linked events of the default tenant, with their sequences by position from 1.
  private func withChain(
    _ body: @Sendable (WebhookBench, [Int64], EventChainHead) async throws -> Void
  ) async throws {
    try await WebhookBench.open { bench in
      for number in 1...6 { try await bench.product("P\(number)") }
      try await bench.link()
      let report = try await bench.fixture.server.administration.verifyEvents(of: .defaultTenant)
      try #require(report.isIntact && report.head.position == 6)
      let sequences = try await bench.sql(
        "SELECT sequence FROM license_server.event_links WHERE tenant_id = 'default' ORDER BY position"
      ).map { row in try row.get("sequence", as: Int64.self) }
      try await body(bench, [0] + sequences, report.head)
    }
  }

  private func findings(
    _ bench: WebhookBench, from: Int64 = 1, expecting: EventChainHead? = nil
  ) async throws -> [EventVerification.Finding] {
    try await bench.fixture.server.administration.verifyEvents(
      of: .defaultTenant, from: from, expecting: expecting
    ).findings
  }

  @Test(
    "a change of any column is found, and only the event concerned is named",
    arguments: [
      "event_type = 'x'", "actor_type = 'system'", "actor_id = actor_id || 'x'", "resource_type = 'x'",
      "resource_id = NULL", "metadata = '{ }'", "ip_address = '192.0.2.1'",
      "created_at = created_at + interval '1 microsecond'",
    ])
  func changed(_ change: String) async throws {
    try await withChain { bench, sequences, _ in
      try await bench.sql(
        "UPDATE license_server.events SET \(unescaped: change) WHERE sequence = \(sequences[3])")
      #expect(try await findings(bench) == [.changed(position: 3, sequence: sequences[3])])
      #expect(try await findings(bench, from: 4).isEmpty, "what stands before the position is trusted")
    }
  }

  @Test("a deleted event is found")
  func deleted() async throws {
    try await withChain { bench, sequences, _ in
      try await bench.sql("DELETE FROM license_server.events WHERE sequence = \(sequences[3])")
      #expect(try await findings(bench) == [.deleted(position: 3, sequence: sequences[3])])
    }
  }

  @Test("an event deleted with its link is found, also the last one")
  func deletedWithLink() async throws {
    try await withChain { bench, sequences, head in
      for position in [3, 6] {
        try await bench.sql("DELETE FROM license_server.events      WHERE sequence = \(sequences[position])")
        try await bench.sql("DELETE FROM license_server.event_links WHERE sequence = \(sequences[position])")
      }
      let found = try await findings(bench)
      #expect(found.first == .linksMissing(positions: 3...3))
      guard case .headDiffers(head, let last)? = found.last else { return #expect(Bool(false), "\(found)") }
      #expect(last.position == 5 && found.count == 2)
    }
  }

  @Test("a link deleted alone is found, and its event has none")
  func deletedLink() async throws {
    try await withChain { bench, sequences, _ in
      try await bench.sql("DELETE FROM license_server.event_links WHERE sequence = \(sequences[3])")
      #expect(
        try await findings(bench) == [.linksMissing(positions: 3...3), .inserted(sequence: sequences[3])])
    }
  }

  @Test("events that took each other's numbers are found, and said to have changed places")
  func reorderedEvents() async throws {
    try await withChain { bench, sequences, _ in
      let (a, b) = (sequences[2], sequences[5])
      for column in [
        "event_type", "actor_type", "actor_id", "resource_type", "resource_id", "metadata", "ip_address", "created_at",
      ] {
        try await bench.sql(
          """
          UPDATE license_server.events e
             SET \(identifier: column) = o.\(identifier: column)
            FROM license_server.events o
           WHERE e.sequence IN (\(a), \(b)) AND o.sequence IN (\(a), \(b)) AND o.sequence <> e.sequence
          """)
      }
      #expect(
        try await findings(bench) == [
          .reordered(position: 2, sequence: a, found: b), .reordered(position: 5, sequence: b, found: a),
        ])
    }
  }

  @Test("links that took each other's places are found, and said to have changed places")
  func reorderedLinks() async throws {
    try await withChain { bench, sequences, _ in
      let (a, b) = (sequences[2], sequences[5])
      try await bench.sql("UPDATE license_server.event_links SET sequence = -1 WHERE sequence = \(a)")
      try await bench.sql("UPDATE license_server.event_links SET sequence = \(a) WHERE sequence = \(b)")
      try await bench.sql("UPDATE license_server.event_links SET sequence = \(b) WHERE sequence = -1")
      #expect(
        try await findings(bench) == [
          .reordered(position: 2, sequence: b, found: a), .reordered(position: 5, sequence: a, found: b),
        ])
    }
  }

  @Test("an event that is put in past the line is found")
  func inserted() async throws {
    try await withChain { bench, sequences, _ in
      try await bench.sql("ALTER TABLE license_server.events DISABLE TRIGGER note_unlinked")
      try await bench.sql(
        """
        INSERT INTO license_server.events
               (tenant_id, sequence, event_type, actor_type, actor_id, resource_type, created_at)
        OVERRIDING SYSTEM VALUE
        VALUES ('default', \(sequences[1] - 1), 'license.created', 'system', 'x', 'license', now())
        """)
      #expect(try await findings(bench) == [.inserted(sequence: sequences[1] - 1)])
    }
  }

  @Test("a changed link is found at its place and at the next one, which was made from it")
  func changedLink() async throws {
    try await withChain { bench, sequences, _ in
      try await bench.sql(
        "UPDATE license_server.event_links SET hash = sha256(hash) WHERE sequence = \(sequences[3])")
      #expect(
        try await findings(bench) == [
          .changed(position: 3, sequence: sequences[3]), .changed(position: 4, sequence: sequences[4]),
        ])
    }
  }

  @Test("a chain that was written anew as a whole is shown by a head that was noted down before")
  func rewritten() async throws {
    try await withChain { bench, sequences, head in
      try await bench.sql("UPDATE license_server.events SET actor_id = 'x' WHERE sequence = \(sequences[2])")
      try await bench.sql("DELETE FROM license_server.event_links")
      try await bench.sql("DELETE FROM license_server.event_chains")
      try await bench.sql(
        "INSERT INTO license_server.unlinked_events (tenant_id, sequence) SELECT tenant_id, sequence FROM license_server.events"
      )
      try await bench.link()
      #expect(try await findings(bench).isEmpty)
      #expect(try await findings(bench, expecting: head) == [.expectedHeadMissing(head)])
    }
  }

  @Test("a chain that is not there yet is intact; a position beyond it and an unknown tenant are refused")
  func edges() async throws {
    try await withLicenseServer { fixture in
      let administration = fixture.server.administration
      let empty = try await administration.verifyEvents(of: .defaultTenant)
      #expect(empty.isIntact && empty.head.position == 0)
      #expect(try await administration.verifyEvents(of: .defaultTenant, from: 1).isIntact)
      await #expect(throws: APIFailure.self) { try await administration.verifyEvents(of: "nobody") }
      await #expect(throws: APIFailure.self) { try await administration.verifyEvents(of: .defaultTenant, from: 2) }
    }
  }
}
