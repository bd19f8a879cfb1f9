import Cryptography
import Foundation
import HTTPTransport
import Identity
import JSON
import LicenseKitAPI
import LicenseKitHTTP
import LicenseServer
import Logging
import Postgres
import ServerKit
import StripeAPI
import StripeHTTP
import Synchronization
import TestSupport

@testable import Purchases
@testable import StripeIntegration
@testable import Tenancy

/// A vendor with a real LicenseKit server behind HTTP, real tables, and a Stripe that answers from a dictionary.
struct Shop: Sendable {
  static let now = Date(timeIntervalSince1970: 1_800_000_000)

  let tenant: Tenant
  let database: TenantDatabase
  /// Of the integration, so far.
  let transactions: TransactionCount
  let licenseKit: LicenseKitHTTPClient
  let line: FaultyLine
  let stripe: StripeObjects
  let vault: KeyVault
  /// The entry of `ENCRYPTION_KEYS` that encrypts here.
  let keyEntry: String
  let router: EventRouter
  let inbox: InboxWriter
  let product: ProductID
  let policies: (perpetual: PolicyID, subscription: PolicyID)
  let reconciler: Reconciler

  /// Opens a shop whose `prod_once` gives a perpetual license and whose `prod_monthly` one that follows a subscription.
  static func open(
    account: String = "acct_1", mapped: Bool = true, _ body: @Sendable (Shop) async throws -> Void
  ) async throws {
    let migrations = ["server", "integration"].map { PackageRoot.path + "/migrations/" + $0 }
    try await withDatabase(migrations: migrations) { test in
      let logger = Logger(label: "shop", factory: { _ in SwiftLogNoOpLogHandler() })
      let keyEntry = try KeyRing.newEntry(id: "k1")
      let keyRing = try KeyRing(parsing: keyEntry)
      let server = LicenseServer(client: test.client, keyRing: keyRing, logger: logger)
      let token = Random.token(prefix: "lkm_")
      try await server.bootstrap(adminToken: token)
      let transport = HTTPTransport(logger: logger)
      let routes = AppRouter()
      server.addRoutes(to: routes)
      try await withServer(routes) { address in
        let shop = try await Shop(
          account: account, client: test.client, keyEntry: keyEntry, keyRing: keyRing, address: address, token: token,
          transport: transport,
          logger: logger)
        if mapped { try await shop.map() }
        try await body(shop)
        await shop.inbox.shutdown()
      }
      transport.shutdown()
    }
  }

  private init(
    account: String, client: PostgresClient, keyEntry: String, keyRing: KeyRing, address: ServerAddress, token: String,
    transport: HTTPTransport, logger: Logger
  ) async throws {
    tenant = Tenant(account: .init(account), livemode: false)
    let transactions = TransactionCount()
    self.transactions = transactions
    database = TenantDatabase(client) { transactions.add() }
    line = FaultyLine(transport: transport)
    licenseKit = LicenseKitHTTPClient(baseURL: address.url, token: token, transport: line)
    stripe = StripeObjects()
    self.keyEntry = keyEntry
    vault = KeyVault(keyRing: keyRing)
    router = EventRouter(
      database: database, application: ApplicationEvents(logger: logger),
      alerts: HealthAlerts(database: database, logger: logger), recent: RecentEvents(redis: nil),
      logger: logger)
    inbox = InboxWriter(client: client, logger: logger)
    reconciler = Reconciler(
      database: database, stripe: FixedStripe(objects: stripe), licenseKit: FixedLicenseKit(client: licenseKit),
      vault: vault, redis: nil, recent: RecentEvents(redis: nil), listeners: IntegrationServer.stepListeners,
      clock: { Shop.now }, logger: logger)
    let made = try await licenseKit.createProduct(ProductCreateRequest(name: "App", code: "app"))
    product = made.id
    policies = (
      try await licenseKit.createPolicy(
        made.id, PolicyCreateRequest(name: "For ever", code: "once", licenseType: .perpetual)
      ).id,
      try await licenseKit.createPolicy(
        made.id, PolicyCreateRequest(name: "Monthly", code: "monthly", licenseType: .subscription)
      ).id
    )
    try await ConnectionStore(database: database, keyRing: keyRing).connect(
      TokenGrant(
        accessToken: "access", refreshToken: "refresh", livemode: false, account: tenant.account, publishableKey: nil,
        scope: "stripe_apps", tokenType: "bearer"), licenseKit: nil)
  }

  var thinEvents: ThinEvents {
    ThinEvents(
      database: database, stripe: FixedStripe(objects: stripe), recent: RecentEvents(redis: nil), wakeUp: WakeUp(),
      logger: router.logger)
  }

  // MARK: Mappings

