import Foundation
import JSON
import LicenseKitAPI
import Postgres
import ServerKit

extension SubjectReports {
  /// What one customer has and used.
  /// - Throws: 404 for an unknown customer.
  func customer(_ request: CustomerSummaryRequest, for caller: Caller) async throws -> JSONObject {
    let now = clock.now()
    let id = request.id
    return try await store.report(caller.tenant) { transaction in
      let rows = try await transaction.query(
        """
        SELECT id, code, created_at
          FROM license_server.customers
         WHERE tenant_id = \(caller.tenant) AND id = \(id)
        """)
      guard let row = rows.first else { throw APIFailure.notFound("customer_id") }
      var facts = JSONObject()
      try facts.take("id", "code", from: row)
      facts.set("created_at", try row.get("created_at", as: Date.self))

      var filter = UsageFilter()
      filter.customerID = id
      let usage = try await UsageSummary.load(
        filter, window: request.window, groupBy: [.featureCode], limit: Limit.maximum, for: caller, in: transaction)
      let byLicense = try await UsageSummary.load(
        filter, window: request.window, groupBy: [.licenseID], limit: request.limit, for: caller, in: transaction)
      let (licenses, more) = try await licenses(of: id, limit: request.limit, at: now, for: caller, in: transaction)
      return [
        "window": request.window.json,
        "customer": .object(facts),
        "licenses": try await countByStatus(
          """
          SELECT \(fragment: LicenseLifecycle.statusColumn(at: now)) AS text
            FROM license_server.licenses l
            JOIN license_server.policies p ON p.tenant_id = l.tenant_id AND p.id = l.policy_id
           WHERE l.tenant_id = \(caller.tenant) AND l.customer_id = \(id)
          """, in: transaction),
        "orders": try await countByStatus(
          """
          SELECT status AS text
            FROM license_server.orders
           WHERE tenant_id = \(caller.tenant) AND customer_id = \(id)
          """, in: transaction),
        "subscriptions": try await countByStatus(
          """
          SELECT status AS text
            FROM license_server.subscriptions
           WHERE tenant_id = \(caller.tenant) AND customer_id = \(id)
          """, in: transaction),
        "usage": ["totals": .object(usage.totals.json), "groups": usage.groupsJSON],
        "usage_by_license": byLicense.groupsJSON,
        "license_list": .array(licenses),
        "truncated": .bool(more || byLicense.truncated),
      ]
    }
  }

  /// Records by their status; at most ``maximumCounted``.
  /// - Parameter records: has the column `text`.
  private func countByStatus(_ records: PostgresQuery, in transaction: PostgresTransaction) async throws -> JSONValue {
    try await CountsByText.load(
      """
      SELECT text, count(*) AS count
        FROM (\(fragment: records)
               LIMIT \(Self.maximumCounted)) found
       GROUP BY text
       ORDER BY text
      """, in: transaction
    ).json(by: "status")
  }

  /// The customer's newest licenses.
  private func licenses(
    of customer: CustomerID, limit: Int, at now: Date, for caller: Caller, in transaction: PostgresTransaction
  ) async throws -> ([JSONValue], more: Bool) {
    let found = try await transaction.query(
      """
      \(fragment: LicenseRecord.selection)
       WHERE l.tenant_id = \(caller.tenant) AND l.customer_id = \(customer)
       ORDER BY l.id DESC
       LIMIT \(limit + 1)
      """
    ).all { JSONValue.object(try LicenseRecord(row: $0, now: now).license.reportFacts) }
    return (Array(found.prefix(limit)), found.count > limit)
  }
}
