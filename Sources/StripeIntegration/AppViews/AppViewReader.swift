import Foundation
import Identity
import LicenseKitAPI
import Postgres
import StripeAPI

/// A license as this service has it on record.
struct StoredLicense: Sendable {
  let id: LicenseID
  let status: Recorded.Unit.Status
  let keyHint: String?
  let product: ProductID
  let policy: PolicyID?
  let expiresAt: Date?
}

/// Reads what a Dashboard view is about, within a transaction of the view's tenant.
struct AppViewReader {
  struct View: Sendable {
    var fulfillments: [AppView.Fulfillment] = []
    var licenses: [StoredLicense] = []
    var hasMoreLicenses = false
  }

  let tenant: Tenant
  let transaction: PostgresTransaction

  static let mostFulfillments = 25
  static let mostLicenses = 50

  func isConnected() async throws -> Bool {
    try await transaction.query(
      """
      SELECT FROM stripe_integration.connections
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
         AND status     = 'connected'
      """
    ).count > 0
  }

  func view(of object: String, _ kind: AppObjectKind) async throws -> View {
    let reader = FulfillmentReader(tenant: tenant, transaction: transaction)
    let purchases = try await reader.page(.init(object: object), after: nil, limit: Self.mostFulfillments)
    guard !purchases.isEmpty else { return View() }
    let licenses = try await licenses(of: purchases.map(\.id.rawValue))
    return View(
      fulfillments: purchases.map {
        AppView.Fulfillment(
          id: $0.id, status: $0.status, reason: $0.reason, kind: $0.kind, stripeID: $0.stripeID,
          updatedAt: $0.updatedAt)
      },
      licenses: Array(licenses.prefix(Self.mostLicenses)), hasMoreLicenses: licenses.count > Self.mostLicenses)
  }

  /// Licenses of the purchases, the newest purchase's first.
  private func licenses(of purchases: [String]) async throws -> [StoredLicense] {
    try await transaction.query(
      """
      SELECT u.license_id, u.license_status, u.key_hint, u.licensekit_product_id, u.expires_at,
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
      return StoredLicense(
        id: try row.get("license_id"), status: status ?? .active, keyHint: try row.get("key_hint"),
        product: try row.get("licensekit_product_id"), policy: try row.get("policy"),
        expiresAt: try row.get("expires_at"))
    }
  }
}
