import Foundation
import Logging
public import Postgres

/// A new database on the server that `DATABASE_URL` names, with a client.
public struct TestDatabase: Sendable {
  public let client: PostgresClient
  /// For programs and clients that connect by themselves.
  public let url: String
  public let name: String

  /// - Parameter migrations: directories, absolute or relative to the package, migrated in this order.
  public static func make(
    migrations: [String] = [], configure: @Sendable (inout PostgresConfiguration) -> Void = { _ in }
  ) async throws -> TestDatabase {
    throw MissingTestService(variable: "DATABASE_URL")
  }

  /// Closes the client and drops the database.
  public func close() async {}
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
