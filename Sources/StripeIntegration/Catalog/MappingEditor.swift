import Cryptography
import Foundation
import Identity
import LicenseKitAPI
import Postgres
import Purchases
import Queue
import ServerKit
import StripeAPI
import Tenancy

/// A mapping as stored, with its times.
struct StoredMapping: Sendable {
  let mapping: Mapping
  let createdAt: Date
  let updatedAt: Date
}

/// Lists and changes the mappings of a tenant. A new mapping finds the sales that wait for it.
struct MappingEditor: Sendable {
  let database: TenantDatabase
  let wakeUp: WakeUp

  private static let columns: PostgresQuery = """
    mapping_id, stripe_product_id, stripe_price_id, terms::text AS terms, created_at, updated_at
    """

  /// Newest first, since ids grow with time. A Stripe id shows only the mappings of that product or price.
  func page(
    of tenant: Tenant, stripeID: String?, before id: String?, limit: Int
  ) async throws -> [StoredMapping] {
    try await database.transaction(for: tenant) { transaction in
      try await transaction.query(
        """
        SELECT \(fragment: Self.columns)
          FROM stripe_integration.mappings
         WHERE account_id = \(tenant.account)
           AND livemode   = \(tenant.livemode)
           AND (\(stripeID)::text IS NULL OR stripe_product_id = \(stripeID)::text OR stripe_price_id = \(stripeID)::text)
           AND (\(id)::text IS NULL OR mapping_id < \(id)::text)
         ORDER BY mapping_id DESC
         LIMIT \(limit)
        """
      ).compactMap(Self.stored)
    }
  }

  func mapping(_ id: String, of tenant: Tenant) async throws -> StoredMapping? {
    try await database.transaction(for: tenant) { transaction in
      try await transaction.query(
        """
        SELECT \(fragment: Self.columns)
          FROM stripe_integration.mappings
         WHERE account_id = \(tenant.account)
           AND livemode   = \(tenant.livemode)
           AND mapping_id = \(id)
        """
      ).first.flatMap(Self.stored)
    }
  }

  /// Adds a mapping, or replaces the one of the same Stripe reference to the same LicenseKit product.
  func put(
    _ reference: Mapping.Reference, _ terms: Terms, of tenant: Tenant, audit: @Sendable (_ id: String) -> AuditLog.Entry
  ) async throws -> (stored: StoredMapping, isNew: Bool)? {
    let id = Random.id(prefix: "map_")
    let (product, price) = reference.columns
    let text = try StoredJSON.text(terms)
    let result = try await database.transaction(for: tenant) { transaction -> (StoredMapping, Bool)? in
      let index = PurchaseIndex(tenant: tenant, transaction: transaction)
      try await TenantLock.take(index.tenant, in: index.transaction)
      let row = try await transaction.query(
        """
        INSERT INTO stripe_integration.mappings
               (account_id, livemode, mapping_id, stripe_product_id, stripe_price_id, licensekit_product_id,
                licensekit_policy_id, terms)
        VALUES (\(tenant.account), \(tenant.livemode), \(id), \(product), \(price), \(terms.product), \(terms.policy),
                \(text)::text::jsonb)
        ON CONFLICT \(fragment: reference.uniqueKey) DO UPDATE
           SET licensekit_policy_id = excluded.licensekit_policy_id,
               terms                = excluded.terms,
               updated_at           = now()
        RETURNING \(fragment: Self.columns)
        """
      ).first
      guard let row, let stored = try Self.stored(row) else { return nil }
      try await index.requestReconcileOfWaiting(for: reference)
      try await AuditLog(tenant: tenant, transaction: transaction).add(audit(stored.mapping.id))
      return (stored, stored.mapping.id == id)
    }
    wakeUp.signal()
    return result
  }

