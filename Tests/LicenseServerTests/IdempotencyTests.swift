import Foundation
import Identity
import JSON
import LicenseKitAPI
import LicenseKitHTTP
import LicenseServer
import Postgres
import TestSupport
import Testing

@Suite("Idempotency keys")
struct IdempotencyTests {
  @Test("the same renewal again gets the same bytes and changes nothing; another body under the key is refused")
  func renewal() async throws {
    try await withLicenseServer { fixture in
      let license = try await fixture.admin.issue(fixture.admin.makeCatalog(), expiresAt: fixture.clock.now + 86_400)
        .license
      func renew(_ body: String) async throws -> Reply {
        try await fixture.send(
          "POST", "/api/v1/licenses/\(license.id)/renew", body, headers: [("Idempotency-Key", "in_1")])
      }
      let first = try await renew(#"{"extend_by_days":30}"#)
      fixture.clock.advance(days: 89)
      let second = try await renew(#"{ "extend_by_days" : 30 }"#)
      #expect(second.status == 200)
      #expect(second.rawData(before: "meta") == first.rawData(before: "meta"))
      let other = try await renew(#"{"extend_by_days":31}"#)
      #expect(other.status == 409)
      #expect(other.code == "IDEMPOTENCY_CONFLICT")
      #expect(try await fixture.admin.getLicense(license.id).expiresAt == license.expiresAt.map { $0 + 30 * 86_400 })
    }
  }

  @Test("an activation replayed gives the stored data and signature, even after the license was suspended")
  func activation() async throws {
    try await withLicenseServer { fixture in
      let made = try await fixture.admin.issue(fixture.admin.makeCatalog())
      let first = try await fixture.runtime("activate", key: made.licenseKey, idempotencyKey: "k")
      fixture.clock.advance(seconds: 60)
      _ = try await fixture.admin.suspendLicense(made.license.id)
      let second = try await fixture.runtime("activate", key: made.licenseKey, idempotencyKey: "k")
      #expect(second.rawData(before: "meta") == first.rawData(before: "meta"))
      let other = try await fixture.runtime(
        "activate", key: made.licenseKey, #"{"fingerprint":"x"}"#, idempotencyKey: "k")
      #expect(other.code == "IDEMPOTENCY_CONFLICT")
      let none = try await fixture.runtime("activate", key: made.licenseKey)
      #expect(none.status == 400)
      #expect(none.code == "IDEMPOTENCY_KEY_REQUIRED")
    }
  }

  @Test("twenty creations at once under one key make one license, and all get its key; a day later the key is free")
  func creation() async throws {
    try await withLicenseServer { fixture in
      let catalog = try await fixture.admin.makeCatalog()
      let body = LicenseCreateRequest(productID: catalog.product.id, policyID: catalog.policy.id)
      let keys = try await withThrowingTaskGroup(of: String.self) { group in
        for _ in 0..<20 {
          group.addTask { try await fixture.admin.createLicense(body, idempotencyKey: "unit-1").licenseKey }
        }
        return try await group.reduce(into: Set()) { $0.insert($1) }
      }
      #expect(keys.count == 1)
      #expect(try await fixture.admin.listLicenses(LicenseFilter()).count == 1)
      let raw = try #require(keys.first)
      let readable = try await fixture.database.client.query(
        "SELECT count(*) AS n FROM license_server.idempotency_records WHERE position(convert_to(\(raw), 'UTF8') IN answer) > 0"
      )
      #expect(try readable.first?.get("n", as: Int.self) == 0, "the kept answer is sealed")
      let other = await failure {
        var changed = body
        changed.customerName = "Bob"
        _ = try await fixture.admin.createLicense(changed, idempotencyKey: "unit-1")
      }
      #expect(other?.code == "IDEMPOTENCY_CONFLICT")
      #expect(other?.retry == .no)
      fixture.clock.advance(days: 2)
      #expect(try await fixture.admin.createLicense(body, idempotencyKey: "unit-1").licenseKey != raw)
    }
  }

  @Test("a transfer counts once, and moves the owner")
  func transfer() async throws {
    try await withLicenseServer { fixture in
      let customer = try await fixture.admin.createCustomer(CustomerCreateRequest(name: "Ada", code: "ada"))
      let license = try await fixture.admin.issue(fixture.admin.makeCatalog(), customer: customer.id).license
      let body = LicenseTransferRequest(customerID: "", customerEmail: "bob@example.com")
      for _ in 1...2 {
        let moved = try await fixture.admin.transferLicense(license.id, body, idempotencyKey: "t")
        #expect(moved.customerID == nil)
        #expect(moved.customerEmail == "bob@example.com")
        #expect(moved.timesTransferred == 1)
      }
      let nothing = await failure {
        _ = try await fixture.admin.transferLicense(
          license.id, LicenseTransferRequest(resetDevices: false), idempotencyKey: "u")
      }
      #expect(nothing?.status == 422)
    }
  }
}
