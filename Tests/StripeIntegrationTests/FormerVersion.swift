import Cryptography
import Foundation
import HTTPTransport
import Identity
import JSON
import LicenseKitAPI
import LicenseServer
import Logging
import Postgres
import StripeAPI
import StripeHTTP
import TestSupport

@testable import Purchases
@testable import StripeIntegration
@testable import Tenancy

/// What the version before the ledger of paid time had stored for twenty-five accounts with a story each, migrated to the
/// newest tables, with a real LicenseKit on the same database and a Stripe that still answers. `Fixtures/README.md` tells
/// how it was made.
struct FormerVersion: Sendable {
  /// The account of a story, without `acct_`: one purchase each.
  typealias Story = String

  let database: TenantDatabase
  let licenseKit: InProcessLicenseKit
  let vault: KeyVault
  let stripe: FormerStripe
  let clock: @Sendable () -> Date

  /// The moment at which the former version was stopped.
  var madeAt: Date { stripe.madeAt }

  /// The files that the former version knew; what is newer is migrated over its data.
  private static let lastMigrations = ["server": "0013", "integration": "0016"]

  /// - Parameter later: how long after the former version was stopped this one starts; its clock stands still.
  static func open(
    later: TimeInterval = 60, _ body: @Sendable (FormerVersion) async throws -> Void
  ) async throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("former-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    let former = try copyMigrations(to: folder)
    try await withDatabase(migrations: former) { test in
      let logger = Logger(label: "former", factory: { _ in SwiftLogNoOpLogHandler() })
      try await load(fixture("former-version.sql"), into: test.client)
      for name in ["server", "integration"] {
        try await Migrator(directory: PackageRoot.path + "/migrations/" + name, client: test.client, logger: logger)
          .migrate()
      }
      let stripe = try FormerStripe(parsing: Array(fixture("former-version.json").utf8))
      let now = stripe.madeAt.addingTimeInterval(later)
      let key = (0..<32).map { UInt8($0) }
      let keyRing = try KeyRing(parsing: "k1:" + Data(key).base64EncodedString())
      let server = LicenseServer(client: test.client, keyRing: keyRing, clock: { now }, logger: logger)
      let token = Random.token(prefix: "lkm_")
      try await server.bootstrap(adminToken: token)
      try await body(
        FormerVersion(
          database: TenantDatabase(test.client), licenseKit: server.inProcessClient(token: token),
          vault: KeyVault(keyRing: keyRing), stripe: stripe, clock: { now }))
      await server.shutdown()
    }
  }

  private static func copyMigrations(to folder: URL) throws -> [String] {
    try ["server", "integration"].map { name in
      let target = folder.appendingPathComponent(name)
      try FileManager.default.createDirectory(at: target, withIntermediateDirectories: true)
      let source = PackageRoot.url.appendingPathComponent("migrations").appendingPathComponent(name)
      for file in try FileManager.default.contentsOfDirectory(atPath: source.path)
      where file.prefix(4) <= lastMigrations[name] ?? "" {
        try FileManager.default.copyItem(
          at: source.appendingPathComponent(file), to: target.appendingPathComponent(file))
      }
      return target.path
    }
  }

  private static func fixture(_ name: String) throws -> String {
    try String(contentsOfFile: PackageRoot.path + "/Tests/StripeIntegrationTests/Fixtures/" + name, encoding: .utf8)
  }

  private static func load(_ sql: String, into client: PostgresClient) async throws {
    let lane = client.lane(name: "fixture", reconnects: false)
    do {
      try await lane.run { connection in try connection.script("BEGIN;\n" + sql + "COMMIT;") }
      await lane.close()
    } catch {
      await lane.close()
      throw error
    }
  }

  // MARK: Purchases

  func tenant(of story: Story) -> Tenant { Tenant(account: .init("acct_" + story), livemode: false) }

  /// All stories, by name.
  var stories: [Story] { stripe.accounts.map { String($0.dropFirst("acct_".count)) }.sorted() }

