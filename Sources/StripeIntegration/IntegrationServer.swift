package import Foundation
package import HTTPTransport
import Identity
package import LicenseKitAPI
package import Logging
package import Postgres
import Queue
package import Redis
package import ServerKit
package import ServiceLifecycle
import Storage
import StripeAPI
import StripeHTTP
import Tenancy

/// Puts the Stripe integration together. This is the one place that shows all its parts.
package struct IntegrationServer: Sendable {
  /// The directory of the schema's migrations.
  package static let migrationsDirectory = "integration"

  /// What a replica does. Each role can be scaled separately.
  package enum Role: String, Sendable, CaseIterable {
    /// Answers HTTP.
    case web
    /// Routes events and reconciles purchases.
    case worker
    case all
  }

  let database: TenantDatabase
  let connections: ConnectionStore
  let keys: KeyVault
  let inbox: InboxWriter
  let receiver: WebhookReceiver
  let connectionRoutes: ConnectionRoutes
  let appViews: AppViews
  let adminRoutes: AdminRoutes
  let workers: Workers
  let keepAlive: KeepAlive
  let retention: Retention
  let driftDetector: DriftDetector
  let installWatch: InstallWatch
  let delivery: DeliveryParts
  let jobRunner: JobRunner
  let eventSync: EventSyncSchedule?
  let queueMetrics: QueueMetrics
  let limiter: RateLimiter

  /// - Parameters:
  ///   - licenseKit: the service-wide LicenseKit.
  ///   - licenseKitClient: the service-wide LicenseKit with a connection's own token.
  ///   - clock: the time that decisions are based on.
  package init(
    configuration: IntegrationConfiguration, postgres: PostgresClient, redis: RedisClient?, transport: HTTPTransport,
    licenseKit: any LicenseKitClient,
    licenseKitClient: @escaping @Sendable (_ token: String) -> (any LicenseKitClient)?,
    clock: @escaping @Sendable () -> Date = { Date() }, logger: Logger
  ) {
    let database = TenantDatabase(postgres)
    let work = configuration.backgroundWork
    let wakeUp = WakeUp()
    let recent = RecentEvents(redis: redis)
    let caution = Caution.from()
    let alerts = HealthAlerts(database: database, logger: logger)
    let keys = KeyVault(keyRing: configuration.keyRing)
    let connections = ConnectionStore(database: database, keyRing: configuration.keyRing)
    let tokens = TokenVault(
      configuration: configuration, store: connections, transport: transport, redis: redis, logger: logger)
    let directory = LicenseKitDirectory(
      store: connections, service: licenseKit, serviceClient: licenseKitClient, transport: transport,
      destinations: configuration.delivery.destinations)

    limiter = RateLimiter(redis)
    self.database = database
    self.connections = connections
    self.keys = keys
    delivery = DeliveryParts(
      configuration: configuration, database: database, vault: keys, licenseKit: directory, clock: clock,
      logger: logger)
    inbox = InboxWriter(client: postgres, logger: logger)
    receiver = WebhookReceiver(
      secrets: configuration.webhookSecrets.checking(), inbox: inbox, recent: recent,
      developerEvents: DeveloperEvents(database: database, alerts: alerts), wakeUp: wakeUp, clock: clock, logger: logger
    )
    connectionRoutes = ConnectionRoutes(
      configuration: configuration, store: connections, transport: transport, redis: redis)
    appViews = AppViews(
      configuration: configuration, database: database, stripe: tokens, licenseKit: directory, connections: connections,
      delivery: delivery.settings, wakeUp: wakeUp, redis: redis, clock: clock, logger: logger)
    adminRoutes = AdminRoutes(
      configuration: configuration, database: database, stripe: tokens, licenseKit: directory, vault: keys,
      connections: connections, wakeUp: wakeUp, delivery: delivery.settings, redis: redis, clock: clock, logger: logger)
    let application = ApplicationEvents(
      apiAccess: configuration.apiAccess, environments: configuration.environments, appID: configuration.appID,
      logger: logger)
    installWatch = InstallWatch(
      database: database,
      client: StripeClient(
        apiBaseURL: configuration.stripeAPIBaseURL, transport: transport, userAgent: IntegrationConfiguration.userAgent),
      stripe: tokens, application: application, appID: configuration.appID,
      environments: StripeEnvironment.allCases.compactMap { environment in
        configuration.mode(environment).map { .init(environment: environment, secretKeys: $0.secretKeys) }
      }, logger: logger)
    workers = Workers(
      router: EventRouter(
        database: database, application: application, alerts: alerts, recent: recent, logger: logger, caution: caution),
      queue: PurchaseQueue(database: database), breaker: CircuitBreaker(database: database),
      thinEvents: ThinEvents(
        database: database, stripe: tokens, recent: recent, wakeUp: wakeUp, logger: logger),
      reconciler: Reconciler(
        database: database, stripe: tokens, licenseKit: directory, vault: keys, redis: redis, recent: recent,
        listeners: Self.stepListeners, clock: clock, logger: logger, caution: caution),
      blocking: connections, wakeUp: wakeUp, concurrencyPerTenant: work.purchasesPerTenant,
      concurrency: work.tenants, pollInterval: work.pollInterval, logger: logger)
    keepAlive = KeepAlive(vault: tokens, logger: logger)
    driftDetector = DriftDetector(
      database: database, licenseKit: directory, wakeUp: wakeUp, interval: work.driftInterval, logger: logger)
    retention = Retention(
      rules: [
        EventRetention(database: database), DeliveryRetention(database: database), JobRetention(database: database),
        AppRequestRetention(database: database),
      ], interval: work.pruneInterval, logger: logger)
    let background = BackgroundStripe(tokens, redis: redis)
    eventSync = configuration.eventSyncInterval.map {
      EventSyncSchedule(database: database, interval: $0, pollInterval: .seconds(10), logger: logger)
    }
    jobRunner = JobRunner(
      database: database,
      works: [
        .replay: ReplayWork(database: database, wakeUp: wakeUp),
        .mappingApply: MappingApplyWork(
          database: database, mappings: MappingEditor(database: database, wakeUp: wakeUp), wakeUp: wakeUp, clock: clock),
        .backfill: BackfillWork(database: database, stripe: background, clock: clock),
        .eventSync: EventSyncWork(database: database, stripe: background, wakeUp: wakeUp, logger: logger),
      ], blocking: connections, concurrency: work.jobs, pollInterval: work.pollInterval, logger: logger)
    queueMetrics = QueueMetrics(database: database, interval: work.metricsInterval, logger: logger)
  }

  /// There are thousands of accepted deliveries, so they are counted and not logged; the inbox has the state of each.
  package static let accessLog = AccessLogMiddleware(
    quietRoutes: ["/health", "/healthz", "/readyz", "/metrics", "/stripe/webhook"])

  /// Limits for one address where anybody can call. An installation takes two requests.
  static let addressLimits = [
    AddressLimit(
      RateLimit("limit:install:", burst: 300, perSecond: 5), on: .requests,
      under: ["/stripe/oauth/install", "/stripe/oauth/callback"]),
    AddressLimit(
      RateLimit("limit:pages:", burst: 300, perSecond: 20), on: .requests,
      under: ["/stripe/console", "/stripe/pages.css", "/stripe/evidence"]),
    AddressLimit(
      RateLimit("limit:admin_tokens:", burst: 300, perSecond: 3), on: .refusedCredentials(scheme: "Bearer"),
      under: ["/stripe/admin"]),
  ]

  /// The routes under `/stripe`.
  package func addRoutes(to router: AppRouter) {
    for rule in Self.addressLimits { router.limit(rule, by: limiter) }
    receiver.addRoutes(to: router)
    connectionRoutes.addRoutes(to: router)
    appViews.addRoutes(to: router)
    adminRoutes.addRoutes(to: router)
  }

  /// The background work of a replica in this role.
  package func services(for role: Role) -> [any Service] {
    guard role != .web else { return [] }
    let services: [any Service] = [
      workers, delivery.service, keepAlive, retention, driftDetector, installWatch, jobRunner, queueMetrics,
    ]
    return services + (eventSync.map { [$0] } ?? [])
  }

  /// Writes what is waiting. Call it when no request is running any more.
  package func shutdown() async {
    delivery.shutdown()
    await inbox.shutdown()
  }

  /// Encrypts every secret at rest again under the first configured key, so that an older key can be removed. It is safe beside
  /// live work, and can be repeated.
  /// - Returns: how many secrets were encrypted again; the tokens of one connection count as one.
  package func reencrypt() async throws -> Int {
    var count = 0
    var cursor: String?
    repeat {
      let page = try await connections.list(after: cursor, limit: 200)
      for connection in page.items {
        if try await connections.reencrypt(connection.tenant) { count += 1 }
        count += try await keys.reencrypt(connection.tenant, in: database)
        count += try await delivery.settings.endpoints.reencrypt(connection.tenant)
      }
      cursor = page.next
    } while cursor != nil
    return count
  }

  /// The commands that an operator runs from the command line.
  package var tools: OperatorTools {
    OperatorTools(
      database: database, stripe: adminRoutes.stripe, router: workers.router, reconciler: workers.reconciler,
      clock: adminRoutes.clock)
  }

  /// Whether the integration can do its work.
  package var readinessCheck: ReadinessCheck {
    ReadinessCheck("stripe_integration") { [database] in
      do {
        try await database.transaction(as: .operatorPages) { transaction in
          _ = try await transaction.query("SELECT account_id FROM stripe_integration.turns LIMIT 1")
        }
        return nil
      } catch { return "unavailable" }
    }
  }
}

extension IntegrationServer {
  /// The listeners that receive each step of a purchase, in the transaction that records it.
  static let stepListeners: [any StepListener] = [OutboxListener(), DriftListener()]

  /// The integration's part of the database.
  /// - Parameter migrations: the folder that holds the migrations of all parts.
  package static func schema(in migrations: String) -> Schema {
    Schema(directory: "\(migrations)/\(migrationsDirectory)", roles: TenantDatabase.Role.allCases.map(\.rawValue))
  }

  /// The answer to a client if the storage behind a route fails. Other errors have no such answer.
  package static func apiFailure(for error: any Error) -> APIFailure? { .storage(error) }

  /// What the doctor reports about the app's installations; empty while all is well.
  package func installReport() async throws -> [String] { try await InstallListStore(database: database).report() }
}
