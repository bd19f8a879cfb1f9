import Foundation
import Identity
import LicenseKitAPI
import Postgres
import Purchases
import StripeAPI
import Tenancy

/// Brings the terms of a changed mapping to one purchase that was fulfilled under its earlier terms, within a transaction of
/// the tenant. No outside call is made: the reconciler takes the steps.
struct MappingApplication {
  let mapping: Mapping
  let tenant: Tenant
  let transaction: PostgresTransaction
  let now: Date

  /// What happens to a line.
  enum LineChange: Hashable, Sendable {
    case changed(from: Terms)
    /// The line has these terms already.
    case unchanged
    case impossible(String)
  }

  struct Change: Sendable {
    let purchase: PurchaseID
    let stripeID: String
    let status: String
    var lines: [(key: LineKey, change: LineChange)]
    /// What would be done at LicenseKit because of it, in order.
    var steps: [Step]
    /// Why the steps cannot be predicted.
    var note: String?

    var changed: [LineKey] { lines.filter { if case .changed = $0.change { true } else { false } }.map(\.key) }
  }

  /// The purchases with lines under the mapping, in the order of their ids.
  static func purchases(
    under mapping: String, of tenant: Tenant, after last: String?, limit: Int, in transaction: PostgresTransaction
  ) async throws -> [PurchaseID] {
    try await transaction.query(
      """
      SELECT DISTINCT purchase_id
        FROM stripe_integration.lines
       WHERE account_id  = \(tenant.account)
         AND livemode    = \(tenant.livemode)
         AND mapping_id  = \(mapping)
         AND purchase_id > \(last ?? "")
       ORDER BY purchase_id
       LIMIT \(limit)
      """
    ).map { row in try row.get("purchase_id") }
  }

  /// How many lines are under a mapping, by LicenseKit product.
  static func products(
    under mapping: String, of tenant: Tenant, in transaction: PostgresTransaction
  ) async throws -> [(product: ProductID, lines: Int)] {
    try await transaction.query(
      """
      SELECT licensekit_product_id, count(*) AS lines
        FROM stripe_integration.lines
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
         AND mapping_id = \(mapping)
       GROUP BY licensekit_product_id
       ORDER BY licensekit_product_id
      """
    ).map { row in (try row.get("licensekit_product_id"), try row.get("lines")) }
  }

  // MARK: What would change

  func change(of purchase: PurchaseID) async throws -> Change? {
    guard
      let row = try await transaction.query(
        """
        SELECT stripe_id, status
          FROM stripe_integration.purchases
         WHERE account_id  = \(tenant.account)
           AND livemode    = \(tenant.livemode)
           AND purchase_id = \(purchase)
           AND merged_into IS NULL
        """
      ).first
    else { return nil }
    var stage = RecordsStage(
      loaded: try await .init(of: purchase, tenant, in: transaction),
      records: RecordStore(tenant: tenant, purchase: purchase, transaction: transaction))
    let before = try await Rehearsal(of: tenant, on: &stage, now: now)
    let pinned = stage.loaded.recorded.pinned
    let lines = pinned.filter { $0.value.mappingID == mapping.id }
      .sorted { ($0.key.line, $0.key.product) < ($1.key.line, $1.key.product) }
      .map { (key: $0.key, change: self.lineChange(of: $0.key, $0.value, before.decision)) }
    var change = Change(
      purchase: purchase, stripeID: try row.get("stripe_id"), status: try row.get("status"), lines: lines, steps: [])
    guard !change.changed.isEmpty else { return change }

    for key in change.changed {
      guard let known = pinned[key] else { continue }
      stage.loaded.recorded.pinned[key] = Decider.PinnedTerms(
        mappingID: known.mappingID, price: known.price, terms: mapping.terms)
    }
    let after = try await Rehearsal(of: tenant, on: &stage, now: now)
    let questions = Knowledge.unique((after.questions + before.questions).map(\.sentence))
    guard questions.isEmpty else {
      change.note = "Stripe is asked first for \(questions.listed); the steps follow from the answer."
      return change
    }
    change.steps = after.steps.filter { !before.steps.contains($0) }
    return change
  }

