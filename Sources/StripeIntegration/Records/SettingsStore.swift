import Foundation
import Identity
import Postgres
import Purchases
import StripeAPI

/// The settings of one tenant, within a transaction of that tenant.
struct SettingsStore {
  let tenant: Tenant
  let transaction: PostgresTransaction

  func load() async throws -> TenantSettings {
    let row = try await transaction.query(
      """
      SELECT bare_payments, update_customers
        FROM stripe_integration.tenant_settings
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
      """
    ).first
    guard let row else { return TenantSettings() }
    return TenantSettings(
      barePayments: try row.get("bare_payments"), updateCustomers: try row.get("update_customers"))
  }

  func store(_ settings: TenantSettings) async throws {
    try await transaction.query(
      """
      INSERT INTO stripe_integration.tenant_settings (account_id, livemode, bare_payments, update_customers)
      VALUES (\(tenant.account), \(tenant.livemode), \(settings.barePayments), \(settings.updateCustomers))
      ON CONFLICT (account_id, livemode) DO UPDATE
         SET bare_payments    = excluded.bare_payments,
             update_customers = excluded.update_customers,
             updated_at       = now()
      """)
  }
}

extension RecordStore {
  /// Stores with each line everything that speaks against its access, so that it is shown with the line's licenses.
  func setCauses(of decision: Decision) async throws {
    guard decision.isComplete else { return }
    let lines = decision.lines
    let causes = lines.map { $0.causes.sorted().map(\.rawValue).joined(separator: ",") }
    try await transaction.query(
      """
      UPDATE stripe_integration.lines l
         SET causes = w.causes
        FROM (SELECT k.line_key, k.licensekit_product_id,
                     COALESCE(string_to_array(v.causes, ','), ARRAY['sold_no_more']) AS causes
                FROM stripe_integration.lines k
                LEFT JOIN unnest(\(lines.map(\.key.line))::text[], \(lines.map(\.key.product.rawValue))::text[],
                                 \(causes)::text[]) AS v (line, product, causes)
                  ON v.line    = k.line_key
                 AND v.product = k.licensekit_product_id
               WHERE k.account_id  = \(tenant.account)
                 AND k.livemode    = \(tenant.livemode)
                 AND k.purchase_id = \(purchase)) w
       WHERE l.account_id            = \(tenant.account)
         AND l.livemode              = \(tenant.livemode)
         AND l.purchase_id           = \(purchase)
         AND l.line_key              = w.line_key
         AND l.licensekit_product_id = w.licensekit_product_id
         AND l.causes IS DISTINCT FROM w.causes
      """)
  }
}