  func map(_ changes: (inout Terms) -> Void = { _ in }) async throws {
    for (stripeProduct, policy, type) in [
      ("prod_once", policies.perpetual, LicenseType.perpetual), ("prod_monthly", policies.subscription, .subscription),
    ] {
      var terms = Terms(product: product, policy: policy, licenseType: type, quantity: .perUnit)
      changes(&terms)
      let text = try StoredJSON.text(terms)
      try await database.transaction(for: tenant) { transaction in
        _ = try await transaction.query(
          """
          INSERT INTO stripe_integration.mappings
                 (account_id, livemode, mapping_id, stripe_product_id, licensekit_product_id, licensekit_policy_id, terms)
          VALUES (\(tenant.account), false, \("map_" + stripeProduct), \(stripeProduct), \(product), \(policy),
                  \(text)::text::jsonb)
          """)
      }
    }
  }

  // MARK: Events

  /// Stores events as the receiver does.
  func deliver(_ events: [StripeFixture.Event]) async throws {
    for event in events {
      let body = event.json(account: tenant.account.rawValue).encoded()
      try await inbox.store(
        InboxItem(
          tenant: tenant, envelope: try EventEnvelope(scanning: body), body: String(decoding: body, as: UTF8.self)))
    }
  }

  func route() async throws { while try await router.routeBatch(of: tenant) > 0 {} }

  /// Routes and reconciles until nothing is due; what waits for another attempt is due at once.
  func settle() async throws {
    for _ in 0..<60 {
      try await route()
      let due = try await makeDue()
      if due.isEmpty { return }
      for purchase in due { try await reconciler.reconcile(purchase, of: tenant) }
    }
    throw Unsettled()
  }

  struct Unsettled: Error {}

  /// Takes the lease of a purchase, as another replica does.
  func lease(_ purchase: PurchaseID) async throws -> PurchaseLease? {
    try await database.transaction(for: tenant) { try await PurchaseLease.take(purchase, of: tenant, in: $0) }
  }

  private func makeDue() async throws -> [PurchaseID] {
    try await database.transaction(for: tenant) { transaction in
      try await transaction.query(
        """
        SELECT purchase_id
          FROM stripe_integration.purchases
         WHERE merged_into IS NULL
           AND (attention_at <= \(Shop.now) OR (attempts > 0 AND status <> 'failed'))
        """
      ).map { row in try row.get("purchase_id") }
    }
  }

  // MARK: What came of it

  func purchases() async throws -> [(id: PurchaseID, status: String, reason: String?)] {
    try await database.transaction(for: tenant) { transaction in
      try await transaction.query(
        """
        SELECT purchase_id, status, reason
          FROM stripe_integration.purchases
         WHERE merged_into IS NULL
         ORDER BY created_at
        """
      ).map { row in (try row.get("purchase_id"), try row.get("status"), try row.get("reason")) }
    }
  }

  func licenses() async throws -> [License] { try await licenseKit.listLicenses(LicenseFilter(limit: 200)) }

  func usableLicenses() async throws -> [License] { try await licenses().filter { $0.status == .active } }

  func key(of license: LicenseID) async throws -> String? {
    try await database.transaction(for: tenant) { transaction in
      try await vault.reveal(license, of: tenant, in: transaction)
    }
  }
}

/// Counts the transactions that the integration opens.
final class TransactionCount: Sendable {
  private let counted = Mutex(0)

  func add() { counted.withLock { $0 += 1 } }
  func reset() { counted.withLock { $0 = 0 } }
  var value: Int { counted.withLock { $0 } }
}

/// The way to LicenseKit, which can break at any call: before the request arrives, or after it took effect and before the
/// answer is back.
final class FaultyLine: HTTPSending {
  enum Break: Hashable, Sendable { case before, after }

  private let transport: HTTPTransport
  private let state = Mutex((calls: 0, breakAt: Int?.none, mode: Break.before))
  private let outage = Mutex((isCut: false, calls: 0))
  private let scripted = Mutex<HTTPTransportResponse?>(nil)

  init(transport: HTTPTransport) { self.transport = transport }

  /// From now on nobody answers.
  func cut() { outage.withLock { $0 = (true, 0) } }
  /// - Returns: how many calls there were meanwhile.
  @discardableResult
  func restore() -> Int {
    outage.withLock { outage in
      outage.isCut = false
      return outage.calls
    }
  }

  /// From now on this is what is answered, whatever is asked; nil for the server's own answers.
  func answer(_ response: HTTPTransportResponse?) { scripted.withLock { $0 = response } }

  /// Counts from the next call on.
  func breakOnce(at call: Int, _ mode: Break) { state.withLock { $0 = (0, call, mode) } }
  /// - Returns: whether it had broken.
  func mend() -> Bool {
    state.withLock { state in
      defer { state.breakAt = nil }
      return state.breakAt == nil
    }
  }

