import Foundation
import Identity
import LicenseKitAPI
import Postgres
import Purchases
import StripeAPI
import Tenancy

/// What was made for a purchase, within a transaction of its tenant.
struct RecordStore {
  let tenant: Tenant
  let purchase: PurchaseID
  let transaction: PostgresTransaction

  /// Without the buyer's record, which is shared between purchases.
  func load() async throws -> Recorded {
    var recorded = Recorded()
    for row in try await transaction.query(
      """
      SELECT kind, external_id, licensekit_id, applied::text AS applied
        FROM stripe_integration.licensekit_records
       WHERE account_id  = \(tenant.account)
         AND livemode    = \(tenant.livemode)
         AND purchase_id = \(purchase)
      """)
    { try Self.add(row, to: &recorded) }
    for row in try await transaction.query(
      """
      SELECT line_key, licensekit_product_id, mapping_id, stripe_price_id, terms::text AS terms, is_open
        FROM stripe_integration.lines
       WHERE account_id  = \(tenant.account)
         AND livemode    = \(tenant.livemode)
         AND purchase_id = \(purchase)
      """)
    {
      let key = LineKey(line: try row.get("line_key"), product: try row.get("licensekit_product_id"))
      recorded.pinned[key] = Decider.PinnedTerms(
        mappingID: try row.get("mapping_id"), price: try row.get("stripe_price_id"),
        terms: try StoredJSON.value(from: row.get("terms")), isOpen: try row.get("is_open"))
    }
    for row in try await transaction.query(
      """
      SELECT line_key, licensekit_product_id, ordinal, generation, license_id, license_status, expires_at,
             features::text AS features, unsettled, policy_id, replaced, by_hand
        FROM stripe_integration.units
       WHERE account_id  = \(tenant.account)
         AND livemode    = \(tenant.livemode)
         AND purchase_id = \(purchase)
      """)
    { try Self.addUnit(row, to: &recorded) }
    for row in try await transaction.query(
      """
      SELECT stripe_id, applied::text AS applied
        FROM stripe_integration.write_backs
       WHERE account_id  = \(tenant.account)
         AND livemode    = \(tenant.livemode)
         AND purchase_id = \(purchase)
      """)
    { recorded.writeBacks[try row.get("stripe_id")] = try StoredJSON.value(from: row.get("applied")) }
    return recorded
  }

  /// The record of a buyer, by its code.
  func customer(_ code: String) async throws -> Recorded.Customer? {
    try await transaction.query(
      """
      SELECT licensekit_id, applied::text AS applied
        FROM stripe_integration.licensekit_records
       WHERE account_id  = \(tenant.account)
         AND livemode    = \(tenant.livemode)
         AND kind        = 'customer'
         AND external_id = \(code)
      """
    ).first.map { row in
      Recorded.Customer(
        id: try row.get("licensekit_id"), contact: try? StoredJSON.value(from: row.get("applied")))
    }
  }

  private static func applied(_ customer: DesiredCustomer) throws -> String {
    try StoredJSON.text(customer.contact)
  }

  /// Records what a step is about to do, so that after a crash everything in flight is marked.
  /// - Parameter recorded: the records after `Recorded.begin` of the step.
  func begin(_ step: Step, _ recorded: Recorded) async throws {
    switch step {
    case .issue(let unit, _, _): try await begin(unit, recorded)
    case .suspend(let key, _), .reinstate(let key), .revoke(let key, _), .renew(let key, _, _, _),
      .assignFeature(let key, _), .removeFeature(let key, _):
      try await putUnit(key, recorded, keyHint: nil)
    default: break
    }
  }

  /// Records that a license is being issued: from now on it may exist.
  private func begin(_ unit: DesiredUnit, _ recorded: Recorded) async throws {
    guard let begun = recorded.units[unit.key] else { return }
    try await transaction.query(
      """
      INSERT INTO stripe_integration.units
             (account_id, livemode, purchase_id, line_key, licensekit_product_id, ordinal, generation, order_id,
              policy_id)
      VALUES (\(tenant.account), \(tenant.livemode), \(purchase), \(unit.key.line), \(unit.key.product),
              \(unit.key.ordinal), \(begun.generation), \(unit.order), \(begun.policy))
      ON CONFLICT (account_id, livemode, purchase_id, line_key, licensekit_product_id, ordinal) DO UPDATE
         SET generation     = excluded.generation,
             policy_id      = excluded.policy_id,
             license_id     = NULL,
             license_status = NULL,
             features       = NULL,
             unsettled      = NULL,
             by_hand        = '{}',
             replaced       = \(begun.replaced.map(\.rawValue))::text[],
             order_id       = excluded.order_id,
             updated_at     = now()
      """)
  }

