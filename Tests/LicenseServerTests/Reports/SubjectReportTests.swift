import Foundation
import Identity
import JSON
import LicenseKitAPI
import LicenseKitHTTP
import TestSupport
import Testing

@testable import LicenseServer

@Suite("Reports about one license, customer, subscription or order")
struct SubjectReportTests {
  /// What no report may tell: the buyer, the machine, the key.
  private static func expectNothingPersonal(_ text: String, _ sale: Sale) {
    for secret in ["ada@example.com", "Lovelace", "machine-1", "secret-host", "127.0.0.1", sale.key] {
      #expect(!text.contains(secret), "\(secret)")
    }
  }

  @Test("an audit has the license, its features, devices and use, and all that happened, newest first")
  func audit() async throws {
    try await withLicenseServer { fixture in
      let sale = try await Sale.make(fixture, quota: 10)
      try await sale.consume(4, fixture)
      try await sale.consume(40, fixture, status: 403)
      let devices = try await fixture.admin.listLicenseDevices(sale.license.id, limit: nil)
      _ = try await fixture.admin.resetLicenseDevice(sale.license.id, try #require(devices.first?.id))
      _ = try await Sale.make(fixture)
      await fixture.flush()
      let reply = try await fixture.report("reports/license-audit?license_id=\(sale.license.id)")
      let data = try #require(reply.data)
      #expect(data["license"]?["id"]?.string == sale.license.id.rawValue)
      #expect(data["license"]?["license_type"] == "subscription")
      #expect(data["features"]?[0]?["total_consumptions"] == 4 && data["features"]?[0]?["remaining"] == 6)
      #expect(data["devices"]?[0]?["status"] == "reset")
      #expect(data["usage"]?["totals"]?["consumed"] == 4)
      #expect(data["refusals"] == ["total": 1, "by_reason": ["FEATURE_QUOTA_EXCEEDED": 1]])
      #expect(
        data["events"]?.array?.texts("event_type") == [
          "device.reset", "usage.consumed", "license.activated", "feature.assigned", "license.created",
        ])
      #expect(data["truncated"] == false)
      Self.expectNothingPersonal(reply.text, sale)

      let two = try await fixture.report("reports/license-audit?license_id=\(sale.license.id)&limit=2").data
      #expect(two?["events"]?.array?.texts("event_type") == ["device.reset", "usage.consumed"])
      #expect(two?["truncated"] == true)
      let none = try await fixture.report(
        "reports/license-audit?license_id=\(sale.license.id)&from=2026-03-25T00:00:00Z&to=2026-03-26T00:00:00Z")
      #expect(none.data?["events"]?.array?.isEmpty == true && none.data?["usage"]?["totals"]?["consumed"] == 0)
    }
  }

  @Test("a license in its policy's grace counts as such, in the summary as in every other answer")
  func grace() async throws {
    try await withLicenseServer { fixture in
      let sale = try await Sale.make(fixture)
      try await fixture.setLimits(of: sale.catalog.policy.id) { $0.gracePeriodDays = 3 }
      let made = try await fixture.admin.issue(
        sale.catalog, expiresAt: fixture.clock.now + 60, customer: sale.customer.id)
      for (seconds, status) in [(0.0, "active"), (61, "grace_period"), (3 * 86_400, "expired")] {
        fixture.clock.advance(seconds: seconds)
        let data = try await fixture.report("reports/customer-summary?customer_id=\(sale.customer.id)").data
        let license = try await fixture.admin.getLicense(made.license.id)
        #expect(license.status.rawValue == status)
        let other = status == "active" ? 2 : 1
        #expect(data?["licenses"]?["by_status"]?[status]?.integer == Int64(other), "\(data?["licenses"] ?? .null)")
      }
    }
  }

  @Test("a customer's summary counts what the customer has, and what the customer used adds up")
  func customer() async throws {
    try await withLicenseServer { fixture in
      let sale = try await Sale.make(fixture)
      let ended = try await fixture.admin.issue(
        sale.catalog, expiresAt: fixture.clock.now + 60, customer: sale.customer.id)
      let revoked = try await fixture.admin.issue(sale.catalog, customer: sale.customer.id)
      _ = try await fixture.admin.revokeLicense(revoked.license.id)
      fixture.clock.advance(seconds: 61)
      try await sale.consume(4, fixture)
      try await (Sale.make(fixture)).consume(9, fixture)
      let reply = try await fixture.report("reports/customer-summary?customer_id=\(sale.customer.id)")
      let data = try #require(reply.data)
      #expect(data["customer"]?["code"]?.string == sale.customer.code)
      #expect(data["licenses"] == ["total": 3, "by_status": ["active": 1, "expired": 1, "revoked": 1]])
      #expect(data["orders"] == ["total": 1, "by_status": ["paid": 1]])
      #expect(data["subscriptions"] == ["total": 1, "by_status": ["active": 1]])
      #expect(data["usage"]?["totals"]?["consumed"] == 4)
      #expect(data["usage_by_license"]?.array?.texts("license_id") == [sale.license.id.rawValue])
      let listed = try #require(data["license_list"]?.array)
      #expect(Set(listed.texts("id")) == Set([sale.license.id, ended.license.id, revoked.license.id].map(\.rawValue)))
      for license in listed {
        let id = LicenseID(license["id"]?.string ?? "")
        #expect(license["status"]?.string == (try await fixture.admin.getLicense(id).status.rawValue))
      }
      Self.expectNothingPersonal(reply.text, sale)
    }
  }

