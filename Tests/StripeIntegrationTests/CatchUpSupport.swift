import Foundation
import HTTPTransport
import Identity
import JSON
import LicenseKitAPI
import Logging
import Postgres
import ServerKit
import StripeAPI
import StripeHTTP
import Synchronization
import Tenancy

@testable import Purchases
@testable import StripeIntegration

/// A Stripe account with a history: objects in lists, newest first, with Stripe's filters and pages.
final class FakeAccount: HTTPSending {
  private struct State {
    var lists: [String: [JSONValue]] = [:]
    var requests: [String] = []
    var refused: Set<String> = []
    /// Called before the answer to a request of this beginning.
    var interruptions: [(prefix: String, body: @Sendable () async throws -> Void)] = []
  }

  private let state = Mutex(State())

  /// Puts an object in front of a list such as `subscriptions`.
  func add(_ list: String, _ object: JSONValue) { state.withLock { $0.lists[list, default: []].insert(object, at: 0) } }

  /// Replaces the object of that id.
  func replace(_ list: String, _ object: JSONValue) {
    state.withLock { state in
      guard let index = state.lists[list]?.firstIndex(where: { $0["id"] == object["id"] }) else { return }
      state.lists[list]?[index] = object
    }
  }

  /// The newest object of a list.
  func newest(_ list: String) -> JSONValue { state.withLock { $0.lists[list]?.first ?? .null } }

  /// Answers 403 to calls to this list.
  func refuse(_ list: String) { state.withLock { _ = $0.refused.insert(list) } }

  func allow(_ list: String) { state.withLock { _ = $0.refused.remove(list) } }

  /// Runs something once, in the middle of the next call that begins so.
  func interrupt(_ prefix: String, _ body: @escaping @Sendable () async throws -> Void) {
    state.withLock { $0.interruptions.append((prefix, body)) }
  }

  /// `GET subscriptions?status=all&limit=10`, decoded, in the order in which they came.
  var requests: [String] { state.withLock { $0.requests } }
  func requests(_ prefix: String) -> [String] { requests.filter { $0.hasPrefix(prefix) } }
  func forgetRequests() { state.withLock { $0.requests = [] } }

  func send(_ request: HTTPTransportRequest) async throws(HTTPTransportError) -> HTTPTransportResponse {
    let tail = String(request.url.dropFirst("http://127.0.0.1:1/v1/".count))
    let text = "\(request.method) \(tail.removingPercentEncoding ?? tail)"
    let interruption = state.withLock { state -> (@Sendable () async throws -> Void)? in
      state.requests.append(text)
      guard let index = state.interruptions.firstIndex(where: { text.hasPrefix($0.prefix) }) else { return nil }
      return state.interruptions.remove(at: index).body
    }
    do { try await interruption?() } catch { throw .connectionLost("cut") }
    if request.method == "POST" { return HTTPTransportResponse(status: 200, body: Array("{}".utf8)) }
    let parts = tail.split(separator: "?", maxSplits: 1).map(String.init)
    return answer(path: parts[0], query: Self.query(parts.count > 1 ? parts[1] : ""))
  }

  private static func query(_ text: String) -> [(name: String, value: String)] {
    text.split(separator: "&").map { pair in
      let halves = pair.split(separator: "=", maxSplits: 1).map { String($0).removingPercentEncoding ?? String($0) }
      return (halves[0], halves.count > 1 ? halves[1] : "")
    }
  }

  private func answer(path: String, query: [(name: String, value: String)]) -> HTTPTransportResponse {
    state.withLock { state in
      if state.refused.contains(where: { path.hasPrefix($0) }) {
        return Self.failure(403, "more_permissions_required_for_application")
      }
      if let list = state.lists[path] { return Self.page(list, query) }
      if Self.collections.contains(path) { return Self.page([], query) }
      let segments = path.split(separator: "/")
      let object = state.lists[segments.dropLast().joined(separator: "/")]?.first { value in
        value["id"]?.string == segments.last.map(String.init)
      }
      guard let object else { return Self.failure(404, "resource_missing") }
      return HTTPTransportResponse(status: 200, body: object.encoded())
    }
  }

  private static let collections: Set<String> = [
    "subscriptions", "checkout/sessions", "invoices", "events", "charges", "refunds", "disputes", "invoice_payments",
    "subscription_items",
  ]

