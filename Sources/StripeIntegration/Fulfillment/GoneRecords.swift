import Identity
import LicenseKitAPI
import Postgres
import StripeAPI

/// Finds out which of a purchase's records LicenseKit does not have any more, and forgets those.
struct GoneRecords {
  enum Finding: Hashable {
    /// The product or policy is gone: nothing can be made anew.
    case mapping(String)
    /// These were gone; the next run makes what is missing.
    case forgotten([String])
    /// Everything on record is there.
    case nothing
  }

  let database: TenantDatabase
  let lease: PurchaseLease
  let licenseKit: any LicenseKitClient

  /// The most records that are asked for; a purchase with more is looked through over several runs.
  static let most = 100

  private enum Record {
    case customer(code: String, LicenseKitAPI.CustomerID)
    case subscription(external: String, LicenseKitAPI.SubscriptionID)
    case order(external: String, OrderID)
    case license(UnitKey, LicenseID)
  }

  func lookUp(customer code: String?) async throws -> Finding {
    let recorded = try await database.transaction(for: lease.tenant) { [lease] transaction in
      try await lease.hold(in: transaction)
      return try await RecordStore(tenant: lease.tenant, purchase: lease.purchase, transaction: transaction)
        .load(customer: code)
    }
    for terms in Set(recorded.agreed.values.map(\.terms)) {
      if try await isGone({ _ = try await licenseKit.getProduct(terms.product) }) {
        return .mapping("product \(terms.product)")
      }
      if try await isGone({ _ = try await licenseKit.getPolicy(terms.policy) }) {
        return .mapping("policy \(terms.policy)")
      }
      for feature in terms.features.map(\.featureID) + [terms.seatsFeature].compactMap({ $0 })
      where try await isGone({ _ = try await licenseKit.getFeature(feature) }) { return .mapping("feature \(feature)") }
    }
    var gone: [Record] = []
    for record in Self.records(of: recorded).prefix(Self.most) where try await isGone({ try await get(record) }) {
      gone.append(record)
    }
    guard !gone.isEmpty else { return .nothing }
    try await forget(gone)
    return .forgotten(gone.map(Self.name))
  }

  private static func records(of recorded: Recorded) -> [Record] {
    var records: [Record] = recorded.customers.sorted { $0.key < $1.key }.map { .customer(code: $0.key, $0.value) }
    records += recorded.subscriptions.map {
      .subscription(external: "\($0.key.product)|\($0.key.externalID)", $0.value.id)
    }
    records += recorded.orders.map { .order(external: "\($0.key.product)|\($0.key.externalID)", $0.value.id) }
    records += recorded.units.sorted { $0.key < $1.key }.compactMap { key, unit in
      guard case .issued(let id, let status, _, _) = unit.license, status != .revoked else { return nil }
      return .license(key, id)
    }
    return records
  }

  private func get(_ record: Record) async throws {
    switch record {
    case .customer(_, let id): _ = try await licenseKit.getCustomer(id)
    case .subscription(_, let id): _ = try await licenseKit.getSubscription(id)
    case .order(_, let id): _ = try await licenseKit.getOrder(id)
    case .license(_, let id): _ = try await licenseKit.getLicense(id)
    }
  }

  private func isGone(_ ask: () async throws -> Void) async throws -> Bool {
    do {
      try await ask()
      return false
    } catch let error as LicenseKitError where error.retry == .gone {
      return true
    }
  }

  private static func name(_ record: Record) -> String {
    switch record {
    case .customer(_, let id): "customer \(id)"
    case .subscription(_, let id): "subscription record \(id)"
    case .order(_, let id): "order \(id)"
    case .license(_, let id): "license \(id)"
    }
  }

  private func forget(_ records: [Record]) async throws {
    try await database.transaction(for: lease.tenant) { [lease] transaction in
      try await lease.hold(in: transaction)
      for record in records {
        switch record {
        case .customer(let code, _): try await Self.forget("customer", code, of: lease.tenant, in: transaction)
        case .subscription(let external, _):
          try await Self.forget("subscription", external, of: lease.tenant, in: transaction)
        case .order(let external, _): try await Self.forget("order", external, of: lease.tenant, in: transaction)
        // A license that is not there any more gives no access: it counts as revoked, and what is due is issued anew.
        case .license(_, let id):
          try await transaction.query(
            """
            UPDATE stripe_integration.units
               SET license_status = 'revoked',
                   unsettled      = NULL,
                   updated_at     = now()
             WHERE account_id  = \(lease.tenant.account)
               AND livemode    = \(lease.tenant.livemode)
               AND purchase_id = \(lease.purchase)
               AND license_id  = \(id)
            """)
        }
      }
    }
  }

  private static func forget(
    _ kind: String, _ external: String, of tenant: Tenant, in transaction: PostgresTransaction
  ) async throws {
    try await transaction.query(
      """
      DELETE FROM stripe_integration.licensekit_records
       WHERE account_id  = \(tenant.account)
         AND livemode    = \(tenant.livemode)
         AND kind        = \(kind)
         AND external_id = \(external)
      """)
  }
}