  @Test("a settlement tells use and renewals by period, and what lies in no period is told apart")
  func settlement() async throws {
    try await withLicenseServer { fixture in
      let sale = try await Sale.make(fixture)
      let start = fixture.clock.now
      try await sale.consume(3, fixture)
      fixture.clock.advance(days: 30)
      let second = try await fixture.admin.createOrder(
        sale.catalog.product.id,
        OrderCreateRequest(
          customerID: sale.customer.id, subscriptionID: sale.subscription.id, externalSystem: "shop",
          externalID: "second", status: .paid, periodStart: start + 30 * 86_400, periodEnd: start + 60 * 86_400))
      _ = try await fixture.admin.renewLicense(
        sale.license.id, LicenseRenewRequest(expiresAt: start + 63 * 86_400, orderID: second.id), idempotencyKey: "r")
      try await sale.consume(5, fixture)
      fixture.clock.advance(days: 31)
      try await sale.consume(7, fixture)

      let reply = try await fixture.report("reports/subscription-settlement?subscription_id=\(sale.subscription.id)")
      let data = try #require(reply.data)
      let periods = try #require(data["periods"]?.array)
      #expect(periods.texts("start") == ["2026-04-23T00:00:00Z", "2026-03-24T00:00:00Z"])
      #expect(periods.compactMap { $0["consumed"]?.integer } == [5, 3])
      #expect(periods.compactMap { $0["renewals"]?.integer } == [1, 0])
      #expect(periods[0]["order_ids"] == [.string(second.id.rawValue)])
      #expect(periods[0]["groups"]?[0]?["feature_code"] == "api_calls")
      #expect(data["outside_periods"]?["consumed"] == 7)
      #expect(data["totals"] == ["consumed": 15, "uses": 3, "net_change": 15, "renewals": 1])
      #expect(data["licenses"]?.array?.texts("id") == [sale.license.id.rawValue])
      Self.expectNothingPersonal(reply.text, sale)

      let summary = try await fixture.report(
        "reports/usage-summary?from=2026-03-01T00:00:00Z&subscription_id=\(sale.subscription.id)")
      #expect(summary.data?["totals"]?["consumed"] == data["totals"]?["consumed"])
      let byOrder = try await fixture.report(
        "reports/subscription-settlement?order_id=\(sale.order.id)&group_by=license_id"
      ).data
      #expect(byOrder?["order"]?["id"]?.string == sale.order.id.rawValue)
      #expect(byOrder?["periods"]?[0]?["consumed"] == 3 && byOrder?["outside_periods"]?["consumed"] == 12)
      #expect(byOrder?["periods"]?[0]?["groups"]?[0]?["license_id"]?.string == sale.license.id.rawValue)
    }
  }

  @Test("equal spans are one period, and only so many are told of")
  func periods() {
    func day(_ day: Double) -> Date { Date(timeIntervalSince1970: day * 86_400) }
    let periods = SettlementPeriod.periods(
      of: [("a", day(0), day(30)), ("b", day(30), day(60)), ("c", day(0), day(30)), ("", day(60), day(90))], limit: 10)
    #expect(periods.map(\.orders) == [[], ["b"], ["c", "a"]])
    #expect(
      SettlementPeriod.periods(of: [("a", day(0), day(1)), ("b", day(1), day(2))], limit: 1).map(\.orders) == [["b"]])
  }

  @Test("the subject must be named, exactly one, and of this tenant")
  func refusals() async throws {
    try await withLicenseServer { fixture in
      let sale = try await Sale.make(fixture)
      let other = try await fixture.otherTenant()
      for path in [
        "license-audit?license_id=\(sale.license.id)", "customer-summary?customer_id=\(sale.customer.id)",
        "subscription-settlement?subscription_id=\(sale.subscription.id)",
        "subscription-settlement?order_id=\(sale.order.id)",
      ] {
        let reply = try await fixture.send("GET", "/api/v1/reports/\(path)", authorization: other.authorization)
        #expect(reply.status == 404 && reply.code == "NOT_FOUND", "\(path): \(reply.text)")
      }
      for (path, field) in [
        ("license-audit", "license_id"), ("customer-summary", "customer_id"),
        ("subscription-settlement", "subscription_id"),
        ("subscription-settlement?subscription_id=a&order_id=b", "order_id"),
        ("subscription-settlement?subscription_id=a&group_by=x", "group_by"),
        ("license-audit?license_id=a&from=2020-01-01T00:00:00Z", "from"),
        ("customer-summary?customer_id=%00", "customer_id"),
      ] {
        let reply = try await fixture.send("GET", "/api/v1/reports/\(path)")
        #expect(reply.status == 400 && reply.code == "INVALID_QUERY", "\(path): \(reply.text)")
        #expect(reply.detail?.contains(field) == true, "\(path): \(reply.text)")
      }
    }
  }
}