  struct Purchase: Hashable, Sendable {
    let id: PurchaseID
    let status: String
    let reason: String?
  }

  func purchases(of story: Story) async throws -> [Purchase] {
    let tenant = tenant(of: story)
    return try await database.transaction(for: tenant) { transaction in
      try await transaction.query(
        """
        SELECT purchase_id, status, reason
          FROM stripe_integration.purchases
         WHERE account_id = \(tenant.account)
           AND livemode   = false
           AND merged_into IS NULL
         ORDER BY created_at, purchase_id
        """
      ).map { row in
        Purchase(id: try row.get("purchase_id"), status: try row.get("status"), reason: try row.get("reason"))
      }
    }
  }

  // MARK: Licenses

  /// A license as the buyer has it: as LicenseKit answers, with the key that this service can still tell.
  struct Held: Hashable, Sendable {
    let id: LicenseID
    let product: ProductID
    let status: LicenseStatus
    let expiresAt: Date?
    let key: String?

    var isUsable: Bool { status == .active || status == .gracePeriod }
  }

  /// The licenses that were ever issued for a purchase, oldest first.
  func licenses(of purchase: PurchaseID, in story: Story) async throws -> [Held] {
    let tenant = tenant(of: story)
    let issued = try await database.transaction(for: tenant) { transaction in
      try await transaction.query(
        """
        SELECT license_id
          FROM stripe_integration.units
         WHERE account_id  = \(tenant.account)
           AND livemode    = false
           AND purchase_id = \(purchase)
           AND license_id IS NOT NULL
         ORDER BY issued_at, license_id
        """
      ).map { row in try row.get("license_id", as: LicenseID.self) }
    }
    var held: [Held] = []
    for id in issued {
      let license = try await licenseKit.getLicense(id)
      let key = try await database.transaction(for: tenant) { transaction in
        try await vault.reveal(id, of: tenant, in: transaction)
      }
      held.append(
        Held(
          id: id, product: license.productID, status: license.status, expiresAt: license.expiresAt, key: key))
    }
    return held
  }

  // MARK: What this version makes of it

  /// What one purchase had, and what it has after this version has looked at it.
  struct Change: Hashable, Sendable {
    let story: Story
    let purchase: PurchaseID
    let before: [Held]
    let after: [Held]
    /// As the purchase is shown afterwards.
    let status: String
    let reason: String?

    var isNone: Bool { before == after }
  }

  /// Reconciles every purchase as often as it asks for at once, and tells what became of each.
  func reconcileAll() async throws -> [Change] {
    let reconciler = Reconciler(
      database: database, stripe: stripe, licenseKit: FixedLicenseKit(client: licenseKit), vault: vault, redis: nil,
      recent: RecentEvents(redis: nil), listeners: IntegrationServer.stepListeners, clock: clock,
      logger: Logger(label: "former", factory: { _ in SwiftLogNoOpLogHandler() }))
    var changes: [Change] = []
    for story in stories {
      for purchase in try await purchases(of: story) {
        let before = try await licenses(of: purchase.id, in: story)
        for _ in 0..<3 { try await reconciler.reconcile(purchase.id, of: tenant(of: story)) }
        let after = try await licenses(of: purchase.id, in: story)
        let shown = try await purchases(of: story).first { $0.id == purchase.id } ?? purchase
        changes.append(
          Change(
            story: story, purchase: purchase.id, before: before, after: after, status: shown.status,
            reason: shown.reason))
      }
    }
    return changes
  }
}

/// Stripe as it was when the former version was stopped: every object of every account, and nothing that changes.
struct FormerStripe: StripeAccess {
  let madeAt: Date
  private let objects: [String: [JSONValue]]
  private let lineItems: JSONObject

  init(parsing bytes: [UInt8]) throws {
    let value = try JSONValue(parsing: bytes)
    madeAt = Date(timeIntervalSince1970: TimeInterval(value["made_at"]?.integer ?? 0))
    objects = (value["accounts"]?.object?.elements ?? []).reduce(into: [:]) { $0[$1.key] = $1.value.array ?? [] }
    lineItems = value["line_items"]?.object ?? JSONObject()
  }