  /// Replaces a whole mapping.
  /// - Throws: 409 if another mapping of the same reference to the same LicenseKit product exists.
  func replace(
    _ id: String, _ reference: Mapping.Reference, _ terms: Terms, of tenant: Tenant, audit: AuditLog.Entry
  ) async throws -> StoredMapping? {
    let (product, price) = reference.columns
    let text = try StoredJSON.text(terms)
    let stored: StoredMapping?
    do {
      stored = try await database.transaction(for: tenant) { transaction in
        let index = PurchaseIndex(tenant: tenant, transaction: transaction)
        try await TenantLock.take(index.tenant, in: index.transaction)
        let row = try await transaction.query(
          """
          UPDATE stripe_integration.mappings
             SET stripe_product_id     = \(product),
                 stripe_price_id       = \(price),
                 licensekit_product_id = \(terms.product),
                 licensekit_policy_id  = \(terms.policy),
                 terms                 = \(text)::text::jsonb,
                 updated_at            = now()
           WHERE account_id = \(tenant.account)
             AND livemode   = \(tenant.livemode)
             AND mapping_id = \(id)
          RETURNING \(fragment: Self.columns)
          """
        ).first
        guard let row, let stored = try Self.stored(row) else { return nil }
        try await index.requestReconcileOfWaiting(for: reference)
        try await AuditLog(tenant: tenant, transaction: transaction).add(audit)
        return stored
      }
    } catch let error as PostgresError where error.isUniqueViolation() {
      throw APIFailure.conflict("another mapping of this Stripe reference gives the same LicenseKit product")
    }
    wakeUp.signal()
    return stored
  }

  /// Ends a mapping for future sales. What was sold under it keeps its terms.
  /// - Returns: whether there was such a mapping.
  func delete(_ id: String, of tenant: Tenant, audit: AuditLog.Entry) async throws -> Bool {
    try await database.transaction(for: tenant) { transaction in
      let deleted = try await transaction.query(
        """
        DELETE FROM stripe_integration.mappings
         WHERE account_id = \(tenant.account)
           AND livemode   = \(tenant.livemode)
           AND mapping_id = \(id)
        """)
      guard deleted.affectedRows > 0 else { return false }
      try await AuditLog(tenant: tenant, transaction: transaction).add(audit)
      return true
    }
  }

  private static func stored(_ row: PostgresRow) throws -> StoredMapping? {
    guard let mapping = try MappingStore.mapping(from: row) else { return nil }
    return StoredMapping(
      mapping: mapping, createdAt: try row.get("created_at"), updatedAt: try row.get("updated_at"))
  }
}

extension Mapping.Reference {
  /// The product's or price's id as Stripe names it.
  var stripeID: String {
    switch self {
    case .product(let id): id.rawValue
    case .price(let id): id.rawValue
    }
  }

  fileprivate var columns: (product: Stripe.ProductID?, price: Stripe.PriceID?) {
    switch self {
    case .product(let id): (id, nil)
    case .price(let id): (nil, id)
    }
  }

  /// The unique index that allows one mapping for each reference and LicenseKit product.
  fileprivate var uniqueKey: PostgresQuery {
    switch self {
    case .product:
      "(account_id, livemode, stripe_product_id, licensekit_product_id) WHERE stripe_product_id IS NOT NULL"
    case .price: "(account_id, livemode, stripe_price_id, licensekit_product_id) WHERE stripe_price_id IS NOT NULL"
    }
  }
}

extension PurchaseIndex {
  /// Requests a reconcile of all purchases that wait for a mapping of this product or price.
  func requestReconcileOfWaiting(for reference: Mapping.Reference) async throws {
    let requested = try await transaction.query(
      """
      UPDATE stripe_integration.purchases p
         SET attention_at  = LEAST(p.attention_at, now()),
             attention_seq = p.attention_seq + 1,
             attempts      = 0
        FROM stripe_integration.unmapped u
       WHERE u.account_id  = \(tenant.account)
         AND u.livemode    = \(tenant.livemode)
         AND u.stripe_id   = \(reference.stripeID)
         AND p.account_id  = u.account_id
         AND p.livemode    = u.livemode
         AND p.purchase_id = u.purchase_id
      """)
    if requested.affectedRows > 0 { try await TenantQueue.enqueue(tenant, in: .purchases, transaction) }
  }
}
