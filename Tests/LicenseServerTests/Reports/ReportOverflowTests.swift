import Foundation
import Identity
import JSON
import LicenseKitAPI
import LicenseKitHTTP
import Postgres
import TestSupport
import Testing

@testable import LicenseServer

/// Amounts come from applications: no sum of them ends a process or fails a report.
@Suite("Reports of more use than a 64-bit number holds")
struct ReportOverflowTests {
  /// The most that one call may consume.
  private static let most: Int64 = 9_007_199_254_740_991
  private static let end = Int64.max

  /// Entries as so many calls would have left them: `pairs` uses of the most there is, each followed by a reset.
  private static func use(
    _ sale: Sale, pairs: Int, at moment: Date, amount: Int64 = most, change: Int64? = nil, _ fixture: Fixture
  ) async throws {
    let license = sale.license
    try await fixture.database.client.query(
      """
      INSERT INTO license_server.usage_ledger
             (tenant_id, sequence, created_at, action,
              license_id, product_id, policy_id, customer_id, order_id, subscription_id,
              feature_id, feature_code, amount, consumed_change, actor_type, actor_id)
      SELECT 'default', license_server.time_sequence(\(moment)), \(moment), e.action,
             \(license.id), \(license.productID), \(license.policyID), \(sale.customer.id), \(sale.order.id),
             \(sale.subscription.id), \(sale.catalog.feature.id), 'api_calls', \(amount), e.change, 'license', \(license.id)
        FROM generate_series(1, \(pairs)) AS n (n)
       CROSS JOIN (VALUES ('consume', \(change ?? amount)::bigint), ('reset', \(-(change ?? amount))::bigint)) AS e (action, change)
      """)
  }

  /// Every report of usage, as asked for by a route and as an export in every format.
  private static func everyReport(of sale: Sale) -> [(kind: String, query: String)] {
    let window = "from=2026-03-01T00:00:00Z&to=2026-06-01T00:00:00Z"
    return [
      ("usage-summary", "\(window)"), ("usage-summary", "\(window)&bucket=1d&group_by=license_id,feature_code"),
      ("usage-summary", "\(window)&customer_id=\(sale.customer.id)"), ("usage-ledger", "\(window)"),
      ("license-audit", "\(window)&license_id=\(sale.license.id)"),
      ("customer-summary", "\(window)&customer_id=\(sale.customer.id)"),
      ("subscription-settlement", "\(window)&order_id=\(sale.order.id)"),
      ("subscription-settlement", "\(window)&subscription_id=\(sale.subscription.id)&group_by=license_id"),
    ]
  }

  private static func expectEveryReport(of sale: Sale, _ fixture: Fixture) async throws {
    for (kind, query) in everyReport(of: sale) {
      _ = try await fixture.report("reports/\(kind)?\(query)")
      var filters: JSONObject = [:]
      for part in query.split(separator: "&") {
        let pair = part.split(separator: "=").map(String.init)
        filters[pair[0]] = .string(pair[1])
      }
      for format in ["json", "csv", "pdf"] {
        let body: JSONValue = [
          "report_kind": .string(kind), "format": .string(format), "filters": .object(filters),
        ]
        let made = try await fixture.send(
          "POST", "/api/v1/reports/exports", String(decoding: body.encoded(), as: UTF8.self))
        #expect(made.status == 201, "\(kind) as \(format): \(made.text)")
      }
    }
  }

