import Foundation
import HTTPTransport
import HTTPTypes
import Hummingbird
import JSON
import LicenseKitAPI
import Logging
import Postgres
import Redis
import ServerKit
import Storage
import StripeAPI
import Tenancy

/// The routes for vendors and for the operator: which products are mapped, what happened to each sale and why, and what can
/// be done about it.
///
/// A caller is the operator, with the service's token, or a vendor, with a token of its own. Every route is about one tenant
/// and reads and writes only that tenant's rows. The one exception is the operator's list of connections.
struct AdminRoutes: Sendable {
  let database: TenantDatabase
  let stripe: any StripeAccess
  let licenseKit: any LicenseKitAccess
  let vault: KeyVault
  let connections: ConnectionStore
  let wakeUp: WakeUp
  let clock: @Sendable () -> Date
  let mappings: MappingEditor
  let tokens: AdminTokenStore
  let delivery: DeliverySettings
  let installLinks: InstallLinks
  /// Where the service's own LicenseKit is reached. No vendor's server has these origins.
  let servicesOrigins: [HTTPOrigin]
  private let authenticator: AdminAuthenticator
  private let rateLimit: CallerLimit

  /// - Parameters:
  ///   - redis: counts requests for the limit over all replicas; without it each replica counts for itself.
  ///   - keyPrefix: before every key in Redis.
  ///   - burst: how many requests a caller may make about one tenant at once, and every four seconds in the long run.
  init(
    configuration: IntegrationConfiguration, database: TenantDatabase, stripe: any StripeAccess,
    licenseKit: any LicenseKitAccess, vault: KeyVault, connections: ConnectionStore, wakeUp: WakeUp,
    delivery: DeliverySettings? = nil, redis: RedisClient? = nil, keyPrefix: String = "", burst: Int = 120,
    clock: @escaping @Sendable () -> Date, logger: Logger
  ) {
    self.database = database
    self.stripe = stripe
    self.licenseKit = licenseKit
    self.vault = vault
    self.connections = connections
    self.wakeUp = wakeUp
    self.clock = clock
    mappings = MappingEditor(database: database, wakeUp: wakeUp)
    tokens = AdminTokenStore(database: database)
    self.delivery = delivery ?? DeliverySettings(database: database, configuration: configuration)
    installLinks = InstallLinks(
      redis: redis, keyRing: configuration.keyRing, publicBaseURL: configuration.publicBaseURL, keyPrefix: keyPrefix)
    servicesOrigins = [configuration.licenseKit.baseURL, configuration.publicBaseURL].compactMap {
      $0
    }
    .compactMap(HTTPOrigin.init)
    authenticator = AdminAuthenticator(operatorToken: configuration.adminToken, tokens: tokens)
    rateLimit = CallerLimit(
      RateLimit(keyPrefix + "stripe:admin:", burst: burst, perSecond: Double(burst) / 4), RateLimiter(redis))
  }

  func addRoutes(to router: AppRouter) {
    router.get("stripe/admin/catalog", use: tenant(stripeCatalog))
    router.get("stripe/admin/licensekit/catalog", use: tenant(licenseKitCatalog))

    router.get("stripe/admin/mappings", use: tenant(listMappings))
    router.post("stripe/admin/mappings", use: tenant(createMapping))
    router.get("stripe/admin/mappings/{id}", use: tenant(getMapping))
    router.patch("stripe/admin/mappings/{id}", use: tenant(patchMapping))
    router.delete("stripe/admin/mappings/{id}", use: tenant(deleteMapping))
    router.post("stripe/admin/mappings/{id}/apply", use: tenant(applyMapping))

    router.get("stripe/admin/settings", use: tenant(getSettings))
    router.patch("stripe/admin/settings", use: tenant(patchSettings))

    router.get("stripe/admin/fulfillments", use: tenant(listFulfillments))
    router.post("stripe/admin/fulfillments/replay", use: tenant(replayFulfillments))
    router.get("stripe/admin/fulfillments/{id}", use: tenant(getFulfillment))
    router.post("stripe/admin/fulfillments/{id}/replay", use: tenant(replayFulfillment))
    router.post("stripe/admin/fulfillments/{id}/licenses/{license_id}/reveal", use: tenant(revealKey))
    router.post("stripe/admin/fulfillments/{id}/licenses/{license_id}/release", use: tenant(releaseLicense))

    router.get("stripe/admin/buyers/{id}", use: tenant(exportBuyer))
    router.post("stripe/admin/buyers/{id}/erase", use: tenant(eraseBuyer))

    router.get("stripe/admin/explain", use: tenant(explain))
    router.post("stripe/admin/explain/fetch", use: tenant(ingest))

    router.get("stripe/admin/events", use: tenant(listEvents))
    router.post("stripe/admin/events/replay", use: tenant(replayEvents))
    router.get("stripe/admin/events/{id}", use: tenant(getEvent))
    router.post("stripe/admin/events/{id}/replay", use: tenant(replayEvent))

    router.post("stripe/admin/backfill", use: tenant(startBackfill))
    router.post("stripe/admin/sweep", use: tenant(startEventSync))
    router.get("stripe/admin/jobs", use: tenant(listJobs))
    router.get("stripe/admin/jobs/{id}", use: tenant(getJob))
    router.get("stripe/admin/jobs/{id}/report", use: tenant(getJobReport))
    router.post("stripe/admin/jobs/{id}/cancel", use: tenant(cancelJob))

    router.get("stripe/admin/notices/endpoints", use: tenant(listEndpoints))
    router.post("stripe/admin/notices/endpoints", use: tenant(createEndpoint))
    router.get("stripe/admin/notices/endpoints/{id}", use: tenant(getEndpoint))
    router.patch("stripe/admin/notices/endpoints/{id}", use: tenant(patchEndpoint))
    router.delete("stripe/admin/notices/endpoints/{id}", use: tenant(deleteEndpoint))
    router.post("stripe/admin/notices/endpoints/{id}/rotate-secret", use: tenant(rotateSecret))
    router.post("stripe/admin/notices/endpoints/{id}/test", use: tenant(testEndpoint))
    router.get("stripe/admin/notices/deliveries", use: tenant(listDeliveries))
    router.post("stripe/admin/notices/deliveries/replay", use: tenant(replayDeliveries))
    router.get("stripe/admin/notices/deliveries/{id}", use: tenant(getDelivery))
    router.post("stripe/admin/notices/deliveries/{id}/replay", use: tenant(replayDelivery))
    router.get("stripe/admin/notices/email", use: tenant(getMail))
    router.put("stripe/admin/notices/email", use: tenant(setMail))
    router.post("stripe/admin/notices/email/test", use: tenant(testMail))

    router.get("stripe/admin/connections", use: listConnections)
    router.post("stripe/admin/connections/unpark", use: unblock)
    router.put("stripe/admin/connections/licensekit", use: tenant(setLicenseKit))

    router.post("stripe/admin/install-links", use: createInstallLink)
    router.get("stripe/admin/installs", use: listInstallLists)
    router.post("stripe/admin/installs/read", use: readInstallLists)

    router.get("stripe/admin/tokens", use: tenant(listTokens))
    router.post("stripe/admin/tokens", use: tenant(createToken))
    router.delete("stripe/admin/tokens/{id}", use: tenant(deleteToken))

    router.get("stripe/admin/audit", use: tenant(listAudit))
  }