  var accounts: [String] { Array(objects.keys) }

  func session(for tenant: Tenant, replacing rejected: StripeSession?) async throws -> StripeSession {
    let line = Line(objects: objects[tenant.account.rawValue] ?? [], lineItems: lineItems, madeAt: madeAt)
    return StripeClient(apiBaseURL: "http://127.0.0.1:1", transport: line, userAgent: "test").session(
      .accessToken("access"))
  }

  /// One account's API: objects by their id, and lists filtered by the fields that a request names.
  private struct Line: HTTPSending {
    let objects: [JSONValue]
    let lineItems: JSONObject
    let madeAt: Date

    func send(_ request: HTTPTransportRequest) async throws(HTTPTransportError) -> HTTPTransportResponse {
      let address = URLComponents(string: request.url)
      let path = (address?.path ?? "").split(separator: "/").dropFirst().map(String.init)
      let answer = request.method == "GET" ? look(path, address?.queryItems ?? []) : touch(path)
      let headers = HTTPHeaderList([("Date", HTTPDateText.string(from: madeAt))])
      guard let answer else {
        return HTTPTransportResponse(
          status: 404, headers: headers,
          body: Array(
            #"{"error":{"type":"invalid_request_error","code":"resource_missing","message":"No such object"}}"#.utf8))
      }
      return HTTPTransportResponse(status: 200, headers: headers, body: answer.encoded())
    }

    /// What is written back is answered and not kept.
    private func touch(_ path: [String]) -> JSONValue? { path.last.flatMap(object) }

    private func object(_ id: String) -> JSONValue? { objects.first { $0["id"]?.string == id } }

    private func look(_ path: [String], _ query: [URLQueryItem]) -> JSONValue? {
      let isList: (JSONValue) -> JSONValue = { ["object": "list", "has_more": false, "data": $0] }
      guard let last = path.last else { return nil }
      if last == "line_items" { return path.dropLast().last.flatMap { lineItems[$0] }.map(isList) }
      if last == "lines" { return path.dropLast().last.flatMap(object)?["lines"] }
      if last == "subscription_items" {
        return query.first { $0.name == "subscription" }?.value.flatMap(object)?["items"]
      }
      guard let kind = Self.kinds[path.joined(separator: "/")] else { return object(last) }
      let filters = query.filter { !Self.paging.contains($0.name) && !$0.name.hasPrefix("created") }
      return isList(
        .array(
          objects.filter { object in
            object["object"]?.string == kind && filters.allSatisfy { Self.value(of: $0.name, in: object) == $0.value }
          }))
    }

    private static let paging: Set = ["limit", "starting_after", "ending_before", "expand[]", "expand[0]"]

    private static let kinds = [
      "checkout/sessions": "checkout.session", "invoices": "invoice", "invoice_payments": "invoice_payment",
      "charges": "charge", "refunds": "refund", "disputes": "dispute", "credit_notes": "credit_note",
      "subscriptions": "subscription", "products": "product", "prices": "price", "events": "event",
      "payment_intents": "payment_intent",
    ]

    private static func value(of name: String, in object: JSONValue) -> String? {
      switch name {
      case "payment[payment_intent]": return object["payment"]?["payment_intent"]?.string
      case "customer_details[email]": return object["customer_details"]?["email"]?.string
      case "subscription" where object["object"] == "invoice":
        return object["parent"]?["subscription_details"]?["subscription"]?.string
      default: return object[name]?.string
      }
    }
  }
}

private enum HTTPDateText {
  static func string(from date: Date) -> String {
    let formatter = DateFormatter()
    formatter.locale = Locale(identifier: "en_US_POSIX")
    formatter.timeZone = TimeZone(identifier: "GMT")
    formatter.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
    return formatter.string(from: date)
  }
}
