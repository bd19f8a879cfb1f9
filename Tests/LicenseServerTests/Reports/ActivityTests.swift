import Foundation
import Identity
import JSON
import LicenseKitAPI
import LicenseKitHTTP
import Postgres
import ServerKit
import TestSupport
import Testing

@testable import LicenseServer

@Suite("Activities: what was asked and how it ended")
struct ActivityTests {
  @Test("what a vendor changes is listed at once, under the request's id and with every id that it concerns")
  func management() async throws {
    try await withLicenseServer { fixture in
      let sale = try await Sale.make(fixture)
      let reply = try await fixture.send("POST", "/api/v1/licenses/\(sale.license.id)/suspend")
      let request = try #require(reply.json?["meta"]?["request_id"]?.string)
      let found = try await fixture.rows("activities?request_id=\(request)")
      let activity = try #require(found.first?.object)
      #expect(found.count == 1)
      #expect(activity["action"] == "license.suspended" && activity["source"] == "management")
      #expect(activity["result_class"] == "success" && activity["status_code"] == 200)
      #expect(activity["license_id"]?.string == sale.license.id.rawValue)
      #expect(activity["product_id"]?.string == sale.catalog.product.id.rawValue)
      #expect(activity["policy_id"]?.string == sale.catalog.policy.id.rawValue)
      #expect(activity["customer_id"]?.string == sale.customer.id.rawValue)
      #expect(activity["order_id"]?.string == sale.order.id.rawValue)
      #expect(activity["subscription_id"]?.string == sale.subscription.id.rawValue)

      let created = try await fixture.rows("activities?status_code=201&order_id=\(sale.order.id)")
      #expect(created.texts("action") == ["license.created", "order.created"])
      #expect(created.texts("customer_id") == Array(repeating: sale.customer.id.rawValue, count: 2))
      _ = try await fixture.server.inProcessClient(tenant: .defaultTenant).reinstateLicense(sale.license.id)
      let system = try await fixture.rows("activities?source=system")
      #expect(system.texts("action") == ["license.reinstated"])
      #expect(system[0]["request_id"] == nil)
    }
  }

  @Test("a change that fails leaves neither an event nor an activity")
  func together() async throws {
    try await withLicenseServer { fixture in
      let sale = try await Sale.make(fixture)
      let before = try await fixture.rows("activities").count
      let reply = try await fixture.send("DELETE", "/api/v1/products/\(sale.catalog.product.id)")
      #expect(reply.status == 409)
      #expect(try await fixture.rows("activities").count == before)
    }
  }

