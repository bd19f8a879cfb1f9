import Foundation
import Postgres
import TestSupport
import Testing

@Suite("The migrator")
struct MigratorTests {
  private let files = [
    "0001_people.sql": "CREATE TABLE people (name text); INSERT INTO people VALUES ('x');",
    "0002_index.sql":
      "-- no transaction\nCREATE INDEX CONCURRENTLY IF NOT EXISTS by_name ON people (name);\nSELECT ';';",
    "0003_view.sql": "CREATE VIEW names AS SELECT name FROM people;",
    "README.md": "ignored",
  ]

  @Test("eight that start at once apply each file once")
  func concurrent() async throws {
    try await withDatabase { database in
      try await withMigrations(files) { folder in
        let applied = try await withThrowingTaskGroup(of: [Migrator.Applied].self) { group in
          for _ in 0..<8 {
            group.addTask {
              try await Migrator(
                directory: folder, schemaTable: "own schema.versions", client: database.client, logger: quiet
              )
              .migrate()
            }
          }
          return try await group.reduce(into: []) { $0 += $1 }
        }
        #expect(applied.map(\.version).sorted() == [1, 2, 3])
        #expect(try await database.client.query("SELECT count(*) FROM names").value(Int.self) == 1)
        let migrator = Migrator(
          directory: folder, schemaTable: "own schema.versions", client: database.client, logger: quiet)
        #expect(try await migrator.applied().map(\.name) == ["people", "index", "view"])
        #expect(try await migrator.migrate().isEmpty)
      }
    }
  }

  @Test("a changed, renamed, missing or late file is refused by name, and nothing is applied")
  func refusals() async throws {
    try await withDatabase { database in
      let base = ["0001_a.sql": "CREATE TABLE a ()", "0003_c.sql": "CREATE TABLE c ()"]
      func migrate(_ files: [String: String]) async throws -> [Migrator.Applied] {
        try await withMigrations(files) {
          try await Migrator(directory: $0, schemaTable: "versions", client: database.client, logger: quiet).migrate()
        }
      }
      let first = try await migrate(base)
      #expect(first.count == 2)
      let bad: [([String: String], String)] = [
        (base.merging(["0001_a.sql": "CREATE TABLE b ()"]) { $1 }, "0001_a was changed"),
        (["0003_c.sql": "CREATE TABLE c ()"], "0001_a was applied to this database and is missing"),
        (["0001_b.sql": "CREATE TABLE a ()", "0003_c.sql": "CREATE TABLE c ()"], "0001_a was renamed"),
        (base.merging(["0002_b.sql": "CREATE TABLE b ()"]) { $1 }, "0002_b is new"),
        (base.merging(["4_d.sql": ""]) { $1 }, "4_d.sql is not named"),
        (base.merging(["0003_d.sql": ""]) { $1 }, "same version"),
      ]
      for (files, expected) in bad {
        let error = await failure { try await migrate(files) }
        #expect(error?.code == .migration)
        #expect(error?.message.contains(expected) == true, "\(error?.message ?? "no error")")
      }
      let next = try await migrate(base.merging(["0004_d.sql": "CREATE TABLE d ()"]) { $1 })
      #expect(next.map(\.version) == [4])
    }
  }

  @Test("a file that fails leaves nothing of itself, keeps the earlier ones, and names itself")
  func failingFile() async throws {
    try await withDatabase { database in
      let files = ["0001_a.sql": "CREATE TABLE a ()", "0002_b.sql": "CREATE TABLE b (); SELECT 1/0;"]
      try await withMigrations(files) { folder in
        let migrator = Migrator(directory: folder, client: database.client, logger: quiet)
        let error = await failure { try await migrator.migrate() }
        #expect(error?.message.hasPrefix("migration 0002_b: ") == true)
        let applied = try await migrator.applied()
        #expect(applied.map(\.version) == [1])
        #expect(try await database.client.query("SELECT to_regclass('b')::text").value(String?.self) == nil)
      }
    }
  }

  @Test("a file that ends its own transaction is refused")
  func ownCommit() async throws {
    try await withDatabase { database in
      try await withMigrations(["0001_a.sql": "CREATE TABLE a (); COMMIT;"]) { folder in
        let error = await failure {
          try await Migrator(directory: folder, client: database.client, logger: quiet).migrate()
        }
        #expect(error != nil)
      }
    }
  }

  @Test("a lock that somebody holds delays a migration and does not fail it")
  func lockTimeout() async throws {
    try await withDatabase { database in
      let client = database.client
      try await client.query("CREATE TABLE t (x int)")
      try await withMigrations(["0001_a.sql": "ALTER TABLE t ADD COLUMN y int"]) { folder in
        var migrator = Migrator(directory: folder, client: client, logger: quiet)
        migrator.lockTimeout = .milliseconds(50)
        migrator.attempts = 100
        let (locked, signal) = AsyncStream.makeStream(of: Void.self)
        let (release, go) = AsyncStream.makeStream(of: Void.self)
        async let holder: Void = client.transaction {
          try await $0.query("LOCK TABLE t")
          signal.finish()
          for await _ in release {}
        }
        for await _ in locked {}
        async let migration = migrator.migrate()
        try await Task.sleep(for: .milliseconds(200))
        go.finish()
        try await holder
        #expect(try await migration.count == 1)
      }
    }
  }
}

@Suite("A database of a test")
struct TestDatabaseTests {
  @Test("databases from one template are separate, and are gone after close")
  func separate() async throws {
    try await withMigrations(["0001_t.sql": "CREATE TABLE t (x int)"]) { folder in
      let databases = try await withThrowingTaskGroup(of: TestDatabase.self) { group in
        for _ in 0..<6 { group.addTask { try await TestDatabase.make(migrations: [folder]) } }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      #expect(Set(databases.map(\.name)).count == 6)
      for (index, database) in databases.enumerated() {
        if index == 0 { try await database.client.query("INSERT INTO t VALUES (1)") }
        #expect(try await database.client.query("SELECT count(*) FROM t").value(Int.self) == (index == 0 ? 1 : 0))
        let direct = PostgresClient(try PostgresConfiguration(url: database.url), logger: quiet)
        #expect(try await direct.query("SELECT current_database()::text").value(String.self) == database.name)
        await direct.close()
      }
      for database in databases { await database.close() }
      try await withDatabase { other in
        let names = databases.map(\.name)
        let left = try await other.client.query("SELECT 1 FROM pg_database WHERE datname = ANY(\(names))")
        #expect(left.isEmpty)
      }
    }
  }
}