  /// Records what a step has made, and that it is done.
  func record(_ step: Step, _ result: StepResult, after recorded: Recorded, keyHint: String? = nil) async throws {
    switch (step, result) {
    case (.createCustomer(let customer), .customer(let id)):
      try await put("customer", customer.code, id.rawValue, applied: try Self.applied(customer), isShared: true)
    case (.updateCustomer(let customer), _):
      if let id = recorded.customers[customer.code] {
        try await put("customer", customer.code, id.rawValue, applied: try Self.applied(customer), isShared: true)
      }
    case (.createSubscription(let record), .subscription(let id)):
      try await put(
        "subscription", Self.key(record.product, record.externalID), id.rawValue, applied: try StoredJSON.text(record))
    case (.updateSubscription(let record), _):
      if let id = recorded.subscriptions[.init(product: record.product, externalID: record.externalID)]?.id {
        try await put(
          "subscription", Self.key(record.product, record.externalID), id.rawValue, applied: try StoredJSON.text(record)
        )
      }
    case (.createOrder(let order), _), (.setOrderStatus(let order, _), _):
      if let known = recorded.orders[.init(product: order.product, externalID: order.externalID)] {
        try await put(
          "order", Self.key(order.product, order.externalID), known.id.rawValue,
          applied: try StoredJSON.text(["status": known.status.rawValue]))
      }
    case (.issue(let unit, _, _), .license): try await putUnit(unit.key, recorded, keyHint: keyHint)
    case (.assignFeature(let key, _), _), (.removeFeature(let key, _), _), (.renew(let key, _, _, _), _),
      (.suspend(let key, _), _), (.reinstate(let key), _), (.revoke(let key, _), _), (.revokeReplaced(let key, _), _):
      try await putUnit(key, recorded, keyHint: nil)
    case (.writeBack(let target, let metadata), _):
      try await transaction.query(
        """
        INSERT INTO stripe_integration.write_backs (account_id, livemode, purchase_id, stripe_id, applied)
        VALUES (\(tenant.account), \(tenant.livemode), \(purchase), \(target.stripeID),
                \(try StoredJSON.text(metadata))::text::jsonb)
        ON CONFLICT (account_id, livemode, purchase_id, stripe_id) DO UPDATE
           SET applied = excluded.applied, updated_at = now()
        """)
    default: break
    }
  }

  /// Keeps the terms under which the lines are sold (`Recorded.pinTerms`).
  func pinTerms(of lines: [DesiredLine], knowing: [LineKey: Decider.PinnedTerms]) async throws {
    let names = Set(lines.map(\.key.line))
    let isDecided = knowing.contains { $0.value.isOpen && names.contains($0.key.line) }
    if isDecided {
      try await transaction.query(
        """
        DELETE FROM stripe_integration.lines
         WHERE account_id  = \(tenant.account)
           AND livemode    = \(tenant.livemode)
           AND purchase_id = \(purchase)
           AND line_key    = ANY(\(names.sorted()))
           AND is_open
        """)
    }
    for line in lines where knowing[line.key] != line.pinnedTerms {
      if let former = knowing[line.key] { try await keepPolicy(of: line.key, former.terms.policy) }
      try await transaction.query(
        """
        INSERT INTO stripe_integration.lines
               (account_id, livemode, purchase_id, line_key, licensekit_product_id, mapping_id, stripe_price_id, terms)
        VALUES (\(tenant.account), \(tenant.livemode), \(purchase), \(line.key.line), \(line.key.product),
                \(line.pinnedTerms.mappingID), \(line.pinnedTerms.price), \(try StoredJSON.text(line.pinnedTerms.terms))::text::jsonb)
        ON CONFLICT (account_id, livemode, purchase_id, line_key, licensekit_product_id) DO UPDATE
           SET mapping_id      = excluded.mapping_id,
               stripe_price_id = excluded.stripe_price_id,
               terms           = excluded.terms,
               is_open         = false,
               updated_at      = now()
        """)
    }
  }

  /// Records under which policy the licenses of a line were issued, if that is not recorded yet: the terms, which said it,
  /// are about to change.
  func keepPolicy(of line: LineKey, _ policy: PolicyID) async throws {
    try await transaction.query(
      """
      UPDATE stripe_integration.units
         SET policy_id = \(policy)
       WHERE account_id            = \(tenant.account)
         AND livemode              = \(tenant.livemode)
         AND purchase_id           = \(purchase)
         AND line_key              = \(line.line)
         AND licensekit_product_id = \(line.product)
         AND policy_id IS NULL
      """)
  }

