public import Logging
public import Postgres
public import Redis

extension RedisClient {
  /// A client whose keys belong to one database: services that share a Redis, each with its own database, never use each
  /// other's marks, locks and limits.
  ///
  /// - Throws: `PostgresError` if the database does not give its identity.
  /// - Throws: `PostgresError` when the database does not tell who it is.
  public static func of(
    _ database: PostgresClient, configuration: RedisConfiguration, logger: Logger
  ) async throws -> RedisClient {
    var configuration = configuration
    configuration.keyPrefix = "licensekit:\(try await database.databaseIdentity()):"
    return RedisClient(configuration, logger: logger)
  }
}
