import Foundation
import Identity
import LicenseKitAPI
import Postgres
import Purchases
import StripeAPI
import Tenancy

/// A license according to this service's records.
struct StoredLicense: Sendable {
  let id: LicenseID
  let purchase: PurchaseID
  let status: Recorded.Unit.Status
  let keyHint: String?
  let product: ProductID
  let policy: PolicyID?
  let expiresAt: Date?
  /// Whether its subscription goes on.
  let renews: Bool
  let manualOverrides: [ManualOverride]
}

/// Reads the data of a Dashboard view, within a transaction of the view's tenant.
struct AppViewReader {
  struct View: Sendable {
    var fulfillments: [AppView.Fulfillment] = []
    var licenses: [StoredLicense] = []
    var hasMoreLicenses = false
    var timeline: [AppView.TimelineEntry] = []
    var disputes: [AppView.Dispute] = []
  }

  let tenant: Tenant
  let transaction: PostgresTransaction

  static let mostFulfillments = 25
  static let mostLicenses = 50
  static let mostTimelineEntries = 30
  static let mostDisputes = 10
  static let mostUnmapped = 10

  func view(of object: String, _ kind: AppObjectKind) async throws -> View {
    let reader = FulfillmentReader(tenant: tenant, transaction: transaction)
    let purchases = try await reader.page(.init(object: object), after: nil, limit: Self.mostFulfillments)
    guard !purchases.isEmpty else { return View() }
    let ids = purchases.map(\.id.rawValue)
    let licenses = try await licenses(of: ids, renewing: try await renewing(purchases))
    let unmapped = try await unmapped(of: ids)
    return View(
      fulfillments: purchases.map {
        AppView.Fulfillment(
          id: $0.id, status: $0.status, reason: $0.reason, kind: $0.kind, stripeID: $0.stripeID,
          updatedAt: $0.updatedAt, unmapped: unmapped[$0.id] ?? [])
      },
      licenses: Array(licenses.prefix(Self.mostLicenses)), hasMoreLicenses: licenses.count > Self.mostLicenses,
      timeline: try await timeline(of: ids),
      disputes: kind == .payment ? try await disputes(of: ids, payment: object) : [])
  }

  /// Licenses of the purchases; those of the newest purchase come first.
  private func licenses(of purchases: [String], renewing: Set<PurchaseID>) async throws -> [StoredLicense] {
    try await transaction.query(
      """
      SELECT u.purchase_id, u.license_id, u.license_status, u.key_hint, u.licensekit_product_id, u.expires_at, u.by_hand,
             l.terms ->> 'policy' AS policy
        FROM unnest(\(purchases)::text[]) WITH ORDINALITY AS p (purchase_id, place)
        JOIN stripe_integration.units u
          ON u.account_id  = \(tenant.account)
         AND u.livemode    = \(tenant.livemode)
         AND u.purchase_id = p.purchase_id
         AND u.license_id IS NOT NULL
        LEFT JOIN stripe_integration.lines l
          ON l.account_id            = u.account_id
         AND l.livemode              = u.livemode
         AND l.purchase_id           = u.purchase_id
         AND l.line_key              = u.line_key
         AND l.licensekit_product_id = u.licensekit_product_id
       ORDER BY p.place, u.line_key, u.licensekit_product_id, u.ordinal
       LIMIT \(Self.mostLicenses + 1)
      """
    ).map { row in
      let status = try row.get("license_status", as: String?.self).flatMap(Recorded.Unit.Status.init(rawValue:))
      let purchase: PurchaseID = try row.get("purchase_id")
      return StoredLicense(
        id: try row.get("license_id"), purchase: purchase, status: status ?? .active, keyHint: try row.get("key_hint"),
        product: try row.get("licensekit_product_id"), policy: try row.get("policy"),
        expiresAt: try row.get("expires_at"), renews: renewing.contains(purchase),
        manualOverrides: try row.get("by_hand", as: [String].self).compactMap(ManualOverride.init(rawValue:)).sorted())
    }
  }

  /// The purchases whose subscription goes on: the next paid period extends their licenses.
  private func renewing(_ purchases: [PurchaseRow]) async throws -> Set<PurchaseID> {
    let subscriptions = purchases.filter { $0.kind == "subscription" }
    guard !subscriptions.isEmpty else { return [] }
    let facts = try await transaction.query(
      """
      SELECT fact_key, snapshot::text AS snapshot
        FROM stripe_integration.facts
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
         AND fact_key   = ANY(\(subscriptions.map(\.stripeID)))
      """)
    var renewing: Set<String> = []
    for row in facts {
      guard case .subscription(let subscription) = try StoredJSON.value(Snapshot.self, from: try row.get("snapshot")),
        subscription.goesOn
      else { continue }
      renewing.insert(try row.get("fact_key"))
    }
    return Set(subscriptions.filter { renewing.contains($0.stripeID) }.map(\.id))
  }

