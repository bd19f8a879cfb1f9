import Foundation
import Identity
import JSON
import LicenseKitAPI
import LicenseKitHTTP
import Postgres
import TestSupport
import Testing

@testable import LicenseServer

@Suite("Usage: the ledger and its sums")
struct UsageReportTests {
  @Test("the sum of the ledger, of every grouping of the summary, and the licenses' own totals are one number")
  func oneNumber() async throws {
    try await withLicenseServer { fixture in
      let first = try await Sale.make(fixture)
      let second = try await Sale.make(fixture, catalog: first.catalog)
      try await withThrowingTaskGroup(of: Void.self) { group in
        for number in 1...20 {
          group.addTask { try await (number.isMultiple(of: 3) ? first : second).consume(Int64(number), fixture) }
        }
        try await group.waitForAll()
      }
      try await first.consume(100_000, fixture, status: 403)
      let ledger = try await fixture.rows("reports/usage-ledger", limit: 7)
      #expect(ledger.count == 20)
      let total = Int64((1...20).reduce(0, +))
      #expect(ledger.sum("amount") == total && ledger.sum("consumed_change") == total)
      let licenses = [first, second].map(\.license.id)
      var own: Int64 = 0
      for license in licenses {
        let shown = try await fixture.admin.getLicense(license).totalConsumptions
        own += shown
        let mine = try await fixture.rows("reports/usage-ledger?license_id=\(license)")
        #expect(mine.sum("consumed_change") == shown)
        #expect(mine.first?["total_consumptions"]?.integer == shown)
      }
      #expect(own == total)
      for dimension in UsageDimension.allCases.map(\.rawValue) + ["feature_code,license_id", "customer_id,order_id"] {
        for bucket in ["", "&bucket=1h", "&bucket=1d"] {
          let data = try await fixture.report("reports/usage-summary?group_by=\(dimension)\(bucket)").data
          let groups = try #require(data?["groups"]?.array)
          #expect(data?["totals"]?["consumed"]?.integer == total && data?["totals"]?["uses"] == 20)
          #expect(groups.sum("consumed") == total && groups.sum("uses") == 20, "\(dimension)")
          #expect(
            groups.count
              == (dimension.contains("feature_code") && !dimension.contains(",") || dimension == "product_id" ? 1 : 2))
          guard !bucket.isEmpty else { continue }
          #expect(groups.flatMap { $0["buckets"]?.array ?? [] }.sum("consumed") == total)
        }
      }
    }
  }

  @Test("resets, credits and a feature taken away are entries, and everything still adds up to what the license shows")
  func changes() async throws {
    try await withLicenseServer { fixture in
      let sale = try await Sale.make(fixture, quota: 10)
      func reset(_ body: LicenseFeatureUsageResetRequest) async throws {
        _ = try await fixture.admin.resetLicenseUsage(sale.license.id, body)
      }
      try await sale.consume(7, fixture)
      try await reset(LicenseFeatureUsageResetRequest(featureCode: "api_calls", addCredits: 5))
      try await sale.consume(8, fixture)
      try await reset(
        LicenseFeatureUsageResetRequest(featureCode: "api_calls", maxConsumptions: 20, resetConsumed: true))
      try await sale.consume(4, fixture)
      try await reset(LicenseFeatureUsageResetRequest(featureCode: "api_calls", totalConsumptions: 1))
      let path = "reports/usage-ledger?license_id=\(sale.license.id)"
      let rows: [JSONValue] = try await fixture.rows(path).reversed()
      #expect(rows.texts("action") == ["consume", "credit", "consume", "quota", "reset", "consume", "adjust"])
      #expect(rows.compactMap { $0["amount"]?.integer } == [7, 5, 8, 20, 15, 4, -3])
      #expect(rows.compactMap { $0["consumed_change"]?.integer } == [7, 0, 8, 0, -15, 4, -3])
      #expect(rows.compactMap { $0["total_consumptions"]?.integer } == [7, 7, 15, 15, 0, 4, 1])
      #expect(rows.compactMap { $0["max_consumptions"]?.integer } == [10, 15, 15, 20, 20, 20, 20])
      #expect(
        rows.texts("actor_type") == ["license", "api_key", "license", "api_key", "api_key", "license", "api_key"])
      #expect(try await fixture.admin.getLicense(sale.license.id).totalConsumptions == rows.sum("consumed_change"))
      #expect(try await fixture.rows("\(path)&action=reset").count == 1)

      try await fixture.admin.removeLicenseFeature(sale.license.id, sale.catalog.feature.id)
      let all = try await fixture.rows(path)
      #expect(all.first?["action"] == "remove" && all.sum("consumed_change") == 0)
      let totals = try await fixture.report("reports/usage-summary?license_id=\(sale.license.id)").data?["totals"]
      #expect(totals?["consumed"] == 19 && totals?["net_change"] == 0 && totals?["uses"] == 3)
    }
  }

  @Test("use is counted once however often it is sent, and stays with the customer who had the license then")
  func attribution() async throws {
    try await withLicenseServer { fixture in
      let sale = try await Sale.make(fixture)
      let buyer = try await fixture.admin.createCustomer(CustomerCreateRequest(name: "B", code: "b"))
      let body = #"{"fingerprint":"machine-1","feature_code":"api_calls","amount":2,"event_id":"once"}"#
      for key in ["a", "a", "b"] {
        #expect(try await fixture.runtime("consume", key: sale.key, body, idempotencyKey: key).status == 200)
      }
      _ = try await fixture.admin.transferLicense(
        sale.license.id, LicenseTransferRequest(customerID: buyer.id), idempotencyKey: "t")
      try await sale.consume(5, fixture)
      #expect(try await fixture.rows("reports/usage-ledger?customer_id=\(sale.customer.id)").sum("amount") == 2)
      #expect(try await fixture.rows("reports/usage-ledger?customer_id=\(buyer.id)").sum("amount") == 5)
      let groups = try await fixture.report("reports/usage-summary?group_by=customer_id").data?["groups"]?.array
      #expect(groups?.texts("customer_id") == [buyer.id.rawValue, sale.customer.id.rawValue])
      _ = try await fixture.admin.transferLicense(
        sale.license.id, LicenseTransferRequest(customerID: ""), idempotencyKey: "u")
      try await sale.consume(9, fixture)
      let without = try await fixture.report("reports/usage-summary?group_by=customer_id").data?["groups"]?.array?.first
      #expect(without?["customer_id"] == nil && without?["consumed"] == 9)
    }
  }

  @Test("windows and buckets are exact, the greatest groups come first, and totals include those that are not shown")
  func windows() async throws {
    try await withLicenseServer { fixture in
      let sales = [try await Sale.make(fixture), try await Sale.make(fixture), try await Sale.make(fixture)]
      for hour in 0..<3 {
        for (index, sale) in sales.enumerated() { try await sale.consume(Int64(index + 1 + hour), fixture) }
        fixture.clock.advance(seconds: 3_600)
      }
      func summary(_ query: String) async throws -> JSONValue {
        try #require(try await fixture.report("reports/usage-summary?group_by=license_id&\(query)").data)
      }
      let first = try await summary("from=2026-03-24T00:00:00Z&to=2026-03-24T01:00:00Z")
      #expect(first["totals"]?["consumed"] == 6)
      #expect(try await summary("from=2026-03-24T00:00:00.5Z&to=2026-03-24T01:00:01Z")["totals"]?["consumed"] == 9)
      let top = try await summary("limit=1&bucket=1h")
      #expect(top["truncated"] == true && top["totals"]?["consumed"] == 27)
      #expect(top["groups"]?.array?.texts("license_id") == [sales[2].license.id.rawValue])
      #expect(
        top["groups"]?[0]?["buckets"]?.array?.map { "\($0["start"]?.string ?? "") \($0["consumed"]?.integer ?? 0)" }
          == [
            "2026-03-24T00:00:00Z 3", "2026-03-24T01:00:00Z 4", "2026-03-24T02:00:00Z 5",
          ])
      #expect(try await summary("bucket=1d")["groups"]?[0]?["buckets"]?.array?.sum("consumed") == 12)
      #expect(try await summary("customer_id=\(sales[0].customer.id)")["totals"]?["consumed"] == 6)
      #expect(try await summary("feature_code=none")["totals"]?["consumed"] == 0)
      for (query, field) in [
        ("group_by=colour", "group_by"), ("group_by=license_id,license_id", "group_by"), ("bucket=5m", "bucket"),
        ("from=2025-01-01T00:00:00Z&to=2026-03-01T00:00:00Z", "from"), ("to=2026-01-01", "to"),
        ("bucket=1h&from=2026-01-01T00:00:00Z&to=2026-03-01T00:00:00Z", "from"), ("limit=-1", "limit"),
      ] {
        let reply = try await fixture.send("GET", "/api/v1/reports/usage-summary?\(query)")
        #expect(reply.status == 400 && reply.code == "INVALID_QUERY", "\(query): \(reply.text)")
        #expect(reply.detail?.contains(field) == true, "\(query): \(reply.text)")
      }
      let action = try await fixture.send("GET", "/api/v1/reports/usage-ledger?action=steal")
      #expect(action.status == 400 && action.detail?.contains("consume") == true)
    }
  }

  @Test("uses from before the ledger get their entries once, from however many replicas, in batches")
  func backfill() async throws {
    try await withLicenseServer { fixture in
      let sale = try await Sale.make(fixture)
      try await fixture.database.client.query(
        """
        INSERT INTO license_server.usage_events (tenant_id, license_id, event_id, feature_id, amount, created_at)
        SELECT 'default', \(sale.license.id), 'old-' || n, \(sale.catalog.feature.id), n, \(fixture.clock.now)
          FROM generate_series(1, 1200) n
        """)
      let made = try await withThrowingTaskGroup(of: Int.self) { group in
        for _ in 0..<3 {
          group.addTask {
            let backfill = LedgerBackfill(client: fixture.database.client, logger: Fixture.logger)
            var made = 0
            var step = try await backfill.step()
            while step > 0 {
              made += step
              step = try await backfill.step()
            }
            return made
          }
        }
        return try await group.reduce(0, +)
      }
      #expect(made == 1_200)
      let rows = try await fixture.rows("reports/usage-ledger?customer_id=\(sale.customer.id)")
      #expect(rows.count == 1_200 && rows.sum("amount") == 1_200 * 1_201 / 2)
      #expect(rows.allSatisfy { $0["total_consumptions"] == nil && $0["feature_code"] == "api_calls" })
      #expect(try await LedgerBackfill(client: fixture.database.client, logger: Fixture.logger).step() == 0)
    }
  }

  @Test("what is old is removed tenant by tenant, and nothing else")
  func retention() async throws {
    try await withLicenseServer { fixture in
      let sale = try await Sale.make(fixture)
      try await sale.consume(1, fixture)
      await fixture.flush()
      let body = #"{"report_kind":"usage-ledger"}"#
      #expect(try await fixture.send("POST", "/api/v1/reports/exports", body).status == 201)
      let retention = ReportRetention(
        client: fixture.database.client, clock: fixture.server.services.clock, logger: Fixture.logger)
      #expect(try await retention.prune() == 0)
      fixture.clock.advance(days: 401)
      let license = try await fixture.admin.suspendLicense(sale.license.id)
      #expect(try await retention.prune() > 10)
      #expect(try await fixture.rows("activities").texts("resource_id") == [license.id.rawValue])
      #expect(try await fixture.rows("reports/usage-ledger").count == 1)
      #expect(try await fixture.database.client.query("SELECT FROM license_server.runtime_counts").isEmpty)
      #expect(try await fixture.database.client.query("SELECT FROM license_server.report_exports").isEmpty)
      fixture.clock.advance(days: 700)
      #expect(try await retention.prune() > 0)
      #expect(try await fixture.rows("reports/usage-ledger").isEmpty)
      #expect(try await fixture.admin.getLicense(sale.license.id).totalConsumptions == 1)
    }
  }
}
