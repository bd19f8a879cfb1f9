import Foundation
import Identity
import LicenseKitAPI
import Postgres
import Purchases
import Queue
import StripeAPI

/// What is on record about an object, within a transaction of its tenant. Every query is bounded.
struct ExplainRecords {
  let tenant: Tenant
  let transaction: PostgresTransaction

  static let mostPurchases = 25
  static let mostEvents = 50
  /// How many stored events of each state are searched for an id.
  static let mostSearched = 1_000

  // MARK: Purchases

  func purchases(of object: ExplainedObject) async throws -> [PurchaseID] {
    let reader = FulfillmentReader(tenant: tenant, transaction: transaction)
    switch object.kind {
    case .customer:
      return try await reader.page(.init(object: object.id), after: nil, limit: Self.mostPurchases).map(\.id)
    case .product, .price: return try await waiting(for: object.id)
    default:
      if let purchase = try await reader.purchase(of: object.id) { return [purchase] }
      if let purchase = try await purchase(ofLine: object.id) { return [purchase] }
      let index = PurchaseIndex(tenant: tenant, transaction: transaction)
      if let purchase = try await index.purchase(ofLicense: LicenseID(object.id)) { return [purchase] }
      return []
    }
  }

  private func purchase(ofLine line: String) async throws -> PurchaseID? {
    try await transaction.query(
      """
      SELECT purchase_id
        FROM stripe_integration.lines
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
         AND line_key   = \(line)
       LIMIT 1
      """
    ).first?.get("purchase_id")
  }

  /// The purchases that wait for a mapping of this product or price.
  private func waiting(for stripeID: String) async throws -> [PurchaseID] {
    try await transaction.query(
      """
      SELECT purchase_id
        FROM stripe_integration.unmapped
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
         AND stripe_id  = \(stripeID)
       ORDER BY purchase_id DESC
       LIMIT \(Self.mostPurchases)
      """
    ).map { row in try row.get("purchase_id") }
  }

  /// The purchase that any of the ids leads to.
  func purchase(ofAny ids: some Sequence<String>) async throws -> PurchaseID? {
    try await transaction.query(
      """
      SELECT purchase_id
        FROM stripe_integration.aliases
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
         AND stripe_id  = ANY(\(Array(ids)))
       ORDER BY purchase_id
       LIMIT 1
      """
    ).first?.get("purchase_id")
  }

  func views(of purchases: [PurchaseID], now: Date) async throws -> (rows: [PurchaseRow], views: [FulfillmentView]) {
    let reader = FulfillmentReader(tenant: tenant, transaction: transaction)
    var rows: [PurchaseRow] = []
    for purchase in purchases { if let row = try await reader.row(purchase) { rows.append(row) } }
    let parts = try await FulfillmentParts(of: rows, tenant: tenant, transaction: transaction)
    return (rows, rows.map { FulfillmentView($0, parts, of: tenant, now: now) })
  }

  // MARK: What is known

  func knowledge(of purchase: PurchaseID) async throws -> Knowledge {
    try await FactStore(tenant: tenant, transaction: transaction).knowledge(of: purchase)
  }

  func fact(about id: String) async throws -> Fact? {
    try await FactStore(tenant: tenant, transaction: transaction).fact(FactKey(rawValue: id))
  }

  func mappings(products: [String], prices: [String]) async throws -> [Mapping] {
    try await MappingStore(tenant: tenant, transaction: transaction).mappings(products: products, prices: prices)
  }

  /// The latest decision, the latest failed steps, and what the purchase last waited for.
  func summary(of purchase: PurchaseID) async throws -> [Explanation.Reason] {
    let decision = try await transaction.query(
      """
      SELECT at, title, detail
        FROM stripe_integration.timeline
       WHERE account_id  = \(tenant.account)
         AND livemode    = \(tenant.livemode)
         AND purchase_id = \(purchase)
         AND kind        = 'decision'
       ORDER BY entry_id DESC
       LIMIT 1
      """
    ).map { try Self.reason(.decision, $0) }
    let steps = try await transaction.query(
      """
      SELECT at, title, detail
        FROM stripe_integration.timeline
       WHERE account_id  = \(tenant.account)
         AND livemode    = \(tenant.livemode)
         AND purchase_id = \(purchase)
         AND (state = 'failed' OR title IN ('Needs a person.', 'Waits for another attempt.'))
       ORDER BY entry_id DESC
       LIMIT 5
      """
    ).map { try Self.reason(.step, $0) }.reversed()
    return decision + steps
  }

  private static func reason(_ kind: Explanation.Reason.Kind, _ row: PostgresRow) throws -> Explanation.Reason {
    let detail: String? = try row.get("detail")
    let says = try row.get("title", as: String.self) + (detail.map { " \($0)" } ?? "")
    return Explanation.Reason(kind, says.replacing("\n", with: " "), at: try row.get("at"))
  }

