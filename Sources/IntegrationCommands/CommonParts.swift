package import HTTPTransport
package import Logging
package import Postgres
package import Redis
package import ServerKit
import ServiceLifecycle
import Storage

/// The connections to the outside that every program with the Stripe integration has.
package struct CommonParts: Sendable {
  /// The database.
  package let postgres: PostgresClient
  /// Nil where none is configured.
  package let redis: RedisClient?
  /// Calls to Stripe and LicenseKit.
  package let transport: HTTPTransport
  /// The program's log.
  package let logger: Logger

  /// - Parameters:
  ///   - program: the program's name among the sessions of the database.
  ///   - reservedConnections: how many of `DATABASE_CONNECTIONS` the program opens itself.
  /// - Throws: `PostgresError` if the database, whose identity is part of the keys in Redis, does not answer.
  package init(
    _ settings: ProcessSettings, of program: String, reservedConnections: Int = 0, logger: Logger
  ) async throws {
    var database = try PostgresConfiguration(url: settings.databaseURL)
    database.maximumConnections = max(1, settings.databaseConnections - reservedConnections)
    database.applicationName = program
    postgres = PostgresClient(database, logger: logger)
    if let url = settings.redisURL {
      redis = try await .of(postgres, configuration: RedisConfiguration(url: url), logger: logger)
    } else {
      redis = nil
    }
    transport = HTTPTransport(logger: logger)
    self.logger = logger
  }

  /// The folder with the migrations of all schemas.
  package static var migrations: String {
    get throws { try ResourceLocator.find("migrations", environmentOverride: "LICENSEKIT_RESOURCES") }
  }

  /// The background work of the parts while the program serves.
  var services: [any Service] {
    var services: [any Service] = [postgres]
    if let redis { services.append(RedisService(redis: redis)) }
    return services
  }

  /// Call this when nothing uses them any more.
  package func close() async {
    await postgres.close()
    redis?.shutdown()
    transport.shutdown()
  }
}

/// Keeps the Redis client's connections for as long as the service runs.
private struct RedisService: Service {
  let redis: RedisClient

  func run() async throws {
    await cancelWhenGracefulShutdown { await redis.run() }
  }
}
