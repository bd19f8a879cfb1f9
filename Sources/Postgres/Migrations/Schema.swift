public import Logging

/// A part of the database: its migrations, and the roles that work on it.
public struct Schema: Sendable {
  private let directory: String
  private let roles: [String]

  /// - Parameters:
  ///   - directory: the folder with the migrations.
  ///   - roles: the roles that the connection's user takes on.
  public init(directory: String, roles: [String]) {
    self.directory = directory
    self.roles = roles
  }

  /// Brings the parts of a database up to date, one after the other, and makes sure that the user may take on their roles.
  /// Any number of processes may do it at once.
  /// - Throws: `PostgresError`: `.rights` or `.pooled` if the operator must change something first; see ``Migrator``.
  public static func update(_ schemas: [Schema], of client: PostgresClient, logger: Logger) async throws {
    try await client.checkSessions()
    for schema in schemas {
      try await DatabaseRoles(schema.roles, client: client).prepare()
      for migration in try await Migrator(directory: schema.directory, client: client, logger: logger).migrate() {
        logger.info("migrated", metadata: ["migration": "\(migration.version) \(migration.name)"])
      }
    }
  }

  /// What the user lacks; changes nothing.
  public func gap(_ client: PostgresClient) async throws -> DatabaseRoles.Gap {
    try await DatabaseRoles(roles, client: client).gap()
  }
}