  // MARK: Events

  /// The events named in a purchase's timeline, newest first.
  func events(of purchase: PurchaseID) async throws -> [Explanation.Event] {
    let ids = try await transaction.query(
      """
      SELECT DISTINCT substring(title || ' ' || COALESCE(detail, '') FROM 'evt_[A-Za-z0-9_]+') AS event_id
        FROM (SELECT title, detail
                FROM stripe_integration.timeline
               WHERE account_id  = \(tenant.account)
                 AND livemode    = \(tenant.livemode)
                 AND purchase_id = \(purchase)
                 AND kind        = 'event'
               ORDER BY entry_id DESC
               LIMIT \(Self.mostEvents)) told
      """
    ).compactMap { row in try row.get("event_id", as: String?.self) }
    return try await events("event_id = ANY(\(ids))")
  }

  func event(_ id: String) async throws -> (event: Explanation.Event, body: String)? {
    guard let event = try await events("event_id = \(id)").first else { return nil }
    let body: String? = try await transaction.query(
      """
      SELECT body
        FROM stripe_integration.inbox
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
         AND event_id   = \(id)
      """
    ).first?.get("body")
    return (event, body ?? "")
  }

  /// Events that mention an id and have had no effect yet, among the newest of each such state.
  func openEvents(about id: String) async throws -> [Explanation.Event] {
    var found: [String] = []
    for state in [InboxReader.State.new, .waiting, .failed] {
      found += try await transaction.query(
        """
        SELECT event_id
          FROM (SELECT event_id, body
                  FROM stripe_integration.inbox
                 WHERE account_id = \(tenant.account)
                   AND livemode   = \(tenant.livemode)
                   AND state      = \(unescaped: "'\(state.rawValue)'")
                 LIMIT \(Self.mostSearched)) open
         WHERE strpos(body, \("\"\(id)\"")) > 0
         LIMIT 10
        """
      ).map { row in try row.get("event_id") }
    }
    return try await events("event_id = ANY(\(found))")
  }

  /// Events of a time that mention an id.
  func events(about id: String, from: Date, to: Date) async throws -> [Explanation.Event] {
    let found: [String] = try await transaction.query(
      """
      SELECT event_id
        FROM (SELECT event_id, body
                FROM stripe_integration.inbox
               WHERE account_id = \(tenant.account)
                 AND livemode   = \(tenant.livemode)
                 AND created   >= \(from)
                 AND created    < \(to)
               ORDER BY created, event_id
               LIMIT \(Self.mostSearched)) near
       WHERE strpos(body, \("\"\(id)\"")) > 0
       LIMIT 10
      """
    ).map { row in try row.get("event_id") }
    return try await events("event_id = ANY(\(found))")
  }

  private func events(_ condition: PostgresQuery) async throws -> [Explanation.Event] {
    try await transaction.query(
      """
      SELECT event_id, type, state, outcome, created, received_at
        FROM stripe_integration.inbox
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
         AND \(fragment: condition)
       ORDER BY created DESC, event_id DESC
       LIMIT \(Self.mostEvents)
      """
    ).map { row in
      Explanation.Event(
        id: try row.get("event_id"), type: try row.get("type"), state: try row.get("state"),
        outcome: try row.get("outcome"), created: try row.get("created"), receivedAt: try row.get("received_at"))
    }
  }

  // MARK: What holds up everything

  func connection() async throws -> (view: Explanation.Connection, blockage: Blockage?) {
    let blockage = try await Blockage.of(tenant, in: transaction)
    let row = try await transaction.query(
      """
      SELECT status, installed_at
        FROM stripe_integration.connections
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
      """
    ).first
    return (
      Explanation.Connection(
        status: try row?.get("status") ?? "never", installedAt: try row?.get("installed_at"),
        standstill: blockage?.sentence, standingStillSince: blockage?.since), blockage
    )
  }

  /// Running jobs that may bring the object.
  func jobs() async throws -> [Explanation.Reason] {
    try await transaction.query(
      """
      SELECT job_id, kind, state, reason, created_at
        FROM stripe_integration.jobs
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
         AND state IN ('queued', 'running')
       ORDER BY created_at
       LIMIT 10
      """
    ).map { row in
      let reason: String? = try row.get("reason")
      let (id, kind, state) = (
        try row.get("job_id", as: String.self), try row.get("kind", as: String.self),
        try row.get("state", as: String.self)
      )
      return Explanation.Reason(
        .job, "Job \(id) (\(kind)) is \(state)\(reason.map { ": \($0)" } ?? "").", at: try row.get("created_at"))
    }
  }
}