  /// Reads what is on record, and asks nobody.
  private struct RecordsStage: RehearsalStage {
    var loaded: Reconciliation.Loaded
    let records: RecordStore

    mutating func load() async throws -> Reconciliation.Loaded { loaded }
    mutating func customer(_ code: String) async throws -> Recorded.Customer? { try await records.customer(code) }
    mutating func answer(_ question: Question) async throws -> Reconciliation.Answer? { nil }
  }

  private func lineChange(
    of key: LineKey, _ pinnedTerms: Decider.PinnedTerms, _ decision: Decision?
  ) -> LineChange {
    if key.product != mapping.terms.product {
      return .impossible(
        "It was sold as LicenseKit product \(key.product), and the mapping gives \(mapping.terms.product) now: a license "
          + "cannot move to another product. It keeps its terms.")
    }
    switch mapping.reference {
    case .price(let price) where pinnedTerms.price != nil && pinnedTerms.price != price:
      return .impossible(
        "It was sold at price \(pinnedTerms.price?.rawValue ?? ""), and the mapping now names \(price). It keeps its terms."
      )
    case .product(let product):
      let sold = decision?.lines.first { $0.key == key }?.stripeProduct
      if let sold, sold != product {
        return .impossible(
          "It is of Stripe product \(sold), and the mapping now names \(product). It keeps its terms.")
      }
    default: break
    }
    return pinnedTerms.terms == mapping.terms ? .unchanged : .changed(from: pinnedTerms.terms)
  }

  // MARK: Applying

  enum Outcome: Sendable {
    case applied(Change)
    /// A reconciler has the purchase; its decision may rest on the earlier terms.
    case busy
    /// The purchase was found to be the same as another one.
    case merged
  }

  /// Writes the new terms and has the purchase looked at.
  ///
  /// The row of the purchase is locked before anything is read, and nobody may have the lease. A run that began earlier would
  /// decide by the earlier terms; one that begins after this transaction reads the new ones.
  func apply(to purchase: PurchaseID, by actor: String) async throws -> Outcome {
    guard
      let row = try await transaction.query(
        """
        SELECT lease_until > now() AS is_busy
          FROM stripe_integration.purchases
         WHERE account_id  = \(tenant.account)
           AND livemode    = \(tenant.livemode)
           AND purchase_id = \(purchase)
           AND merged_into IS NULL
           FOR UPDATE
        """
      ).first
    else { return .merged }
    if try row.get("is_busy", as: Bool.self) { return .busy }
    guard let change = try await change(of: purchase) else { return .merged }
    guard !change.changed.isEmpty else { return .applied(change) }
    let records = RecordStore(tenant: tenant, purchase: purchase, transaction: transaction)
    for case (let key, .changed(let former)) in change.lines {
      try await records.keepPolicy(of: key, former.policy)
      try await transaction.query(
        """
        UPDATE stripe_integration.lines
           SET terms      = \(try StoredJSON.text(mapping.terms))::text::jsonb,
               updated_at = now()
         WHERE account_id            = \(tenant.account)
           AND livemode              = \(tenant.livemode)
           AND purchase_id           = \(purchase)
           AND line_key              = \(key.line)
           AND licensekit_product_id = \(key.product)
        """)
    }
    try await Timeline(tenant: tenant, purchase: purchase, transaction: transaction)
      .add(
        .note, "Mapping \(mapping.id) was applied as it is now to \(change.changed.map(\.line).listed).",
        detail: "\(actor) asked for it. The terms are now: \(mapping.terms.sentence).")
    try await PurchaseIndex(tenant: tenant, transaction: transaction).requestReconcile(of: purchase)
    return .applied(change)
  }
}
