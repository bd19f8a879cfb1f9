public import Logging

/// Brings a database to the newest version: forward only, one file after the other.
///
/// Files are named `NNNN_name.sql`. Each runs in a transaction together with its record (version, name, SHA-256), under a
/// `lock_timeout`, so that a migration that waits for a lock does not make everybody wait behind it; it is tried a few times.
/// A file whose first line is `-- no transaction` runs statement by statement instead, and must be repeatable.
///
/// Any number of processes may start at once: one migrates, the others wait.
public struct Migrator: Sendable {
  public struct Applied: Sendable, Hashable {
    public let version: Int
    public let name: String
  }

  private let directory: String
  private let schema: String?
  private let table: String
  private let client: PostgresClient
  private let logger: Logger

  /// How long one statement waits for a lock.
  public var lockTimeout: Duration = .seconds(5)
  /// How many times a file is tried that could not get its locks.
  public var attempts = 10
  /// How long to wait for another process that migrates.
  public var waitLimit: Duration = .seconds(600)

  /// - Parameters:
  ///   - directory: the folder with the files.
  ///   - schemaTable: where applied migrations are recorded, `schema.table` or `table`; created if missing, the schema,
  ///     too. Default: `public.schema_migrations_<name of the folder>`.
  public init(
    directory: String, schemaTable: String? = nil, client: PostgresClient,
    logger: Logger = Logger(label: "postgres.migrator")
  ) {
    self.directory = directory
    self.client = client
    self.logger = logger
    let folder = directory.split(separator: "/").last.map(String.init) ?? ""
    let parts = (schemaTable ?? "public.schema_migrations_\(folder)").split(separator: ".", maxSplits: 1)
    schema = parts.count == 2 ? String(parts[0]) : nil
    table = parts.last.map(String.init) ?? "schema_migrations"
  }

  private var qualifiedTable: String {
    (schema.map { PostgresQuery.quotedIdentifier($0) + "." } ?? "") + PostgresQuery.quotedIdentifier(table)
  }

  /// Applies what is missing, in order, and returns it.
  /// - Throws: `.migration` when an applied file was changed, renamed or removed, or a new one has too low a number; the
  ///   server's error when a file fails, after which the earlier ones stay applied.
  @discardableResult
  public func migrate() async throws -> [Applied] {
    let files = try MigrationFile.all(in: directory)
    let lane = client.lane(name: "pg-migrate", reconnects: false)
    do {
      try await lane.run { try $0.script("SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0") }
      try await lock(lane)
      let applied = try await apply(files, on: lane)
      await lane.close()  // which gives up the lock
      return applied
    } catch {
      await lane.close()
      throw error
    }
  }

  /// What is recorded as applied, by version; empty when nothing ever was.
  public func applied() async throws -> [Applied] {
    let exists = try await client.query("SELECT to_regclass(\(qualifiedTable)) IS NOT NULL AS found")
    guard try exists.first?.get("found") ?? false else { return [] }
    let rows = try await client.query(
      "SELECT version, name FROM \(unescaped: qualifiedTable) ORDER BY version")
    return try rows.map { Applied(version: try $0.get("version"), name: try $0.get("name")) }
  }

  /// One advisory lock for each table. It is polled instead of waited for: a waiting statement holds a snapshot, and `CREATE
  /// INDEX CONCURRENTLY` in another process would wait for that in turn.
  private func lock(_ lane: PostgresLane) async throws {
    let deadline = ContinuousClock.now + waitLimit
    let name = "migrations:" + qualifiedTable
    while true {
      let rows = try await lane.execute("SELECT pg_try_advisory_lock(hashtextextended(\(name), 0)) AS locked")
      if try rows.first?.get("locked") ?? false { return }
      guard .now < deadline else {
        throw PostgresError(.timeout, "another process has been migrating for \(waitLimit)")
      }
      try await Task.sleep(for: .milliseconds(50))
    }
  }

  private func apply(_ files: [MigrationFile], on lane: PostgresLane) async throws -> [Applied] {
    let schema = schema
    let table = qualifiedTable
    let recorded = try await lane.run { connection in
      if let schema, schema != "public" {
        try connection.script("CREATE SCHEMA IF NOT EXISTS " + PostgresQuery.quotedIdentifier(schema))
      }
      try connection.script(
        """
        CREATE TABLE IF NOT EXISTS \(table) (
          version integer PRIMARY KEY, name text NOT NULL, checksum text NOT NULL,
          applied_at timestamptz NOT NULL DEFAULT now())
        """)
      return try connection.query("SELECT version, name, checksum FROM \(unescaped: table) ORDER BY version").map {
        MigrationRecord(version: try $0.get("version"), name: try $0.get("name"), checksum: try $0.get("checksum"))
      }
    }
    let texts = files.map(\.sql)
    let checksums = try await lane.run { connection in
      try connection.query(
        """
        SELECT encode(sha256(convert_to(text, 'UTF8')), 'hex') AS checksum
        FROM unnest(\(texts)) WITH ORDINALITY AS file (text, position) ORDER BY position
        """
      ).map { try $0.get("checksum", as: String.self) }
    }
    let withChecksums = Array(zip(files, checksums)).map { (file: $0.0, checksum: $0.1) }
    let pending = try MigrationPlan.pending(files: withChecksums, recorded: recorded)
    let checksumOf = Dictionary(
      withChecksums.map { ($0.file.version, $0.checksum) }, uniquingKeysWith: { first, _ in first })

    var applied: [Applied] = []
    for file in pending {
      try await apply(file, checksum: checksumOf[file.version] ?? "", on: lane)
      applied.append(Applied(version: file.version, name: file.name))
    }
    return applied
  }

  private func apply(_ file: MigrationFile, checksum: String, on lane: PostgresLane) async throws {
    let title = MigrationPlan.title(file.version, file.name)
    var remaining = attempts
    while true {
      remaining -= 1
      do {
        try await run(file, checksum: checksum, on: lane)
        logger.info("applied migration \(title)")
        return
      } catch let error as PostgresError where error.sqlState == .lockNotAvailable && remaining > 0 {
        logger.warning("migration \(title) could not get a lock in \(lockTimeout); trying again")
        try await Task.sleep(for: .milliseconds(200))
      } catch var error as PostgresError {
        error.message = "migration \(title): " + error.message
        throw error
      }
    }
  }

  private func run(_ file: MigrationFile, checksum: String, on lane: PostgresLane) async throws {
    let record: PostgresQuery = """
      INSERT INTO \(unescaped: qualifiedTable) (version, name, checksum)
      VALUES (\(file.version), \(file.name), \(checksum))
      """
    let lockTimeout = lockTimeout
    try await lane.run { connection in
      guard file.runsInTransaction else {
        try connection.script("SET lock_timeout = \(lockTimeout.wholeMilliseconds)")
        for statement in SQLStatements.split(file.sql) { try connection.script(statement) }
        try connection.script("RESET lock_timeout")
        try connection.query(record)
        return
      }
      try connection.transaction(TransactionOptions(lockTimeout: lockTimeout)) {
        try connection.script(file.sql)
        try connection.query(record)
      }
    }
  }
}