  @Test("700 of the largest uses, a period that begins later, and 700 more: the settlement answers")
  func settlement() async throws {
    try await withLicenseServer { fixture in
      let sale = try await Sale.make(fixture, quota: nil)
      let start = fixture.clock.now
      try await Self.use(sale, pairs: 700, at: start, fixture)
      try await Self.use(sale, pairs: 700, at: start + 3_600, fixture)
      try await fixture.database.client.query(
        "UPDATE license_server.orders SET period_start = \(start + 1_800) WHERE id = \(sale.order.id)")
      let part = 700 * Self.most
      let data = try await fixture.report(
        "reports/subscription-settlement?order_id=\(sale.order.id)&to=2026-04-01T00:00:00Z"
      ).data
      #expect(data?["periods"]?[0]?["consumed"]?.integer == part)
      #expect(data?["outside_periods"]?["consumed"]?.integer == part)
      #expect(data?["totals"] == ["consumed": .integer(Self.end), "uses": 1_400, "net_change": 0, "renewals": 0])
      let made = try await fixture.send(
        "POST", "/api/v1/reports/exports",
        #"{"report_kind":"subscription-settlement","filters":{"order_id":"\#(sale.order.id)"}}"#)
      #expect(made.status == 201)
    }
  }

  @Test("a total beyond the largest number is told as the largest, and what was taken back counts in full")
  func saturation() async throws {
    try await withLicenseServer { fixture in
      let sale = try await Sale.make(fixture, quota: nil)
      let start = fixture.clock.now
      try await Self.use(sale, pairs: 4, at: start, amount: 1 << 62, fixture)
      let query = "reports/usage-summary?from=2026-03-01T00:00:00Z&to=2026-04-01T00:00:00Z"
      let data = try await fixture.report("\(query)&bucket=1h").data
      let whole: JSONValue = ["consumed": .integer(Self.end), "uses": 4, "net_change": 0]
      #expect(data?["totals"] == whole)
      #expect(data?["groups"]?[0]?["consumed"]?.integer == Self.end)
      #expect(data?["groups"]?[0]?["net_change"] == 0)
      #expect(data?["groups"]?[0]?["buckets"]?[0]?["consumed"]?.integer == Self.end)
      // More of it, spread over groups: which is the greater is known beyond the largest number as well.
      let other = try await Sale.make(fixture, quota: nil, catalog: sale.catalog)
      try await Self.use(other, pairs: 5, at: start, amount: 1 << 62, fixture)
      let grouped = try await fixture.report("\(query)&group_by=license_id").data
      #expect(
        grouped?["groups"]?.array?.texts("license_id") == [other.license.id.rawValue, sale.license.id.rawValue])
      #expect(grouped?["totals"]?["consumed"]?.integer == Self.end)
      try await Self.expectEveryReport(of: sale, fixture)
    }
  }

  @Test("whatever numbers the tables hold, no report fails")
  func extremes() async throws {
    try await withLicenseServer { fixture in
      let sale = try await Sale.make(fixture, quota: nil)
      let start = fixture.clock.now
      try await Self.use(sale, pairs: 3, at: start, amount: .max, fixture)
      try await Self.use(sale, pairs: 3, at: start, amount: .min, change: .max, fixture)
      try await fixture.database.client.query(
        """
        INSERT INTO license_server.runtime_counts (tenant_id, bucket, endpoint, result_class, reason_code, requests)
        SELECT 'default', \(start), endpoint, 'denied', 'LICENSE_EXPIRED', 9223372036854775807
          FROM unnest(ARRAY['validate', 'check', 'consume']) AS e (endpoint)
        """)
      try await Self.expectEveryReport(of: sale, fixture)
      let ops = try await fixture.report("ops/summary?from=2026-03-23T00:00:00Z&to=2026-03-25T00:00:00Z").data
      #expect(ops?["requests"]?["total"]?.integer == Self.end)
      #expect(ops?["refusals"]?["by_reason"]?[0]?["count"]?.integer == Self.end)
      let errors = try await fixture.report(
        "ops/runtime-errors?from=2026-03-23T00:00:00Z&to=2026-03-25T00:00:00Z&group_by=reason_code"
      ).data
      #expect(errors?["total"]?.integer == Self.end && errors?["groups"]?[0]?["count"]?.integer == Self.end)
    }
  }

  @Test("a license whose features were used beyond the largest number together is shown, listed and validated")
  func licenses() async throws {
    try await withLicenseServer { fixture in
      let sale = try await Sale.make(fixture, quota: nil)
      try await fixture.database.client.query(
        """
        WITH made AS (
          INSERT INTO license_server.features (tenant_id, id, product_id, code, name, created_at)
          SELECT 'default', 'feat_many' || n, \(sale.catalog.product.id), 'many_' || n, 'Many', now()
            FROM generate_series(1, 1100) AS n (n)
          RETURNING tenant_id, id
        )
        INSERT INTO license_server.license_features (tenant_id, license_id, feature_id, enabled, total_consumptions)
        SELECT tenant_id, \(sale.license.id), id, true, \(Self.most)
          FROM made
        """)
      #expect(try await fixture.admin.getLicense(sale.license.id).totalConsumptions == .max)
      #expect(try await fixture.admin.listLicenses(LicenseFilter()).first?.totalConsumptions == .max)
      #expect(try await fixture.runtime("validate", key: sale.key).status == 200)
      try await sale.consume(1, fixture, feature: "many_1", status: 422)
      _ = try await fixture.admin.resetLicenseUsage(
        sale.license.id, LicenseFeatureUsageResetRequest(featureID: "feat_many1", resetConsumed: true))
      _ = try await fixture.admin.removeLicenseFeature(sale.license.id, "feat_many2")
      try await Self.expectEveryReport(of: sale, fixture)
    }
  }
}