  /// Records what LicenseKit says of a unit's license.
  func observe(_ unit: UnitKey, _ recorded: Recorded) async throws {
    try await putUnit(unit, recorded, keyHint: nil)
  }

  /// Undoes the record that a license was to be replaced: LicenseKit refused, so the former one stays.
  func restore(_ unit: UnitKey, _ before: Recorded) async throws {
    try await putUnit(unit, before, keyHint: nil)
  }

  /// Undoes the record that a unit is being issued: LicenseKit refused, so there is no license.
  func forget(_ unit: UnitKey) async throws {
    try await transaction.query(
      """
      DELETE FROM stripe_integration.units
       WHERE account_id            = \(tenant.account)
         AND livemode              = \(tenant.livemode)
         AND purchase_id           = \(purchase)
         AND line_key              = \(unit.line)
         AND licensekit_product_id = \(unit.product)
         AND ordinal               = \(unit.ordinal)
         AND license_id IS NULL
      """)
  }

  /// Forgets what LicenseKit no longer has (`Recorded.forget`).
  func forget(_ gone: Existing) async throws {
    switch gone {
    case .product, .policy, .feature: break
    case .customer(let code, _): try await forget("customer", code)
    case .subscription(let key, _): try await forget("subscription", Self.key(key.product, key.externalID))
    case .order(let key, _): try await forget("order", Self.key(key.product, key.externalID))
    case .license(_, let id):
      try await transaction.query(
        """
        UPDATE stripe_integration.units
           SET license_status = 'revoked',
               unsettled      = NULL,
               updated_at     = now()
         WHERE account_id  = \(tenant.account)
           AND livemode    = \(tenant.livemode)
           AND purchase_id = \(purchase)
           AND license_id  = \(id)
        """)
    }
  }

  private func forget(_ kind: String, _ externalID: String) async throws {
    try await transaction.query(
      """
      DELETE FROM stripe_integration.licensekit_records
       WHERE account_id  = \(tenant.account)
         AND livemode    = \(tenant.livemode)
         AND kind        = \(kind)
         AND external_id = \(externalID)
      """)
  }

  /// Withdraws terms under which nothing was issued, so that a corrected mapping applies. If a line was issued in part, its
  /// other terms stay, open: the buyer has paid for all of it. A revoked license whose key was never stored does not count as
  /// issued.
  func openUnusedTerms() async throws {
    try await transaction.query(
      """
      UPDATE stripe_integration.lines l
         SET is_open    = true,
             updated_at = now()
       WHERE l.account_id  = \(tenant.account)
         AND l.livemode    = \(tenant.livemode)
         AND l.purchase_id = \(purchase)
         AND NOT EXISTS (SELECT FROM stripe_integration.units u
                          WHERE u.account_id            = l.account_id
                            AND u.livemode              = l.livemode
                            AND u.purchase_id           = l.purchase_id
                            AND u.line_key              = l.line_key
                            AND u.licensekit_product_id = l.licensekit_product_id
                            AND (u.license_id IS NULL OR u.license_status <> 'revoked' OR u.replaced <> '{}'
                                 OR EXISTS (SELECT FROM stripe_integration.license_keys k
                                             WHERE k.account_id = u.account_id
                                               AND k.livemode   = u.livemode
                                               AND k.license_id = u.license_id)))
      """)
    try await transaction.query(
      """
      DELETE FROM stripe_integration.lines l
       WHERE l.account_id  = \(tenant.account)
         AND l.livemode    = \(tenant.livemode)
         AND l.purchase_id = \(purchase)
         AND l.is_open
         AND NOT EXISTS (SELECT FROM stripe_integration.lines o
                          WHERE o.account_id  = l.account_id
                            AND o.livemode    = l.livemode
                            AND o.purchase_id = l.purchase_id
                            AND o.line_key    = l.line_key
                            AND NOT o.is_open)
      """)
  }

  /// Records what the purchase has no mapping for, so that a new mapping finds it.
  func setUnmapped(_ ids: [String]) async throws {
    try await transaction.query(
      """
      DELETE FROM stripe_integration.unmapped
       WHERE account_id  = \(tenant.account)
         AND livemode    = \(tenant.livemode)
         AND purchase_id = \(purchase)
         AND stripe_id  <> ALL(\(ids))
      """)
    guard !ids.isEmpty else { return }
    try await transaction.query(
      """
      INSERT INTO stripe_integration.unmapped (account_id, livemode, stripe_id, purchase_id)
      SELECT \(tenant.account)::text, \(tenant.livemode)::boolean, stripe_id, \(purchase)::text
        FROM unnest(\(ids)::text[]) AS stripe_id
          ON CONFLICT DO NOTHING
      """)
  }

