public import HTTPTransport
public import Logging
public import Postgres
public import Redis
public import ServerKit
import ServiceLifecycle
import Storage

/// The connections to the outside that every program with the Stripe integration has.
public struct CommonParts: Sendable {
  /// The database.
  public let postgres: PostgresClient
  /// Nil where none is configured.
  public let redis: RedisClient?
  /// Calls to Stripe and LicenseKit.
  public let transport: HTTPTransport
  /// The program's log.
  public let logger: Logger

  /// - Parameters:
  ///   - program: the name of the program among the sessions of the database.
  ///   - reservedConnections: of `DATABASE_CONNECTIONS`, how many the program opens by itself.
  /// - Throws: `PostgresError` when the database, whose identity the keys in Redis carry, does not answer.
  public init(
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
  public static var migrations: String {
    get throws { try ResourceLocator.find("migrations", environmentOverride: "LICENSEKIT_RESOURCES") }
  }

  /// What the parts do by themselves while the program serves.
  var services: [any Service] {
    var services: [any Service] = [postgres]
    if let redis { services.append(RedisService(redis: redis)) }
    return services
  }

  /// To be called when nothing uses them any more.
  public func close() async {
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
