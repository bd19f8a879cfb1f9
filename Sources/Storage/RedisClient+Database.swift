public import Logging
public import Postgres
public import Redis

extension RedisClient {
  /// A client whose keys are those of one database: services that share a Redis, each with a database of its own, never take
  /// each other's marks, locks and limits.
  ///
  /// - Throws: `PostgresError` when the database does not tell who it is.
  public static func of(
    _ database: PostgresClient, configuration: RedisConfiguration, logger: Logger
  ) async throws -> RedisClient {
    var configuration = configuration
    configuration.keyPrefix = "licensekit:\(try await database.databaseIdentity()):"
    return RedisClient(configuration, logger: logger)
  }
}