  @Test("refusals of the runtime are listed with their reason, changes with their amount, and mere checks not at all")
  func runtime() async throws {
    try await withLicenseServer { fixture in
      let sale = try await Sale.make(fixture, quota: 5)
      try await sale.consume(3, fixture)
      try await sale.consume(3, fixture, status: 403)
      #expect(try await fixture.runtime("validate", key: sale.key).status == 200)
      #expect(try await fixture.runtime("check", key: sale.key).status == 200)
      let unbound = try await fixture.runtime("validate", key: sale.key, #"{"fingerprint":"other","app_version":"9"}"#)
      #expect(unbound.status == 404)
      let wrong = try await fixture.runtime("check", key: sale.key, #"{"colour":1}"#)
      #expect(wrong.status == 400)
      #expect(try await fixture.runtime("check", key: "lsk_unknown").status == 401)
      await fixture.flush()

      let rows = try await fixture.rows("activities?source=runtime")
      #expect(
        rows.map {
          "\($0["action"]?.string ?? "") \($0["status_code"]?.integer ?? 0) \($0["reason_code"]?.string ?? "-")"
        }
          == [
            "license.checked 400 INVALID_JSON", "license.validated 404 NOT_FOUND",
            "usage.consumed 403 FEATURE_QUOTA_EXCEEDED", "usage.consumed 200 -", "license.activated 200 -",
          ])
      #expect(rows.texts("result_class") == ["invalid", "not_found", "denied", "success", "success"])
      #expect(rows[1]["request_id"]?.string == unbound.json?["meta"]?["request_id"]?.string)
      #expect(rows[1]["app_version"] == "9")
      #expect(rows[2]["feature_code"] == "api_calls" && rows[2]["amount"] == 3)
      for row in rows {
        #expect(row["license_id"]?.string == sale.license.id.rawValue)
        #expect(row["customer_id"]?.string == sale.customer.id.rawValue)
        #expect(row["subscription_id"]?.string == sale.subscription.id.rawValue)
      }
      let text = try await fixture.report("activities?limit=200").text
      for secret in ["ada@example.com", "Lovelace", "machine-1", "secret-host", sale.key] {
        #expect(!text.contains(secret), "\(secret)")
      }
    }
  }

  @Test("every filter narrows, alone and together, and a window is exact to the second")
  func filters() async throws {
    try await withLicenseServer { fixture in
      let sale = try await Sale.make(fixture)
      let other = try await Sale.make(fixture)
      fixture.clock.advance(seconds: 10)
      try await sale.consume(2, fixture)
      try await other.consume(2_000, fixture, status: 403)
      await fixture.flush()
      func count(_ query: String) async throws -> Int { try await fixture.rows("activities?\(query)").count }
      let license = "license_id=\(sale.license.id)"
      #expect(try await count("\(license)&action=usage.consumed") == 1)
      #expect(try await count("action=usage.consumed") == 2)
      #expect(try await count("action=usage.consumed&result_class=denied") == 1)
      #expect(try await count("customer_id=\(other.customer.id)&status_code=403") == 1)
      #expect(try await count("subscription_id=\(sale.subscription.id)&feature_code=api_calls&source=runtime") == 1)
      #expect(try await count("product_id=\(sale.catalog.product.id)&result_class=denied") == 0)
      #expect(try await count("from=2026-03-24T00:00:10Z") == 2)
      #expect(try await count("from=2026-03-24T00:00:11Z") == 0)
      #expect(try await count("\(license)&to=2026-03-24T00:00:10Z&source=runtime") == 1)
      #expect(try await count("\(license)&to=2026-03-24T00:00:11Z&source=runtime") == 2)
      let all = try await fixture.rows("activities", limit: 200)
      #expect(try await fixture.rows("activities", limit: 3) == all)
      #expect(all.compactMap { $0["sequence"]?.integer } == all.compactMap { $0["sequence"]?.integer }.sorted(by: >))
      for (query, field) in [
        ("cursor=0", "cursor"), ("limit=0", "limit"), ("source=moon", "source"), ("result_class=odd", "result_class"),
        ("status_code=no", "status_code"), ("from=soon", "from"), ("action=%00", "action"),
        ("from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "from"),
      ] {
        let reply = try await fixture.send("GET", "/api/v1/activities?\(query)")
        #expect(reply.status == 400 && reply.code == "INVALID_QUERY", "\(query): \(reply.text)")
        #expect(reply.detail?.contains(field) == true, "\(query): \(reply.text)")
      }
    }
  }

  @Test("a value of a custom field is an activity of the license or customer that has it")
  func customFieldValues() async throws {
    try await withLicenseServer { fixture in
      let sale = try await Sale.make(fixture)
      let field = try await fixture.send(
        "POST", "/api/v1/products/\(sale.license.productID)/custom-fields",
        #"{"resource_type":"license","code":"room","name":"Room","value_type":"string"}"#)
      let id = try #require(field.data?["id"]?.string)
      let path = "/api/v1/licenses/\(sale.license.id)/custom-fields/\(id)"
      #expect(try await fixture.send("PUT", path, #"{"string_value":"7"}"#).status == 200)
      #expect(try await fixture.send("PUT", path, #"{"clear":true}"#).status == 204)
      let rows = try #require(
        try await fixture.report("activities?license_id=\(sale.license.id)&source=management").data?.array)
      for (action, status) in [("custom_field_value.set", 200), ("custom_field_value.cleared", 204)]
        as [(String, Int64)]
      {
        let row = try #require(rows.first { $0["action"]?.string == action }, "\(action)")
        #expect(row["resource_type"] == "license" && row["resource_id"]?.string == sale.license.id.rawValue)
        #expect(row["product_id"]?.string == sale.license.productID.rawValue)
        #expect(row["status_code"]?.integer == status)
      }
    }
  }

  @Test("another tenant sees nothing of it, and a token needs the scope")
  func tenants() async throws {
    try await withLicenseServer { fixture in
      let sale = try await Sale.make(fixture)
      try await sale.consume(5_000, fixture, status: 403)
      await fixture.flush()
      let other = try await fixture.otherTenant()
      for path in [
        "activities?license_id=\(sale.license.id)", "activities?source=runtime", "reports/usage-ledger",
      ] {
        #expect(try await fixture.report(path, authorization: other.authorization).data?.array?.isEmpty == true)
      }
      let token = try await fixture.admin.createAPIKey(APIKeyCreateRequest(name: "t", scopes: [.licenseRead])).token
      for (path, scope) in [("activities", "report:read"), ("ops/summary", "ops:read")] {
        let reply = try await fixture.send("GET", "/api/v1/\(path)", authorization: "Bearer \(token)")
        #expect(reply.status == 403 && reply.detail?.contains(scope) == true)
      }
      // The database itself refuses to show or change another tenant's rows.
      let seen = try await fixture.server.services.store.transaction("acme") { transaction in
        var seen: [Int] = []
        for table in ["usage_ledger", "runtime_counts", "report_exports"] {
          seen.append(try await transaction.query("SELECT 1 FROM license_server.\(identifier: table)").count)
        }
        return seen
      }
      #expect(seen == [0, 0, 0])
      await #expect(throws: (any Error).self) {
        try await fixture.server.services.store.transaction("acme") { transaction in
          try await transaction.query("DELETE FROM license_server.activities")
        }
      }
    }
  }
}
