import Foundation
import HTTPTypes
import Hummingbird
import Identity
import JSON
import LicenseKitAPI
import Logging
import Postgres
import Purchases
import Redis
import ServerKit
import Storage
import StripeAPI
import Tenancy

/// The routes that the Dashboard app calls from the merchant's browser: the licenses of a payment, the settings, the evidence
/// for disputes, and a person's actions. They never show a key.
struct AppViews: Sendable {
  private let gate: AppGate
  private let licenses: LiveLicenses
  private let settings: AppSettings
  private let evidence: DisputeEvidence
  private let actions: AppActions
  private let delivery: DeliverySettings
  private let cors: CORSPolicy
  private let consoleURL: String

  /// - Parameters:
  ///   - redis: counts requests for the limit; without it each process counts for itself.
  ///   - keyPrefix: before every key in Redis.
  ///   - burst: how many requests an account may make at once, and every ten seconds in the long run.
  ///   - patience: how long to wait for LicenseKit before a view shows what is stored here.
  init(
    configuration: IntegrationConfiguration, database: TenantDatabase, stripe: any StripeAccess,
    licenseKit: any LicenseKitAccess, connections: ConnectionStore, delivery: DeliverySettings, wakeUp: WakeUp,
    redis: RedisClient?, keyPrefix: String = "", burst: Int = 60, patience: Duration = .seconds(3),
    clock: @escaping @Sendable () -> Date, logger: Logger
  ) {
    gate = AppGate(
      database: database, secrets: configuration.appSigningSecrets.checking(),
      rights: configuration.appRights,
      rateLimit: CallerLimit(
        RateLimit(keyPrefix + "stripe:app:", burst: burst, perSecond: Double(burst) / 10), RateLimiter(redis)),
      clock: clock)
    consoleURL = configuration.licenseKit.appURL ?? configuration.publicBaseURL + "/stripe/console/"
    self.delivery = delivery
    licenses = LiveLicenses(
      licenseKit: licenseKit, appURL: configuration.licenseKit.appURL ?? Self.defaultAppURL, patience: patience)
    settings = AppSettings(
      gate: gate, connections: connections, mappings: MappingEditor(database: database, wakeUp: wakeUp),
      licenseKit: licenseKit, delivery: delivery, publicBaseURL: configuration.publicBaseURL, consoleURL: consoleURL,
      patience: patience)
    evidence = DisputeEvidence(
      gate: gate, stripe: stripe, licenseKit: licenseKit,
      tickets: EvidenceTickets(keyRing: configuration.keyRing, publicBaseURL: configuration.publicBaseURL),
      patience: patience, logger: logger)
    actions = AppActions(
      gate: gate,
      effects: AppEffects(
        database: database, licenseKit: licenseKit, connections: connections, delivery: delivery, evidence: evidence,
        wakeUp: wakeUp), logger: logger)
    cors = CORSPolicy(
      allowedOrigins: configuration.allowedOrigins, allowedMethods: [.get, .head, .post],
      allowedHeaders: [
        "Content-Type", HTTPField.Name.stripeSignature.rawName, HTTPField.Name.stripeUserID.rawName,
        HTTPField.Name.stripeAccountID.rawName, HTTPField.Name.stripeSignedPayload.rawName,
      ])
  }

  /// Where vendors manage their licenses, unless the configuration says otherwise.
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
    router.get("stripe/app/settings", use: settings.show)
    router.post("stripe/app/settings", use: settings.show)
    router.get("stripe/app/evidence", use: evidence.show)
    router.post("stripe/app/evidence", use: evidence.show)
    router.post("stripe/app/actions", use: actions.perform)
    // Opened directly by its address in a window of its own, not in the Dashboard's frame.
    router.get("stripe/evidence/{ticket}", use: evidence.document)
  }

  private func view(of kind: AppObjectKind) -> @Sendable (Request, AppContext) async throws -> Response {
    { request, context in
      let asked = try await gate.question(request)
      let object = try asked.object(kind)
      let (stored, mailIsOn) = try await gate.reading(asked.tenant, signedFor: asked.signedFor) { transaction in
        let view = try await AppViewReader(tenant: asked.tenant, transaction: transaction).view(of: object, kind)
        return (view, try await delivery.mailsKeys(of: asked.tenant, in: transaction))
      }
      let shown = await licenses.show(stored.licenses, of: asked.tenant, now: gate.clock())
      return try Answer.data(
        AppView(
          object: .init(id: object, type: kind), stale: shown.isStale, fulfillments: stored.fulfillments,
          licenses: shown.licenses, moreLicenses: stored.hasMoreLicenses, timeline: stored.timeline,
          disputes: stored.disputes, may: gate.rights.operations(of: asked.roles), keyMail: mailIsOn ? .on : .off,
          consoleURL: consoleURL),
        context: context)
    }
  }
}

extension DeliverySettings {
  /// Whether keys are mailed to this tenant's buyers.
  func mailsKeys(of tenant: Tenant, in transaction: PostgresTransaction) async throws -> Bool {
    guard mailer != nil else { return false }
    return try await MailSettingsStore(tenant: tenant, transaction: transaction).load()?.isEnabled ?? false
  }
}

/// Whether something is switched on.
enum OnOff: String, Encodable, Sendable { case on, off }

/// What a Dashboard view shows.
struct AppView: Encodable, Sendable {
  let object: Object
  /// Whether LicenseKit could not be asked, so that licenses are shown from this service's records.
  let stale: Bool
  let fulfillments: [Fulfillment]
  let licenses: [License]
  /// Whether there are more licenses than are shown.
  let moreLicenses: Bool
  /// The latest entries of all its fulfillments, newest first.
  let timeline: [TimelineEntry]
  /// The disputes of a payment, newest first.
  let disputes: [Dispute]
  /// What the person may do here; nothing in the plain form, in which Stripe vouches for no role.
  let may: [AppOperation]
  /// Whether keys are mailed to buyers.
  let keyMail: OnOff
  let consoleURL: String

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
    /// The Stripe products and prices for which it waits for a mapping.
    let unmapped: [String]
  }

  struct License: Encodable, Sendable {
    let id: LicenseID
    let fulfillmentID: PurchaseID
    let status: LicenseStatus
    @OrNull var keyHint: String?
    let product: Named
    let policy: Named
    @OrNull var expiresAt: Date?
    /// Whether the next paid period extends it.
    let renews: Bool
    let changedByHand: [ManualOverride]
    @OrNull var activeDeviceCount: Int?
    /// How many devices the policy allows; null if that is not known.
    @OrNull var deviceLimit: Int?
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
    /// Null means without limit.
    @OrNull var quota: Int64?
  }

  struct TimelineEntry: Encodable, Sendable {
    let at: Date
    /// `event`, `decision`, `step` or `note`.
    let kind: String
    let title: String
    @OrNull var state: String?
    @OrNull var detail: String?
    let fulfillmentID: PurchaseID
  }

  struct Dispute: Encodable, Sendable {
    let id: Stripe.DisputeID
    /// Stripe's own word, according to the latest news.
    let status: String
  }
}