  private func unmapped(of purchases: [String]) async throws -> [PurchaseID: [String]] {
    var unmapped: [PurchaseID: [String]] = [:]
    for row in try await transaction.query(
      """
      SELECT p.purchase_id, u.stripe_id
        FROM unnest(\(purchases)::text[]) AS p (purchase_id)
       CROSS JOIN LATERAL (
             SELECT stripe_id
               FROM stripe_integration.unmapped
              WHERE account_id  = \(tenant.account)
                AND livemode    = \(tenant.livemode)
                AND purchase_id = p.purchase_id
              ORDER BY stripe_id DESC
              LIMIT \(Self.mostUnmapped)) u
      """)
    { unmapped[try row.get("purchase_id"), default: []].append(try row.get("stripe_id")) }
    return unmapped
  }

  /// The newest entries of each purchase, merged, and before them what the app waits for.
  private func timeline(of purchases: [String]) async throws -> [AppView.TimelineEntry] {
    let told = try await entries(of: purchases)
    guard let first = purchases.first,
      let pending = try await InstallStore(tenant: tenant, transaction: transaction).pendingApproval()
    else { return told }
    let entry = AppView.TimelineEntry(
      at: pending.since, kind: Timeline.Kind.note.rawValue, title: pending.sentence, state: nil, detail: nil,
      fulfillmentID: PurchaseID(first))
    return [entry] + told
  }

  private func entries(of purchases: [String]) async throws -> [AppView.TimelineEntry] {
    try await transaction.query(
      """
      SELECT p.purchase_id, t.at, t.kind, t.title, t.state, t.detail
        FROM unnest(\(purchases)::text[]) AS p (purchase_id)
       CROSS JOIN LATERAL (
             SELECT entry_id, at, kind, title, state, detail
               FROM stripe_integration.timeline
              WHERE account_id  = \(tenant.account)
                AND livemode    = \(tenant.livemode)
                AND purchase_id = p.purchase_id
              ORDER BY entry_id DESC
              LIMIT \(Self.mostTimelineEntries)) t
       ORDER BY t.entry_id DESC
       LIMIT \(Self.mostTimelineEntries)
      """
    ).map { row in
      AppView.TimelineEntry(
        at: try row.get("at"), kind: try row.get("kind"), title: try row.get("title"), state: try row.get("state"),
        detail: try row.get("detail"), fulfillmentID: try row.get("purchase_id"))
    }
  }

  /// The disputes of one payment. Several payments may have paid its purchase.
  private func disputes(of purchases: [String], payment: String) async throws -> [AppView.Dispute] {
    let found = try await transaction.query(
      """
      SELECT f.snapshot::text AS snapshot
        FROM stripe_integration.aliases a
        JOIN stripe_integration.facts f
          ON f.account_id = a.account_id
         AND f.livemode   = a.livemode
         AND f.fact_key   = a.stripe_id
       WHERE a.account_id  = \(tenant.account)
         AND a.livemode    = \(tenant.livemode)
         AND a.purchase_id = ANY(\(purchases))
         AND (a.stripe_id LIKE 'du\\_%' OR a.stripe_id LIKE 'dp\\_%')
       LIMIT 200
      """)
    let disputes = try found.compactMap { row -> Stripe.Dispute? in
      guard case .dispute(let dispute) = try StoredJSON.value(Snapshot.self, from: try row.get("snapshot")),
        dispute.paymentIntent?.rawValue == payment || dispute.charge?.rawValue == payment
      else { return nil }
      return dispute
    }
    return disputes.sorted { $0.created > $1.created }.prefix(Self.mostDisputes)
      .map { AppView.Dispute(id: $0.id, status: $0.status) }
  }
}

extension Stripe.Subscription {
  /// Whether another period follows once it is paid.
  var goesOn: Bool {
    guard endedAt == nil, !cancelAtPeriodEnd, cancelAt == nil else { return false }
    switch status {
    case .canceled, .incompleteExpired, .unpaid, .paused: return false
    default: return true
    }
  }
}
