import Foundation
import Identity
import LicenseKitAPI
import Postgres
import Purchases
import StripeAPI
import Tenancy

/// The parts of a page of purchases, read with one statement for each table, however many purchases there are.
struct FulfillmentParts: Sendable {
  struct PinnedTerms: Sendable {
    let key: LineKey
    let mappingID: String
    let price: String?
    let causes: [String]
  }

  struct Unit: Sendable {
    let key: UnitKey
    let orderExternalID: String?
    let license: LicenseID?
    let status: Recorded.Unit.Status
    let keyHint: String?
    let expiresAt: Date?
    let manualOverrides: [ManualOverride]
  }

  private(set) var aliases: [PurchaseID: [String]] = [:]
  private(set) var sold: [PurchaseID: [SoldLine]] = [:]
  private(set) var pinnedTerms: [PurchaseID: [PinnedTerms]] = [:]
  private(set) var units: [PurchaseID: [Unit]] = [:]
  /// Ids at LicenseKit of orders and subscriptions, by kind and `product|external id`.
  private(set) var records: [PurchaseID: [String: String]] = [:]
  /// Ids at LicenseKit of customers, by their code.
  private(set) var customers: [String: String] = [:]

  static let mostAliases = 200
  static let mostUnits = 1_000

  init(
    of purchases: [PurchaseRow], tenant: Tenant, transaction: PostgresTransaction
  ) async throws {
    guard !purchases.isEmpty else { return }
    let ids = purchases.map(\.id.rawValue)
    try await loadAliases(ids, tenant, transaction)
    try await loadSold(ids, tenant, transaction)
    try await loadPinnedTerms(ids, tenant, transaction)
    try await loadUnits(ids, tenant, transaction)
    try await loadRecords(ids, tenant, transaction)
    try await loadCustomers(purchases.map { Self.customerCode($0, tenant) }, tenant, transaction)
  }

  /// The code of the buyer's record. A guest is named after the sale.
  static func customerCode(_ purchase: PurchaseRow, _ tenant: Tenant) -> String {
    Decider(tenant: tenant, mappings: [], pinned: [:], now: .distantPast)
      .customer(stripe: purchase.customerID, guest: purchase.stripeID, email: nil, name: nil, known: nil).code
  }

  private mutating func loadAliases(_ ids: [String], _ tenant: Tenant, _ transaction: PostgresTransaction) async throws
  {
    for row in try await transaction.query(
      """
      SELECT p.purchase_id, a.stripe_id
        FROM unnest(\(ids)::text[]) AS p (purchase_id)
       CROSS JOIN LATERAL (
             SELECT stripe_id
               FROM stripe_integration.aliases
              WHERE account_id  = \(tenant.account)
                AND livemode    = \(tenant.livemode)
                AND purchase_id = p.purchase_id
              LIMIT \(Self.mostAliases)) a
      """)
    {
      // If two purchases were found to be one, a purchase's own id is among them.
      let stripeID: String = try row.get("stripe_id")
      if !stripeID.hasPrefix("ful_") { aliases[try row.get("purchase_id"), default: []].append(stripeID) }
    }
  }

  /// What was sold is in the fact about the purchase's root, or in the line items of a session.
  private mutating func loadSold(_ ids: [String], _ tenant: Tenant, _ transaction: PostgresTransaction) async throws {
    for row in try await transaction.query(
      """
      SELECT p.purchase_id, f.snapshot::text AS snapshot
        FROM stripe_integration.purchases p
        JOIN stripe_integration.facts f
          ON f.account_id = p.account_id
         AND f.livemode   = p.livemode
         AND f.fact_key   = ANY (ARRAY[p.stripe_id, p.stripe_id || '/line_items'])
       WHERE p.account_id  = \(tenant.account)
         AND p.livemode    = \(tenant.livemode)
         AND p.purchase_id = ANY(\(ids))
      """)
    {
      let snapshot = try StoredJSON.value(Snapshot.self, from: try row.get("snapshot"))
      sold[try row.get("purchase_id"), default: []] += snapshot.soldLines
    }
  }

