import ArgumentParser
import Cryptography
import HTTPTransport
import LicenseKitAPI
import LicenseServer
import Logging
import Postgres
import Redis
import ServerKit
import ServiceLifecycle
import Storage
import StripeIntegration

/// The program on one page: what it is made of, and in which order it starts and ends.
struct Parts: Sendable {
  let postgres: PostgresClient
  let redis: RedisClient?
  let transport: HTTPTransport
  /// Deliveries have a transport of their own: receivers that hang take no connections away from Stripe.
  let webhookTransport: HTTPTransport
  let server: LicenseServer
  let integration: IntegrationServer?
  let logger: Logger

  /// - Throws: `PostgresError` when the database, whose identity the keys in Redis carry, does not answer.
  init(_ settings: ServerSettings, logger: Logger) async throws {
    self.logger = logger
    var database = try PostgresConfiguration(url: settings.process.databaseURL)
    database.maximumConnections = max(1, settings.process.databaseConnections - LicenseServer.ownConnections)
    database.applicationName = "licensekit"
    let postgres = PostgresClient(database, logger: logger)
    var redis: RedisClient?
    if let url = settings.process.redisURL {
      redis = try await .of(postgres, configuration: RedisConfiguration(url: url), logger: logger)
    }
    let transport = HTTPTransport(logger: logger)
    let server = LicenseServer(
      client: postgres, keyRing: settings.keyRing, destinations: settings.destinations, logger: logger)
    self.postgres = postgres
    self.redis = redis
    self.transport = transport
    webhookTransport = HTTPTransport(.init(userAgent: "LicenseKit", maximumConnectionsPerHost: 16), logger: logger)
    self.server = server
    integration = settings.integration.map { configuration in
      // The service-wide LicenseKit: the one at LICENSEKIT_BASE_URL, or else this very server without a detour over HTTP.
      let licenseKit: @Sendable (String) -> any LicenseKitClient
      if let baseURL = configuration.licenseKit.baseURL {
        licenseKit = { LicenseKitHTTPClient(baseURL: baseURL, token: $0, transport: transport) }
      } else {
        licenseKit = { server.inProcessClient(token: $0) }
      }
      return IntegrationServer(
        configuration: configuration, postgres: postgres, redis: redis, transport: transport,
        licenseKit: licenseKit(configuration.licenseKit.token), licenseKitClient: licenseKit, logger: logger)
    }
  }

  /// Brings the schemas up to date; several replicas may do so at once. What only the operator can mend ends the program
  /// with a word about it.
  func migrate() async throws {
    do {
      try await Schema.update(schemas, of: postgres, logger: logger)
    } catch let error as PostgresError where error.meaning == .rights {
      StandardError.write("DATABASE_URL: \(error.message)\n")
      throw ExitCode(78)  // EX_CONFIG
    }
  }

  /// The parts of the database that this service works on.
  var schemas: [Schema] {
    get throws {
      let migrations = try ResourceLocator.find("migrations", environmentOverride: "LICENSEKIT_RESOURCES")
      return [LicenseServer.schema(in: migrations)]
        + (integration == nil ? [] : [IntegrationServer.schema(in: migrations)])
    }
  }

  /// Background work of the parts themselves.
  var services: [any Service] {
    var services: [any Service] = [postgres]
    if let redis { services.append(RedisService(redis: redis)) }
    return services
  }

  /// The background work of a replica in this role.
  func backgroundServices(for role: IntegrationServer.Role) -> [any Service] {
    var services = integration?.services(for: role) ?? []
    if role != .worker { services += server.requestServices }
    if role != .web { services += server.backgroundServices(transport: webhookTransport) }
    return services
  }

  /// After the last request: what waits is written, then everything is closed.
  func close() async {
    await integration?.shutdown()
    await server.shutdown()
    await postgres.close()
    redis?.shutdown()
    transport.shutdown()
    webhookTransport.shutdown()
  }
}

/// Keeps the Redis client's connections for as long as the service runs.
private struct RedisService: Service {
  let redis: RedisClient

  func run() async throws {
    await cancelWhenGracefulShutdown { await redis.run() }
  }
}
