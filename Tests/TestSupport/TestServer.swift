import Foundation
import Logging
import Postgres

/// The server that all test databases live on, seen through its administrator's connection.
actor TestServer {
  static let shared = TestServer()

  /// Test databases are named `test_<seconds>_<random>`, templates `testtemplate_<day>_<hash>`: the name tells the age.
  private static let databasePrefix = "test_"
  private static let templatePrefix = "testtemplate_"

  private var admin: PostgresClient?
  private var hasSwept = false
  /// One task for each list of directories, shared by all who need it.
  private var templates: [[String]: Task<String, any Error>] = [:]

  private func administrator() throws -> PostgresClient {
    if let admin { return admin }
    var configuration = try PostgresConfiguration(url: TestEnvironment.value("DATABASE_URL"))
    configuration.maximumConnections = 4
    configuration.acquireTimeout = .seconds(120)
    configuration.statementTimeout = .seconds(120)
    configuration.applicationName = "test-support"
    let client = PostgresClient(configuration, logger: Self.logger)
    admin = client
    return client
  }

  private static let logger = Logger(label: "test.postgres", factory: { _ in SwiftLogNoOpLogHandler() })

  func makeDatabase(
    migrations: [String], configure: @Sendable (inout PostgresConfiguration) -> Void
  ) async throws -> TestDatabase {
    let admin = try administrator()
    if !hasSwept {
      hasSwept = true
      try await Self.dropStale(admin)
    }
    let template = migrations.isEmpty ? "template0" : try await template(migrations)
    let name = "\(Self.databasePrefix)\(Int(Date().timeIntervalSince1970))_\(TestEnvironment.uniqueSuffix())"
    try await Self.create(name, template: template, admin)

    var configuration = admin.configuration.withDatabase(name)
    configuration.maximumConnections = 8
    configuration.acquireTimeout = .seconds(30)
    configuration.statementTimeout = .seconds(30)
    configuration.applicationName = "test"
    configure(&configuration)
    return TestDatabase(
      client: PostgresClient(configuration, logger: Self.logger), url: configuration.url, name: name)
  }

  func drop(_ name: String) async {
    guard let admin else { return }
    _ = try? await admin.query("DROP DATABASE IF EXISTS \(identifier: name) WITH (FORCE)")
  }

  private func template(_ directories: [String]) async throws -> String {
    if let task = templates[directories] { return try await task.value }
    let admin = try administrator()
    let task = Task { try await Self.makeTemplate(directories, admin) }
    templates[directories] = task
    return try await task.value
  }

  private static func makeTemplate(_ directories: [String], _ admin: PostgresClient) async throws -> String {
    let texts = try directories.map { try Self.content(of: $0) }.joined()
    let hash: String =
      try await admin.query(
        "SELECT left(encode(sha256(convert_to(\(texts), 'UTF8')), 'hex'), 24) AS hash"
      ).first?.get("hash") ?? ""
    let day = Int(Date().timeIntervalSince1970) / 86_400
    let name = "\(templatePrefix)\(day)_\(hash)"

    // Who needs one that is there does not wait for those that are being built.
    let isThere = try await admin.query("SELECT 1 FROM pg_database WHERE datname = \(name)")
    if !isThere.isEmpty { return name }

    // One template at a time on the whole server: migrations may create roles, which all databases share.
    let lane = admin.lane(name: "pg-template", reconnects: false)
    do {
      try await lane.execute("SELECT pg_advisory_lock(7283645510)")
      let exists = try await lane.execute("SELECT 1 FROM pg_database WHERE datname = \(name)")
      if exists.isEmpty { try await build(name, directories, admin) }
      await lane.close()
      return name
    } catch {
      await lane.close()
      throw error
    }
  }

  /// Built under another name, so that a half-migrated template is never used.
  private static func build(_ name: String, _ directories: [String], _ admin: PostgresClient) async throws {
    let draft = "\(databasePrefix)\(Int(Date().timeIntervalSince1970))_\(TestEnvironment.uniqueSuffix())"
    try await create(draft, template: "template0", admin)
    let client = PostgresClient(admin.configuration.withDatabase(draft), logger: logger)
    do {
      for directory in directories {
        try await Migrator(directory: directory, client: client, logger: logger).migrate()
      }
      await client.close()
    } catch {
      await client.close()
      throw error
    }
    try await whileInUse {
      try await admin.query("ALTER DATABASE \(identifier: draft) RENAME TO \(identifier: name)")
    }
  }

  private static func create(_ name: String, template: String, _ admin: PostgresClient) async throws {
    try await whileInUse {
      try await admin.query("CREATE DATABASE \(identifier: name) TEMPLATE \(identifier: template)")
    }
  }

  /// A session that just ended can still count as a user of its database for a moment.
  private static func whileInUse(_ body: () async throws -> PostgresRows) async throws {
    for attempt in 1... {
      do {
        _ = try await body()
        return
      } catch let error as PostgresError where error.sqlState == .objectInUse && attempt < 20 {
        try await Task.sleep(for: .milliseconds(50))
      }
    }
  }

  private static func content(of directory: String) throws -> String {
    let names = try FileManager.default.contentsOfDirectory(atPath: directory).filter { $0.hasSuffix(".sql") }.sorted()
    var content = directory.split(separator: "/").last.map(String.init) ?? ""
    for name in names {
      content += "\n-- \(name)\n" + (try String(contentsOfFile: directory + "/" + name, encoding: .utf8))
    }
    return content
  }

  /// Drops databases of test runs that began more than an hour ago, and templates of earlier days.
  private static func dropStale(_ admin: PostgresClient) async throws {
    let now = Int(Date().timeIntervalSince1970)
    let today = now / 86_400
    for row in try await admin.query("SELECT datname::text AS name FROM pg_database WHERE datname LIKE 'test%'") {
      let name: String = try row.get("name")
      guard let time = name.split(separator: "_").dropFirst().first.flatMap({ Int($0) }) else { continue }
      let isStale =
        (name.hasPrefix(databasePrefix) && time < now - 3600) || (name.hasPrefix(templatePrefix) && time < today - 1)
      if isStale { _ = try? await admin.query("DROP DATABASE IF EXISTS \(identifier: name) WITH (FORCE)") }
    }
  }
}