  private mutating func loadPinnedTerms(
    _ ids: [String], _ tenant: Tenant, _ transaction: PostgresTransaction
  ) async throws {
    for row in try await transaction.query(
      """
      SELECT purchase_id, line_key, licensekit_product_id, mapping_id, stripe_price_id, COALESCE(causes, '{}') AS causes
        FROM stripe_integration.lines
       WHERE account_id  = \(tenant.account)
         AND livemode    = \(tenant.livemode)
         AND purchase_id = ANY(\(ids))
       ORDER BY purchase_id, line_key, licensekit_product_id
      """)
    {
      pinnedTerms[try row.get("purchase_id"), default: []].append(
        PinnedTerms(
          key: LineKey(line: try row.get("line_key"), product: try row.get("licensekit_product_id")),
          mappingID: try row.get("mapping_id"), price: try row.get("stripe_price_id"),
          causes: try row.get("causes")))
    }
  }

  private mutating func loadUnits(_ ids: [String], _ tenant: Tenant, _ transaction: PostgresTransaction) async throws {
    for row in try await transaction.query(
      """
      SELECT u.purchase_id, u.line_key, u.licensekit_product_id, u.ordinal, u.order_id, u.license_id, u.license_status,
             u.expires_at, u.key_hint, u.by_hand
        FROM unnest(\(ids)::text[]) AS p (purchase_id)
       CROSS JOIN LATERAL (
             SELECT *
               FROM stripe_integration.units
              WHERE account_id  = \(tenant.account)
                AND livemode    = \(tenant.livemode)
                AND purchase_id = p.purchase_id
              ORDER BY line_key, licensekit_product_id, ordinal
              LIMIT \(Self.mostUnits)) u
      """)
    { units[try row.get("purchase_id"), default: []].append(try Self.unit(row)) }
  }

  private static func unit(_ row: PostgresRow) throws -> Unit {
    let status = try row.get("license_status", as: String?.self).flatMap(Recorded.Unit.Status.init(rawValue:))
    return Unit(
      key: UnitKey(
        line: try row.get("line_key"), product: try row.get("licensekit_product_id"), ordinal: try row.get("ordinal")),
      orderExternalID: try row.get("order_id"), license: try row.get("license_id"), status: status ?? .active,
      keyHint: try row.get("key_hint"), expiresAt: try row.get("expires_at"),
      manualOverrides: try row.get("by_hand", as: [String].self).compactMap(ManualOverride.init(rawValue:)).sorted())
  }

  private mutating func loadRecords(_ ids: [String], _ tenant: Tenant, _ transaction: PostgresTransaction) async throws
  {
    for row in try await transaction.query(
      """
      SELECT r.purchase_id, r.kind, r.external_id, r.licensekit_id
        FROM stripe_integration.licensekit_records r
       WHERE r.account_id  = \(tenant.account)
         AND r.livemode    = \(tenant.livemode)
         AND r.purchase_id = ANY(\(ids))
         AND (r.kind = 'subscription'
              OR r.external_id IN (SELECT u.licensekit_product_id || '|' || u.order_id
                                     FROM stripe_integration.units u
                                    WHERE u.account_id  = \(tenant.account)
                                      AND u.livemode    = \(tenant.livemode)
                                      AND u.purchase_id = ANY(\(ids))))
      """)
    {
      let key = "\(try row.get("kind", as: String.self)):\(try row.get("external_id", as: String.self))"
      records[try row.get("purchase_id"), default: [:]][key] = try row.get("licensekit_id")
    }
  }

  private mutating func loadCustomers(
    _ codes: [String], _ tenant: Tenant, _ transaction: PostgresTransaction
  ) async throws {
    for row in try await transaction.query(
      """
      SELECT external_id, licensekit_id
        FROM stripe_integration.licensekit_records
       WHERE account_id  = \(tenant.account)
         AND livemode    = \(tenant.livemode)
         AND kind        = 'customer'
         AND external_id = ANY(\(codes))
      """)
    { customers[try row.get("external_id")] = try row.get("licensekit_id") }
  }
}

extension Snapshot {
  /// The lines that the object sells, if it lists them.
  var soldLines: [SoldLine] {
    switch self {
    case .lineItems(_, let lines):
      lines.map { .init(key: $0.id.rawValue, price: $0.price, product: $0.product, quantity: $0.quantity) }
    case .subscription(let subscription):
      subscription.items.map { .init(key: $0.id.rawValue, price: $0.price, product: $0.product, quantity: $0.quantity) }
    case .invoice(let invoice):
      invoice.lines.filter { !$0.isProration }
        .map { .init(key: $0.id.rawValue, price: $0.price, product: $0.product, quantity: $0.quantity) }
    case .paymentIntent(let payment):
      payment.sale.map {
        [.init(key: payment.id.rawValue, price: $0.price, product: $0.product, quantity: $0.quantity ?? 0)]
      } ?? []
    default: []
    }
  }
}
