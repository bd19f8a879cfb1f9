public import Postgres

/// A new database on the server that `DATABASE_URL` names, with a client. Made in some tens of milliseconds, as a copy of a
/// template that was migrated once; safe to make in any number of tests and processes at once.
public struct TestDatabase: Sendable {
  public let client: PostgresClient
  /// For programs and clients that connect by themselves.
  public let url: String
  public let name: String

  /// - Parameters:
  ///   - migrations: directories, absolute or relative to the package, migrated in this order with `Migrator`'s defaults.
  ///   - configure: changes the client's configuration.
  public static func make(
    migrations: [String] = [], configure: @Sendable (inout PostgresConfiguration) -> Void = { _ in }
  ) async throws -> TestDatabase {
    let directories = migrations.map { $0.hasPrefix("/") ? $0 : PackageRoot.path + "/" + $0 }
    return try await TestServer.shared.makeDatabase(migrations: directories, configure: configure)
  }

  /// Closes the client and drops the database. Never fails: what is left over is dropped by a later run.
  public func close() async {
    await client.close()
    await TestServer.shared.drop(name)
  }
}

/// Runs `body` with a new database, which is dropped afterwards.
public func withDatabase<T: Sendable>(
  migrations: [String] = [], configure: @Sendable (inout PostgresConfiguration) -> Void = { _ in },
  isolation: isolated (any Actor)? = #isolation,
  _ body: (TestDatabase) async throws -> T
) async throws -> T {
  let database = try await TestDatabase.make(migrations: migrations, configure: configure)
  do {
    let result = try await body(database)
    await database.close()
    return result
  } catch {
    await database.close()
    throw error
  }
}