  private static func failure(_ status: Int, _ code: String) -> HTTPTransportResponse {
    HTTPTransportResponse(
      status: status,
      body: Array(#"{"error":{"type":"invalid_request_error","code":"\#(code)","message":"No"}}"#.utf8))
  }

  private static func page(_ list: [JSONValue], _ query: [(name: String, value: String)]) -> HTTPTransportResponse {
    var found = list
    let types = query.filter { $0.name.hasPrefix("types") }.map(\.value)
    if !types.isEmpty { found = found.filter { types.contains($0["type"]?.string ?? "") } }
    for (name, value) in query {
      switch name {
      case "created[gte]": found = found.filter { $0["created"]?.integer ?? 0 >= Int64(value) ?? 0 }
      case "status" where value == "all": break
      case "status", "payment_intent", "charge", "invoice", "subscription", "customer":
        found = found.filter { ($0["_" + name] ?? $0[name])?.string == value }
      case "payment[payment_intent]":
        found = found.filter { $0["payment"]?["payment_intent"]?.string == value }
      case "starting_after":
        guard let index = found.firstIndex(where: { $0["id"]?.string == value }) else {
          return failure(404, "resource_missing")
        }
        found = Array(found[(index + 1)...])
      default: break
      }
    }
    let limit = query.first { $0.name == "limit" }.flatMap { Int($0.value) } ?? 10
    let page: JSONValue = [
      "object": "list", "has_more": .bool(found.count > limit), "data": .array(Array(found.prefix(limit))),
    ]
    return HTTPTransportResponse(status: 200, body: page.encoded())
  }
}

/// Access to a fake account, counted against nothing.
struct FakeAccess: StripeAccess {
  let account: FakeAccount

  func session(for tenant: Tenant, replacing rejected: StripeSession?) async throws -> StripeSession {
    StripeClient(apiBaseURL: "http://127.0.0.1:1", transport: account, userAgent: "test").session(
      .accessToken("access"))
  }
}

/// What Stripe's objects look like in lists.
extension FakeAccount {
  static let day: Int64 = 86_400
  /// The time that decisions are made by.
  static let now = Int64(Shop.now.timeIntervalSince1970)
  /// The time that events bear: a quarter of an hour ago, by the clocks of the database and of Stripe.
  static var lately: Int64 { Int64(Date().timeIntervalSince1970) - 900 }

  /// A payment with its charge. `refunded` is how much of 4900 went back.
  func pay(_ number: String, refunded: Int64 = 0, refund status: String = "succeeded", dispute: String? = nil) {
    add(
      "charges",
      [
        "id": .string("ch_\(number)"), "object": "charge", "amount": 4900, "amount_captured": 4900, "paid": true,
        "amount_refunded": .integer(refunded), "refunded": .bool(refunded == 4900), "disputed": .bool(dispute != nil),
        "payment_intent": .string("pi_\(number)"), "created": .integer(Self.lately),
      ])
    if refunded > 0 {
      add(
        "refunds",
        [
          "id": .string("re_\(number)"), "object": "refund", "amount": .integer(refunded),
          "charge": .string("ch_\(number)"), "payment_intent": .string("pi_\(number)"), "status": .string(status),
          "created": .integer(Self.lately),
        ])
    }
    if let dispute {
      add(
        "disputes",
        [
          "id": .string("du_\(number)"), "object": "dispute", "charge": .string("ch_\(number)"),
          "payment_intent": .string("pi_\(number)"), "amount": 4900, "status": .string(dispute),
          "created": .integer(Self.lately),
        ])
    }
  }

  /// A Checkout Session that was paid once.
  @discardableResult
  func sell(
    _ number: String, product: String = "prod_once", quantity: Int64 = 1, paid: Bool = true, at created: Int64? = nil,
    refunded: Int64 = 0, refund: String = "succeeded", dispute: String? = nil
  ) -> JSONValue {
    let session: JSONValue = [
      "id": .string("cs_test_\(number)"), "object": "checkout.session", "mode": "payment", "status": "complete",
      "payment_status": paid ? "paid" : "unpaid", "customer": nil,
      "customer_details": ["email": .string("b\(number)@example.com"), "name": "Buyer"],
      "payment_intent": .string("pi_\(number)"), "subscription": nil, "invoice": nil, "metadata": [:],
      "created": .integer(created ?? Self.lately),
    ]
    add("checkout/sessions", session)
    add("checkout/sessions/cs_test_\(number)/line_items", StripeFixture.lineItem(product: product, quantity: quantity))
    if paid { pay(number, refunded: refunded, refund: refund, dispute: dispute) }
    return session
  }

  /// A subscription with its newest invoice.
  /// - Parameter invoice: its newest invoice's status; nil for none.
  @discardableResult
  func subscribe(
    _ number: String, status: String = "active", product: String = "prod_monthly", items: Int = 1, quantity: Int64 = 1,
    invoice: String? = "paid", at created: Int64? = nil, refunded: Int64 = 0, dispute: String? = nil
  ) -> JSONValue {
    let (start, end) = (Self.now - 5 * Self.day, Self.now + 25 * Self.day)
    let created = created ?? Self.lately - 5 * Self.day
    let all: [JSONValue] = (1...items).map { item in
      [
        "id": .string("si_\(number)_\(item)"), "object": "subscription_item", "quantity": .integer(quantity),
        "_subscription": .string("sub_\(number)"),
        "current_period_start": .integer(start), "current_period_end": .integer(end),
        "price": ["id": .string("price_\(number)_\(item)"), "product": .string(product), "recurring": [:]],
      ]
    }
    for item in all.reversed() { add("subscription_items", item) }
    let subscription: JSONValue = [
      "id": .string("sub_\(number)"), "object": "subscription", "status": .string(status),
      "customer": .string("cus_\(number)"), "created": .integer(created), "cancel_at_period_end": false,
      "latest_invoice": invoice == nil ? .null : .string("in_\(number)"), "metadata": [:],
      "trial_end": status == "trialing" ? .integer(end) : .null,
      "items": [
        "object": "list", "has_more": .bool(items > 10), "data": .array(Array(all.prefix(10))),
      ],
    ]
    add("subscriptions", subscription)
    if let invoice {
      add(
        "invoices",
        [
          "id": .string("in_\(number)"), "object": "invoice", "status": .string(invoice),
          "customer": .string("cus_\(number)"), "customer_email": .string("s\(number)@example.com"),
          "_subscription": .string("sub_\(number)"), "billing_reason": "subscription_create",
          "parent": [
            "type": "subscription_details", "subscription_details": ["subscription": .string("sub_\(number)")],
          ],
          "amount_paid": 4900, "total": 4900, "created": .integer(created), "attempt_count": 1,
          "lines": [
            "object": "list", "has_more": false,
            "data": .array(
              (1...min(items, 10)).map { item in
                [
                  "id": .string("il_\(number)_\(item)"), "amount": 4900, "quantity": .integer(quantity),
                  "period": ["start": .integer(start), "end": .integer(end)],
                  "parent": [
                    "type": "subscription_item_details",
                    "subscription_item_details": [
                      "subscription": .string("sub_\(number)"), "subscription_item": .string("si_\(number)_\(item)"),
                      "proration": false,
                    ],
                  ],
                  "pricing": [
                    "type": "price_details",
                    "price_details": ["price": .string("price_\(number)_\(item)"), "product": .string(product)],
                  ],
                ]
              }),
          ],
        ])
      if invoice == "paid" {
        add("invoice_payments", Self.invoicePayment(number))
        pay(number, refunded: refunded, dispute: dispute)
      }
    }
    return subscription
  }

  /// A one-off invoice that was paid.
  func invoice(_ number: String, product: String = "prod_once", refunded: Int64 = 0) {
    add(
      "invoices",
      [
        "id": .string("in_\(number)"), "object": "invoice", "status": "paid", "customer": .string("cus_\(number)"),
        "customer_email": .string("i\(number)@example.com"), "billing_reason": "manual", "parent": nil,
        "amount_paid": 4900, "total": 4900, "created": .integer(Self.lately), "attempt_count": 1,
        "lines": [
          "object": "list", "has_more": false,
          "data": [
            [
              "id": .string("il_\(number)"), "amount": 4900, "quantity": 1,
              "parent": ["type": "invoice_item_details", "invoice_item_details": ["proration": false]],
              "pricing": [
                "type": "price_details",
                "price_details": ["price": .string("price_of_\(product)"), "product": .string(product)],
              ],
            ]
          ],
        ],
      ])
    add("invoice_payments", Self.invoicePayment(number))
    pay(number, refunded: refunded)
  }

  private static func invoicePayment(_ number: String) -> JSONValue {
    [
      "id": .string("inpay_\(number)"), "object": "invoice_payment", "invoice": .string("in_\(number)"),
      "status": "paid", "payment": ["type": "payment_intent", "payment_intent": .string("pi_\(number)")],
    ]
  }

  /// An event of the account's list, as Stripe lists it: without the account.
  @discardableResult
  func event(_ id: String, _ type: String, at created: Int64? = nil, _ object: JSONValue) -> StripeFixture.Event {
    let event = StripeFixture.Event(id, type, at: created ?? Self.lately, object)
    if case .object(var listed) = event.json(account: "") {
      listed["account"] = nil
      add("events", .object(listed))
    }
    return event
  }
}

/// A shop whose Stripe account has a history.
struct OldShop: Sendable {
  let shop: Shop
  let account: FakeAccount
  let reconciler: Reconciler

  static func open(mapped: Bool = true, _ body: @Sendable (OldShop) async throws -> Void) async throws {
    try await Shop.open(mapped: mapped) { shop in
      let account = FakeAccount()
      let logger = Logger(label: "old shop", factory: { _ in SwiftLogNoOpLogHandler() })
      try await body(
        OldShop(
          shop: shop, account: account,
          reconciler: Reconciler(
            database: shop.database, stripe: FakeAccess(account: account),
            licenseKit: FixedLicenseKit(client: shop.licenseKit), vault: shop.vault, redis: nil,
            recent: RecentEvents(redis: nil), listeners: IntegrationServer.stepListeners, clock: { Shop.now },
            logger: logger)))
    }
  }

  var works: [JobKind: any JobWork] { works(pageSize: 100) }

  func works(pageSize: Int) -> [JobKind: any JobWork] {
    [
      .backfill: BackfillWork(database: shop.database, stripe: FakeAccess(account: account), clock: { Shop.now }),
      .eventSync: EventSyncWork(
        database: shop.database, stripe: FakeAccess(account: account), wakeUp: WakeUp(), pageSize: pageSize,
        logger: Logger(label: "sweep", factory: { _ in SwiftLogNoOpLogHandler() })),
    ]
  }

  /// Routes and reconciles until nothing is due.
  func settle() async throws {
    for _ in 0..<60 {
      try await shop.route()
      let due = try await shop.database.transaction(for: shop.tenant) { transaction in
        try await transaction.query(
          """
          SELECT purchase_id
            FROM stripe_integration.purchases
           WHERE merged_into IS NULL
             AND (attention_at <= \(Shop.now) OR (attempts > 0 AND status <> 'failed'))
           ORDER BY attention_at
          """
        ).map { row in try row.get("purchase_id", as: PurchaseID.self) }
      }
      if due.isEmpty { return }
      for purchase in due { try await reconciler.reconcile(purchase, of: shop.tenant) }
    }
    throw Shop.Unsettled()
  }

  func start(_ choice: BackfillChoice) async throws -> JobID {
    try await shop.create(.backfill, choice.parameters, counting: BackfillOutcome.counts).id
  }

  /// Runs a backfill to its end beside a reconciler.
  @discardableResult
  func backfill(_ choice: BackfillChoice) async throws -> Job {
    let id = try await start(choice)
    for _ in 0..<100 {
      try await shop.work(works)
      try await settle()
      if let job = try await shop.job(id), job.state.isFinal { return job }
      try await shop.makeJobsDue()
    }
    throw Shop.Unsettled()
  }

  @discardableResult
  func syncEvents(asked: Bool = true, pageSize: Int = 100) async throws -> Job {
    let id = try await shop.create(
      .eventSync, subject: asked ? "asked" : "",
      asked ? EventSyncWork.parameters.asked : EventSyncWork.parameters.scheduled, counting: EventSyncWork.counts
    ).id
    try await shop.work(works(pageSize: pageSize))
    guard let job = try await shop.job(id) else { throw Shop.Unsettled() }
    return job
  }

  func report(_ job: JobID, outcome: String? = nil) async throws -> [String: JobReport.Shown] {
    let page = try await shop.database.transaction(for: shop.tenant) { transaction in
      try await JobReport(tenant: shop.tenant, job: job, transaction: transaction)
        .page(outcome: outcome, after: nil, limit: 1_000)
    }
    return Dictionary(uniqueKeysWithValues: page.map { ($0.entry.stripeID, $0.entry) })
  }

  func state() async throws -> EventSyncStore.State? {
    try await shop.database.transaction(for: shop.tenant) { transaction in
      try await EventSyncStore(tenant: shop.tenant, transaction: transaction).state()
    }
  }

  /// Sets when the tenant was connected, and so how far it is read back.
  func connected(daysAgo days: Int) async throws {
    try await shop.database.transaction(for: shop.tenant) { transaction in
      let ago: PostgresQuery = "now() - make_interval(days => \(Int64(days))::int)"
      try await transaction.query("UPDATE stripe_integration.sweeps SET read_up_to = \(fragment: ago)")
      try await transaction.query("UPDATE stripe_integration.connections SET created_at = \(fragment: ago)")
    }
  }
}

/// The licenses of a shop, told so that two shops can be compared.
actor LicenseNote {
  private(set) var texts: [String] = []

  func note(_ shop: Shop) async throws {
    texts = try await shop.licenses().map { license in
      let policy = license.policyID == shop.policies.perpetual ? "perpetual" : "subscription"
      return "\(policy) \(license.status.rawValue) \(license.expiresAt.map { "\($0)" } ?? "for ever")"
    }.sorted()
  }
}