  private static func key(_ product: ProductID, _ externalID: String) -> String { "\(product)|\(externalID)" }

  private static func recordKey(_ text: String) -> Recorded.RecordKey? {
    guard let bar = text.firstIndex(of: "|") else { return nil }
    return .init(product: ProductID(String(text[..<bar])), externalID: String(text[text.index(after: bar)...]))
  }

  private static func add(_ row: PostgresRow, to recorded: inout Recorded) throws {
    let external: String = try row.get("external_id")
    switch try row.get("kind", as: String.self) {
    case "subscription":
      guard let key = recordKey(external) else { return }
      recorded.subscriptions[key] = .init(
        id: try row.get("licensekit_id"), applied: try StoredJSON.value(from: row.get("applied")))
    case "order":
      guard let key = recordKey(external) else { return }
      let applied: [String: String] = try StoredJSON.value(from: row.get("applied"))
      recorded.orders[key] = .init(
        id: try row.get("licensekit_id"), status: applied["status"].flatMap(OrderStatus.init(rawValue:)) ?? .paid)
    default: break
    }
  }

  private static func addUnit(_ row: PostgresRow, to recorded: inout Recorded) throws {
    let key = UnitKey(
      line: try row.get("line_key"), product: try row.get("licensekit_product_id"), ordinal: try row.get("ordinal"))
    var license = Recorded.Unit.License.issuing
    if let id = try row.get("license_id", as: LicenseID?.self) {
      let status = try row.get("license_status", as: String?.self).flatMap(Recorded.Unit.Status.init(rawValue:))
      license = .issued(
        id, status: status ?? .active, expiresAt: try row.get("expires_at"),
        features: try row.get("features", as: String?.self).map { try StoredJSON.value(from: $0) } ?? [])
    }
    recorded.units[key] = Recorded.Unit(
      generation: try row.get("generation"), license: license,
      inFlight: try row.get("unsettled", as: String?.self).flatMap(Recorded.Unit.InFlight.init(rawValue:)),
      policy: try row.get("policy_id", as: PolicyID?.self)
        ?? recorded.pinned[LineKey(line: key.line, product: key.product)]?.terms.policy,
      replaced: try row.get("replaced", as: [String].self).map { LicenseID($0) },
      manualOverrides: Set(try row.get("by_hand", as: [String].self).compactMap(ManualOverride.init(rawValue:))))
  }

  private func put(
    _ kind: String, _ externalID: String, _ licensekitID: String, applied: String, isShared: Bool = false
  ) async throws {
    try await transaction.query(
      """
      INSERT INTO stripe_integration.licensekit_records
             (account_id, livemode, kind, external_id, purchase_id, licensekit_id, applied)
      VALUES (\(tenant.account), \(tenant.livemode), \(kind), \(externalID), \(isShared ? nil : purchase),
              \(licensekitID), \(applied)::text::jsonb)
      ON CONFLICT (account_id, livemode, kind, external_id) DO UPDATE
         SET applied = excluded.applied, updated_at = now()
      """)
  }

  private func putUnit(_ key: UnitKey, _ recorded: Recorded, keyHint: String?) async throws {
    guard let unit = recorded.units[key], case .issued(let id, let status, let expiresAt, let features) = unit.license
    else { return }
    try await transaction.query(
      """
      UPDATE stripe_integration.units
         SET generation     = \(unit.generation),
             policy_id      = COALESCE(\(unit.policy), policy_id),
             replaced       = \(unit.replaced.map(\.rawValue))::text[],
             by_hand        = \(unit.manualOverrides.sorted().map(\.rawValue))::text[],
             license_id     = \(id),
             license_status = \(status.rawValue),
             expires_at     = \(expiresAt),
             features       = \(try StoredJSON.text(features))::text::jsonb,
             unsettled      = \(unit.inFlight?.rawValue),
             key_hint       = COALESCE(\(keyHint), key_hint),
             issued_at      = COALESCE(issued_at, now()),
             updated_at     = now()
       WHERE account_id            = \(tenant.account)
         AND livemode              = \(tenant.livemode)
         AND purchase_id           = \(purchase)
         AND line_key              = \(key.line)
         AND licensekit_product_id = \(key.product)
         AND ordinal               = \(key.ordinal)
      """)
  }
}
