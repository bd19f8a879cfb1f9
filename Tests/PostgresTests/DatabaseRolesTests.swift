import Logging
import TestSupport
import Testing

@testable import Postgres

@Suite("The roles that the service takes on")
struct DatabaseRolesTests {
  @Test("the statements that an administrator runs are those of the server's version")
  func statements() {
    var gap = DatabaseRoles.Gap(user: "app", serverVersion: 150_000, absent: ["b"], notGranted: ["a_1x", "b"])
    #expect(gap.statements == ["CREATE ROLE b NOLOGIN", #"GRANT "a_1x", b TO app"#])
    gap.serverVersion = 180_000
    gap.user = "my app"
    #expect(gap.statements.last == #"GRANT "a_1x", b TO "my app" WITH INHERIT FALSE, SET TRUE"#)
    gap.notGranted = []
    #expect(gap.statements == ["CREATE ROLE b NOLOGIN"])
  }

  @Test("a user that may make roles makes them and takes them on; one that may not is told what to run")
  func prepare() async throws {
    try await withDatabase { database in
      let suffix = String(UInt64.random(in: .min ... .max), radix: 36)
      let (maker, other, roles) = ("maker_\(suffix)", "other_\(suffix)", ["first_\(suffix)", "second_\(suffix)"])
      let admin = database.client
      try await admin.query("CREATE ROLE \(identifier: maker) LOGIN CREATEROLE PASSWORD 'x'")
      try await admin.query("CREATE ROLE \(identifier: other) LOGIN PASSWORD 'x'")
      for user in [other, maker] {
        var configuration = admin.configuration
        configuration.options.removeAll { ["user", "password"].contains($0.keyword) }
        configuration.options += [("user", user), ("password", "x")]
        let client = PostgresClient(configuration, logger: .init(label: "test"))
        let given = DatabaseRoles(roles, client: client)
        if user == other {
          let error = await #expect(throws: PostgresError.self) { try await given.prepare() }
          #expect(error?.code == .rights)
          #expect(error?.message.contains("GRANT") == true && error?.message.contains(other) == true)
        } else {
          #expect(try await given.gap().absent == roles)
          try await given.prepare()
          try await given.prepare()
          #expect(try await given.gap().isEmpty)
          let current = try await client.transaction(TransactionOptions(role: roles[1])) { transaction in
            try await transaction.query("SELECT current_user::text AS name").first?.get("name", as: String.self)
          }
          #expect(current == roles[1])
        }
        await client.close()
      }
      for role in roles + [maker, other] { try await admin.query("DROP ROLE \(identifier: role)") }
    }
  }

  @Test("two connections of a client are two sessions")
  func sessions() async throws {
    try await withDatabase { database in try await database.client.checkSessions() }
  }
}
