import Foundation
import Identity
import JSON
import LicenseKitAPI
import TestSupport
import Testing

@testable import LicenseServer

@Suite("How the runtime does: summary and error groups")
struct OperationsReportTests {
  @Test("every request is in the summary, by endpoint and by result, and refusals by their reason")
  func summary() async throws {
    try await withLicenseServer { fixture in
      let sale = try await Sale.make(fixture, quota: 5)
      for _ in 0..<3 { #expect(try await fixture.runtime("validate", key: sale.key).status == 200) }
      try await sale.consume(5, fixture)
      try await sale.consume(1, fixture, status: 403)
      #expect(try await fixture.runtime("check", key: sale.key, #"{"fingerprint":"x"}"#).status == 404)
      await fixture.flush()
      let data = try #require(try await fixture.report("ops/summary").data)
      #expect(data["basis"] == "counts")
      #expect(data["requests"]?["total"] == 7)
      #expect(
        data["requests"]?["by_result"]
          == ["success": 5, "denied": 1, "invalid": 0, "conflict": 0, "not_found": 1, "error": 0])
      let endpoints = try #require(data["requests"]?["by_endpoint"]?.array)
      #expect(endpoints.texts("endpoint") == ["activate", "validate", "check", "consume"])
      #expect(endpoints.sum("total") == 7 && endpoints.sum("success") == 5)
      #expect(data["refusals"]?["total"] == 2)
      #expect(
        Set(data["refusals"]?["by_reason"]?.array?.texts("reason_code") ?? []) == [
          "NOT_FOUND", "FEATURE_QUOTA_EXCEEDED",
        ])
      #expect(data["active_devices"] == ["count": 1, "capped": false])

      let own = try #require(try await fixture.report("ops/summary?license_id=\(sale.license.id)").data)
      #expect(own["basis"] == "activities" && own["refusals"] == data["refusals"])
      #expect(own["active_devices"]?["count"] == 1)
      for query in ["product_id=\(sale.catalog.product.id)", "customer_id=\(sale.customer.id)&product_id=none"] {
        let found = try await fixture.report("ops/summary?\(query)").data?["active_devices"]?["count"]
        #expect(found == (query.contains("none") ? 0 : 1))
      }
      let other = try await fixture.otherTenant()
      let theirs = try await fixture.report("ops/summary", authorization: other.authorization).data
      #expect(theirs?["requests"]?["total"] == 0 && theirs?["active_devices"]?["count"] == 0)
    }
  }

  @Test("errors are grouped as asked, within the window, and their total includes groups that are not shown")
  func errors() async throws {
    try await withLicenseServer { fixture in
      let sale = try await Sale.make(fixture, quota: 0)
      for minute in [0, 4, 61] {
        if minute > 0 { fixture.clock.advance(seconds: minute == 61 ? 57 * 60 : 240) }
        try await sale.consume(1, fixture, status: 403)
        await fixture.flush()
      }
      for version in ["1.0", "2.0"] {
        let reply = try await fixture.runtime(
          "check", key: sale.key, #"{"fingerprint":"x","app_version":"\#(version)"}"#)
        #expect(reply.status == 404)
      }
      await fixture.flush()
      func groups(_ query: String) async throws -> JSONValue {
        try #require(try await fixture.report("ops/runtime-errors?\(query)").data)
      }
      let all = try await groups("")
      #expect(all["basis"] == "counts" && all["total"] == 5 && all["truncated"] == false)
      #expect(all["groups"]?.array?.texts("endpoint") == ["consume", "check"])
      #expect(all["groups"]?.array?.texts("reason_code") == ["FEATURE_QUOTA_EXCEEDED", "NOT_FOUND"])
      #expect(all["groups"]?.array?.map { $0["count"] } == [3, 2])
      let timed = try await groups("group_by=time,endpoint&bucket=5m&endpoint=consume")
      #expect(timed["groups"]?.array?.texts("time") == ["2026-03-24T01:00:00Z", "2026-03-24T00:00:00Z"])
      #expect(timed["groups"]?.array?.map { $0["count"] } == [1, 2])
      #expect(try await groups("group_by=time&bucket=1d")["groups"]?.array?.map { $0["count"] } == [5])
      #expect(
        try await groups("group_by=result_class")["groups"]?.array?.texts("result_class") == ["denied", "not_found"])
      let version = try await groups("app_version=2.0")
      #expect(version["basis"] == "activities" && version["total"] == 1)
      #expect(try await groups("license_id=\(sale.license.id)")["total"] == 5)
      #expect(try await groups("customer_id=\(sale.customer.id)&endpoint=check")["total"] == 2)
      let one = try await groups("limit=1")
      #expect(one["groups"]?.array?.count == 1 && one["total"] == 5 && one["truncated"] == true)
      #expect(try await groups("from=2026-03-23T00:00:00Z&to=2026-03-24T00:00:00Z")["total"] == 0)
      for (query, field) in [
        ("endpoint=login", "endpoint"), ("group_by=license_id", "group_by"), ("bucket=2h", "bucket"),
        ("from=2025-01-01T00:00:00Z", "from"), ("limit=0", "limit"),
      ] {
        let reply = try await fixture.send("GET", "/api/v1/ops/runtime-errors?\(query)")
        #expect(reply.status == 400 && reply.detail?.contains(field) == true, "\(query): \(reply.text)")
      }
    }
  }
}