  // MARK: Who asks, and about whom

  func caller(of request: Request) async throws -> AdminCaller { try await authenticator.caller(of: request) }

  /// Counts a request of a caller.
  func countRequest(of caller: AdminCaller, about tenant: Tenant?) async throws {
    let subject = tenant?.description ?? "all"
    try await rateLimit.take(caller == .serviceOperator ? "operator:\(subject)" : subject)
  }

  /// A route about one tenant, which the query or the body names. With a vendor's own token it need not be named.
  private func tenant(
    _ handle: @escaping @Sendable (AdminCall) async throws -> Response
  ) -> @Sendable (Request, AppContext) async throws -> Response {
    { request, context in try await handle(try await call(try await asked(request), context)) }
  }

  /// A request before its tenant is known.
  struct Asked: Sendable {
    let caller: AdminCaller
    let account: String?
    let livemode: Bool?
    let query: QueryReader
    /// Without the fields that name the tenant.
    let body: JSONObject
  }

  func asked(_ request: Request) async throws -> Asked {
    let caller = try await caller(of: request)
    var body = try await Self.body(of: request)
    let query = request.query
    let account = try Self.account(query, &body)
    let livemode = try Self.livemode(query, &body)
    return Asked(caller: caller, account: account, livemode: livemode, query: query, body: body)
  }

  func call(_ asked: Asked, _ context: AppContext) async throws -> AdminCall {
    let tenant = try asked.caller.tenant(account: asked.account, livemode: asked.livemode)
    try await countRequest(of: asked.caller, about: tenant)
    return AdminCall(caller: asked.caller, tenant: tenant, query: asked.query, body: asked.body, context: context)
  }

  private static func body(of request: Request) async throws -> JSONObject {
    guard request.method != .get, request.method != .head else { return JSONObject() }
    let bytes = try await request.bodyBytes(limit: 1 << 18)
    guard !bytes.isEmpty else { return JSONObject() }
    try JSONBody.refuseNUL(in: bytes)
    let value: JSONValue
    do {
      value = try JSONValue(parsing: bytes, maximumDepth: 16)
    } catch {
      throw APIFailure.invalidJSON("\(error)")
    }
    guard let object = value.object else { throw APIFailure.invalidJSON("the body must be an object") }
    return object
  }

  private static func account(_ query: QueryReader, _ body: inout JSONObject) throws(APIFailure) -> String? {
    let named = try query.string("account_id", maximumLength: 255)
    guard let value = body["account_id"] else { return named }
    body["account_id"] = nil
    if value.isNull { return named }
    guard let text = value.string else { throw .invalidJSON("account_id: expected a string") }
    guard named ?? text == text else { throw .invalidQuery(field: "account_id", "differs from the one in the body") }
    return text
  }

  private static func livemode(_ query: QueryReader, _ body: inout JSONObject) throws(APIFailure) -> Bool? {
    let named = try query.bool("livemode")
    guard let value = body["livemode"] else { return named }
    body["livemode"] = nil
    if value.isNull { return named }
    guard let bool = value.bool else { throw .invalidJSON("livemode: expected true or false") }
    guard named ?? bool == bool else { throw .invalidQuery(field: "livemode", "differs from the one in the body") }
    return bool
  }
}
