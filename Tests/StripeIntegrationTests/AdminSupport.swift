import Cryptography
import Foundation
import HTTPTransport
import Identity
import JSON
import LicenseKitAPI
import Logging
import Postgres
import Redis
import ServerKit
import StripeAPI
import StripeHTTP
import TestSupport

@testable import StripeIntegration
@testable import Tenancy

/// A shop with its admin routes and Dashboard views behind a port, and a second vendor beside it.
struct Backend: Sendable {
  let shop: Shop
  let url: String
  let transport: HTTPTransport
  let connections: ConnectionStore
  let tokens: AdminTokenStore

  static let operatorToken = "operator-operator"
  static let appSecret = "absec_1"
  static let user = "usr_1"
  /// The second vendor.
  static let other = Tenant(account: "acct_2", livemode: false)

  /// - Parameters:
  ///   - redis: whether requests are counted.
  ///   - burst: how many requests are let through at once.
  ///   - licenseKitURL: where the service's own LicenseKit is; nil when it runs in the same process.
  static func open(
    mapped: Bool = true, redis: Bool = false, burst: Int = 100, licenseKit: (any LicenseKitAccess)? = nil,
    delivery: DeliveryConfiguration = DeliveryConfiguration(), mailer: Mailer? = nil,
    licenseKitURL: String? = nil, _ body: @Sendable (Backend) async throws -> Void
  ) async throws {
    try await Shop.open(mapped: mapped) { shop in
      let logger = Logger(label: "office", factory: { _ in SwiftLogNoOpLogHandler() })
      let keyRing = shop.vault.keyRing
      let connections = ConnectionStore(database: shop.database, keyRing: keyRing)
      try await connections.connect(
        TokenGrant(accessToken: "a", refreshToken: "r", livemode: false, account: other.account), licenseKit: nil)
      let configuration = IntegrationConfiguration(
        live: nil, test: .init(clientID: "ca_1", secretKeys: ["sk_test_1"]), webhookSecrets: .init(live: ["whsec_1"]),
        appSigningSecrets: .init(live: ["absec_old", appSecret]), publicBaseURL: "https://licenses.example.com",
        adminToken: operatorToken, keyRing: keyRing, licenseKit: .init(baseURL: licenseKitURL, token: "lkm_service"),
        delivery: delivery)
      let testRedis = try TestRedis.make()
      let client = redis ? RedisClient(try RedisConfiguration(url: testRedis.url), logger: logger) : nil
      let directory = licenseKit ?? FixedLicenseKit(client: shop.licenseKit)
      let router = AppRouter(translate: IntegrationServer.apiFailure)
      AdminRoutes(
        configuration: configuration, database: shop.database, stripe: FixedStripe(objects: shop.stripe),
        licenseKit: directory, vault: shop.vault, connections: connections, wakeUp: WakeUp(),
        delivery: DeliverySettings(database: shop.database, configuration: configuration, mailer: mailer),
        redis: client,
        keyPrefix: testRedis.keyPrefix, burst: burst, clock: { Shop.now }, logger: logger
      ).addRoutes(to: router)
      AppViews(
        configuration: configuration, database: shop.database, stripe: FixedStripe(objects: shop.stripe),
        licenseKit: directory, connections: connections,
        delivery: DeliverySettings(database: shop.database, configuration: configuration, mailer: mailer),
        wakeUp: WakeUp(),
        // A busy machine may take long to answer; what is away in a test fails at once.
        redis: client, keyPrefix: testRedis.keyPrefix, burst: burst, patience: .seconds(120), clock: { Shop.now },
        logger: logger
      ).addRoutes(to: router)
      let transport = HTTPTransport(logger: logger)
      try await withServer(router) { address in
        try await body(
          Backend(
            shop: shop, url: address.url, transport: transport, connections: connections,
            tokens: AdminTokenStore(database: shop.database)))
      }
      transport.shutdown()
      client?.shutdown()
    }
  }

  // MARK: Asking

  struct Reply: Sendable {
    let response: HTTPTransportResponse
    var status: Int { response.status }
    var text: String { response.text }
    var isEmpty: Bool { response.body.isEmpty }
    var json: JSONValue? { try? JSONValue(parsing: response.body) }
    var data: JSONValue? { json?["data"] }
    var items: [JSONValue] { data?.array ?? [] }
    var next: String? { json?["page_info"]?["next_cursor"]?.string }
    var code: String? { json?["error"]?["code"]?.string }
    var detail: String? { json?["error"]?["detail"]?.string }
    func header(_ name: String) -> String? { response.headers[name] }
  }

  func send(
    _ method: String, _ path: String, body: JSONValue? = nil, headers: [(String, String)] = []
  ) async throws -> Reply {
    Reply(
      response: try await transport.send(
        HTTPTransportRequest(method: method, url: url + path, headers: headers, body: body.map { $0.encoded() })))
  }

  /// An admin request; the operator's when no token is given.
  func admin(
    _ method: String, _ path: String, _ body: JSONValue? = nil, token: String = operatorToken
  ) async throws -> Reply {
    try await send(method, "/stripe/admin/" + path, body: body, headers: [("Authorization", "Bearer \(token)")])
  }

  /// The query that names the shop.
  var named: String { "account_id=\(shop.tenant.account)&livemode=false" }

  func token(of tenant: Tenant, name: String = "ci", expiresAt: Date? = nil) async throws -> String {
    try await tokens.create(
      name: name, expiresAt: expiresAt, for: tenant,
      audit: .init(actor: "test", action: "token.create", target: name, requestID: nil, detail: nil)
    ).token
  }

  /// A Dashboard request, rightly signed for the shop unless said otherwise.
  func view(
    _ query: String, account: String = "acct_1", origin: String? = "null", method: String = "GET",
    headers: [(String, String)] = []
  ) async throws -> Reply {
    let secrets = [try AppSigningSecret(Self.appSecret)]
    let signature = try AppSignature.sign(userID: Self.user, accountID: account, secrets: secrets, at: Shop.now)
    var fields = headers
    fields.append(("Stripe-Signature", signature))
    if let origin { fields.append(("Origin", origin)) }
    return try await send(
      method, "/stripe/app/\(query)&user_id=\(Self.user)&account_id=\(account)&livemode=false", headers: fields)
  }

  // MARK: Selling

  /// Sells something through Checkout and settles it.
  func sell(customer: String? = "cus_1", product: String = "prod_once", quantity: Int64 = 1) async throws {
    shop.stripe.setList(
      "checkout/sessions/cs_test_1/line_items", [StripeFixture.lineItem(product: product, quantity: quantity)])
    try await shop.deliver([
      StripeFixture.Event(
        "evt_1", "checkout.session.completed", at: 1_799_999_001, StripeFixture.session(customer: customer))
    ])
    try await shop.settle()
  }

  /// Purchases that nobody has looked at yet.
  func addPurchases(_ range: Range<Int>, of tenant: Tenant? = nil) async throws {
    let tenant = tenant ?? shop.tenant
    try await shop.database.transaction(for: tenant) { transaction in
      let index = PurchaseIndex(tenant: tenant, transaction: transaction)
      try await TenantLock.take(index.tenant, in: index.transaction)
      for number in range { _ = try await index.purchase(of: ["cs_test_many\(number)"], creating: true) }
    }
  }
}
