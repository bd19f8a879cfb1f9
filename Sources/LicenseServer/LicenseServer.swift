package import Cryptography
package import Foundation
package import HTTPTransport
package import LicenseKitAPI
package import Logging
package import Postgres
package import ServerKit
import ServiceLifecycle

/// The LicenseKit v1 API on Postgres.
///
/// The rules are in services that know no HTTP (`Management/`, `Runtime/`). Routes translate, and ``InProcessLicenseKit``
/// calls the same services without a network. The server holds no state that another replica could miss. The caller must run
/// the migrations first: ``migrationsDirectory``.
package struct LicenseServer: Sendable {
  /// The folder of this server's migrations, below the project's `migrations`.
  package static let migrationsDirectory = "server"

  /// Connections to the database that it opens in addition to the client's pool: one for validations, which answers many at a
  /// time.
  package static let ownConnections = ValidationBatch.lanes

  let services: Services
  let client: PostgresClient

  /// A server on a migrated database.
  ///
  /// - Parameters:
  ///   - keyRing: encrypts the signing keys, and the answers kept for an idempotency key that hold a license key or a lease
  ///     token.
  ///   - destinations: where vendors may have their events sent to.
  ///   - clock: the present time; whole seconds of it are used.
  package init(
    client: PostgresClient, keyRing: KeyRing, destinations: AddressPolicy = .publicOnly(),
    clock: @escaping @Sendable () -> Date = { Date() }, logger: Logger
  ) {
    self.client = client
    self.services = Services(
      store: TenantStore(client: client, logger: logger), clock: ServerClock(read: clock), keyRing: keyRing,
      destinations: destinations)
  }

  /// Creates the default tenant and its signing key if they are missing, and makes `adminToken`, if given, an admin token of
  /// it. Any number of replicas may call it at once, any number of times.
  package func bootstrap(adminToken: String?) async throws {
    try await administration.bootstrap(adminToken: adminToken)
  }

  /// What only the operator does: tenants, tokens, signing keys, limits of policies.
  package var administration: TenantAdministration {
    TenantAdministration(
      client: client, signingKeys: services.signingKeys, keyRing: services.issuing.keyRing, policies: services.policies,
      clock: services.clock)
  }

  /// Whether the database answers, under the name that the contract's `ReadyData` has for it.
  package var readinessCheck: ReadinessCheck {
    ReadinessCheck("db") { [client] in
      do {
        try await client.query("SELECT 1 FROM license_server.tenants LIMIT 1")
        return nil
      } catch { return "unavailable" }
    }
  }

  /// The limits of one address. Valid keys and tokens are not counted, because many applications may share one address.
  static let addressLimits = [
    AddressLimit(
      RateLimit("limit:license_keys:", burst: 100, perSecond: 1), on: .refusedCredentials(scheme: "License"),
      under: ["/api/v1/license"]),
    AddressLimit(
      RateLimit("limit:tokens:", burst: 300, perSecond: 3), on: .refusedCredentials(scheme: "Bearer"),
      under: ["/api/v1"]),
    AddressLimit(
      RateLimit("limit:public_keys:", burst: 300, perSecond: 20), on: .requests, under: ["/api/v1/system/public-keys"]),
  ]

  /// Declares every route of the contract that this server has.
  ///
  /// - Parameters:
  ///   - metrics: what `GET /metrics` shows; nil leaves that route out.
  ///   - readiness: further checks for `GET /readyz`, after the database.
  ///   - limiter: counts what an address may do; nil for no limits.
  package func addRoutes(
    to router: AppRouter, metrics: MetricsRegistry? = nil, readiness: [ReadinessCheck] = [],
    limiter: RateLimiter? = nil
  ) {
    if let limiter { for rule in Self.addressLimits { router.limit(rule, by: limiter) } }
    ManagementRoutes(services: services).add(to: router)
    RuntimeRoutes(services: services).add(to: router)
    SystemRoutes(services: services, checks: [readinessCheck] + readiness, metrics: metrics).add(to: router)
  }

  /// Answers what is waiting, then closes the connections that are kept for it. Call it after the last request.
  package func shutdown() async { await services.runtime.validations.shutdown() }

  /// The same operations without HTTP, for the holder of a management token. The token is looked up at each call, so a token
  /// that was switched off stops working here too.
  package func inProcessClient(token: String) -> InProcessLicenseKit {
    InProcessLicenseKit(services: services, credential: .token(token))
  }

  /// The same operations without HTTP, on this process's own authority.
  package func inProcessClient(
    tenant: TenantID, scopes: Set<ManagementScope> = [.admin], actor: String = "in_process"
  ) -> InProcessLicenseKit {
    InProcessLicenseKit(
      services: services,
      credential: .caller(Caller(tenant: tenant, actor: .system(actor), scopes: scopes, address: nil)))
  }
}

extension LicenseServer {
  /// The server's part of the database.
  /// - Parameter migrations: the folder that holds the migrations of all parts.
  package static func schema(in migrations: String) -> Schema {
    Schema(directory: "\(migrations)/\(migrationsDirectory)", roles: DatabaseRole.allCases.map(\.rawValue))
  }
}
