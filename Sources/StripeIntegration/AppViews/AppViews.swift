import Foundation
import HTTPTypes
import Hummingbird
import Identity
import LicenseKitAPI
import Logging
import Postgres
import Redis
import ServerKit
import StripeAPI

/// The routes that the Dashboard app calls from the merchant's browser: the licenses beside the payment. They read, and
/// never show a key.
struct AppViews: Sendable {
  private let database: TenantDatabase
  private let licenses: LiveLicenses
  private let secrets: [AppSigningSecret]
  private let cors: CORSPolicy
  private let rateLimit: TenantRateLimit
  private let clock: @Sendable () -> Date

  /// - Parameters:
  ///   - redis: counts requests for the limit; without it there is none.
  ///   - keyPrefix: before every key in Redis.
  ///   - burst: how many requests an account may make at once, and in ten seconds in the long run.
  ///   - patience: how long LicenseKit may take before a view shows what is stored here.
  init(
    configuration: IntegrationConfiguration, database: TenantDatabase, licenseKit: any LicenseKitAccess,
    redis: RedisClient?, keyPrefix: String = "", burst: Int = 60, patience: Duration = .seconds(3),
    clock: @escaping @Sendable () -> Date, logger: Logger
  ) {
    self.database = database
    self.clock = clock
    licenses = LiveLicenses(
      licenseKit: licenseKit, appURL: configuration.licenseKit.appURL ?? Self.defaultAppURL, patience: patience)
    secrets = configuration.appSigningSecrets.compactMap { try? AppSigningSecret($0) }
    cors = CORSPolicy(
      allowedOrigins: configuration.allowedOrigins, allowedMethods: [.get, .head, .post],
      allowedHeaders: [
        "Content-Type", HTTPField.Name.stripeSignature.rawName, HTTPField.Name.stripeUserID.rawName,
        HTTPField.Name.stripeAccountID.rawName, HTTPField.Name.stripeSignedPayload.rawName,
      ])
    rateLimit = TenantRateLimit(
      redis: redis, prefix: keyPrefix + "stripe:app:", capacity: burst, perSecond: Double(burst) / 10)
  }

  /// Where vendors look after their licenses, unless the configuration says otherwise.
  static let defaultAppURL = "https://app.licensekit.dev"

  func addRoutes(to router: AppRouter) {
    router.cors(cors, under: "/stripe/app")
    router.get("stripe/app/customer", use: view(of: .customer))
    router.get("stripe/app/subscription", use: view(of: .subscription))
    router.get("stripe/app/invoice", use: view(of: .invoice))
    router.get("stripe/app/payment", use: view(of: .payment))
    router.post("stripe/app/customer", use: view(of: .customer))
    router.post("stripe/app/subscription", use: view(of: .subscription))
    router.post("stripe/app/invoice", use: view(of: .invoice))
    router.post("stripe/app/payment", use: view(of: .payment))
  }

  private func view(of kind: AppObjectKind) -> @Sendable (Request, AppContext) async throws -> Response {
    { request, context in
      let asked = try await AppRequest(request, kind, secrets: secrets, now: clock())
      try await rateLimit.take(asked.tenant.description)
      let stored = try await database.transaction(for: asked.tenant) { transaction in
        let reader = AppViewReader(tenant: asked.tenant, transaction: transaction)
        guard try await reader.isConnected() else { throw Self.notConnected }
        return try await reader.view(of: asked.object, kind)
      }
      let shown = await licenses.show(stored.licenses, of: asked.tenant, now: clock())
      return try Answer.data(
        AppView(
          object: .init(id: asked.object, type: kind), stale: shown.isStale, fulfillments: stored.fulfillments,
          licenses: shown.licenses, moreLicenses: stored.hasMoreLicenses),
        context: context)
    }
  }

  private static let notConnected = APIFailure.forbidden(
    "this account has not installed the app in this mode", code: "ACCOUNT_NOT_CONNECTED")
}

/// What a Dashboard view shows.
struct AppView: Encodable, Sendable {
  let object: Object
  /// Whether LicenseKit could not be asked, so that licenses are shown as this service left them.
  let stale: Bool
  let fulfillments: [Fulfillment]
  let licenses: [License]
  /// Whether there are more licenses than are shown.
  let moreLicenses: Bool

  struct Object: Encodable, Sendable {
    let id: String
    let type: AppObjectKind
  }

  struct Fulfillment: Encodable, Sendable {
    let id: PurchaseID
    let status: String
    @OrNull var reason: String?
    let kind: String
    let stripeID: String
    let updatedAt: Date
  }

  struct License: Encodable, Sendable {
    let id: LicenseID
    let status: LicenseStatus
    @OrNull var keyHint: String?
    let product: Named
    let policy: Named
    @OrNull var expiresAt: Date?
    @OrNull var activeDeviceCount: Int?
    let devices: [Device]
    let usage: [Usage]
    let url: String
  }

  struct Named: Encodable, Sendable {
    @OrNull var id: String?
    @OrNull var name: String?
  }

  struct Device: Encodable, Sendable {
    let id: DeviceID
    @OrNull var hostname: String?
    @OrNull var os: String?
    let lastSeenAt: Date
  }

  struct Usage: Encodable, Sendable {
    let featureCode: String
    let consumed: Int64
    /// Null is without limit.
    @OrNull var quota: Int64?
  }
}