  func send(_ request: HTTPTransportRequest) async throws(HTTPTransportError) -> HTTPTransportResponse {
    let fault = state.withLock { state -> Break? in
      state.calls += 1
      guard state.breakAt == state.calls else { return nil }
      state.breakAt = nil
      return state.mode
    }
    let isCut = outage.withLock { outage in
      outage.calls += 1
      return outage.isCut
    }
    if isCut { throw .connectTimeout }
    if fault == .before { throw .connectionLost("cut before") }
    if let answer = scripted.withLock({ $0 }) { return answer }
    let response = try await transport.send(request)
    if fault == .after { throw .connectionLost("cut after") }
    return response
  }
}

/// Stripe's API as a dictionary from path to answer.
final class StripeObjects: HTTPSending {
  private let answers = Mutex<[String: JSONValue]>([:])
  private let asked = Mutex<[String]>([])
  private let sent = Mutex<[(path: String, body: [UInt8])]>([])

  func set(_ path: String, _ answer: JSONValue) { answers.withLock { $0[path] = answer } }
  func setList(_ path: String, _ items: [JSONValue]) {
    set(path, ["object": "list", "has_more": false, "data": .array(items)])
  }
  var questions: [String] { asked.withLock { $0 } }
  /// The bodies that were posted to a path.
  func posts(to path: String) -> [[UInt8]] { sent.withLock { $0.filter { $0.path == path }.map(\.body) } }

  func send(_ request: HTTPTransportRequest) async throws(HTTPTransportError) -> HTTPTransportResponse {
    let path = String(request.url.dropFirst("http://127.0.0.1:1/v1/".count).split(separator: "?", maxSplits: 1)[0])
    asked.withLock { $0.append("\(request.method) \(request.url.dropFirst("http://127.0.0.1:1/v1/".count))") }
    if request.method == "POST" {
      sent.withLock { $0.append((path, request.body ?? [])) }
      let answer = answers.withLock { $0["POST " + path] } ?? [:]
      return HTTPTransportResponse(status: 200, body: answer.encoded())
    }
    let query = request.url.split(separator: "?", maxSplits: 1).dropFirst().first.map { "?" + $0 } ?? ""
    let answer = answers.withLock { answers in
      answers.first { key, _ in
        let parts = key.split(separator: "?", maxSplits: 1)
        return parts[0] == path && (parts.count == 1 || query.contains(parts[1]))
      }?.value
    }
    guard let answer else {
      return HTTPTransportResponse(
        status: 404,
        body: Array(
          #"{"error":{"type":"invalid_request_error","code":"resource_missing","message":"No such object"}}"#.utf8))
    }
    return HTTPTransportResponse(status: 200, body: answer.encoded())
  }
}

struct FixedStripe: StripeAccess {
  let objects: StripeObjects
  func session(for tenant: Tenant, replacing rejected: StripeSession?) async throws -> StripeSession {
    StripeClient(apiBaseURL: "http://127.0.0.1:1", transport: objects, userAgent: "test").session(
      .accessToken("access"))
  }
}

struct FixedLicenseKit: LicenseKitAccess {
  let client: any LicenseKitClient
  func client(for tenant: Tenant) async throws -> any LicenseKitClient { client }
}

/// Stripe's objects in short.
enum StripeFixture {
  struct Event {
    let id: String
    let type: String
    let created: Int64
    let object: JSONValue

    init(_ id: String, _ type: String, at created: Int64, _ object: JSONValue) {
      self.id = id
      self.type = type
      self.created = created
      self.object = object
    }

    func json(account: String) -> JSONValue {
      [
        "id": .string(id), "object": "event", "account": .string(account), "api_version": "2025-03-31.basil",
        "created": .integer(created), "livemode": false, "type": .string(type), "data": ["object": object],
      ]
    }
  }

  static func session(
    _ number: Int = 1, paid: Bool = true, customer: String? = nil, at created: Int64 = 1_799_999_000
  ) -> JSONValue {
    [
      "id": .string("cs_test_\(number)"), "object": "checkout.session", "mode": "payment", "status": "complete",
      "payment_status": paid ? "paid" : "unpaid", "customer": customer.map { .string($0) } ?? .null,
      "customer_details": ["email": "buyer@example.com", "name": "Buyer"], "payment_intent": .string("pi_\(number)"),
      "subscription": nil, "invoice": nil, "metadata": [:], "created": .integer(created),
    ]
  }

  static func lineItem(_ number: Int = 1, product: String = "prod_once", quantity: Int64 = 1) -> JSONValue {
    [
      "id": .string("li_\(number)"), "object": "item", "quantity": .integer(quantity),
      "price": [
        "id": .string("price_of_\(product)"), "object": "price", "product": .string(product), "type": "one_time",
      ],
    ]
  }

  static func charge(_ number: Int = 1, refunded: Int64 = 0) -> JSONValue {
    [
      "id": .string("ch_\(number)"), "object": "charge", "amount": 4900, "amount_captured": 4900, "paid": true,
      "amount_refunded": .integer(refunded), "refunded": .bool(refunded == 4900),
      "payment_intent": .string("pi_\(number)"), "created": 1_799_999_000,
    ]
  }
}
