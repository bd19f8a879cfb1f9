import Foundation
import Identity
import JSON
import LicenseKitAPI
import LicenseKitHTTP
import Postgres
import ServerKit
import StripeAPI
import Tenancy
import Testing

@testable import Purchases
@testable import StripeIntegration

private typealias Event = StripeFixture.Event

@Suite("A changed mapping reaches what was sold before only when it is applied")
struct ApplyTests {
  private func patch(_ backend: Backend, _ changes: JSONValue, mapping: String = "map_prod_once") async throws {
    let reply = try await backend.admin("PATCH", "mappings/\(mapping)?\(backend.named)", changes)
    #expect(reply.status == 200, "\(reply.text)")
  }

  private func dryRun(_ backend: Backend, mapping: String = "map_prod_once") async throws -> [JSONValue] {
    let reply = try await backend.admin("POST", "mappings/\(mapping)/apply?\(backend.named)", ["dry_run": true])
    #expect(reply.status == 200, "\(reply.text)")
    return reply.items
  }

  private func work(_ shop: Shop) async throws {
    let wakeUp = WakeUp()
    try await shop.work([
      .mappingApply: MappingApplyWork(
        database: shop.database, mappings: MappingEditor(database: shop.database, wakeUp: wakeUp), wakeUp: wakeUp,
        clock: { Shop.now })
    ])
  }

  /// Applies for real and settles.
  private func apply(_ backend: Backend, mapping: String = "map_prod_once") async throws -> JSONValue {
    let reply = try await backend.admin("POST", "mappings/\(mapping)/apply?\(backend.named)", ["dry_run": false])
    #expect(reply.status == 202, "\(reply.text)")
    try await work(backend.shop)
    try await backend.shop.settle()
    let id = try #require(reply.data?["id"]?.string)
    return try #require(try await backend.admin("GET", "jobs/\(id)?\(backend.named)").data)
  }

  private func titles(_ backend: Backend, steps: Bool = true) async throws -> [String] {
    let shop = backend.shop
    let purchase = try #require(try await shop.purchases().first?.id)
    return try await shop.database.transaction(for: shop.tenant) { transaction in
      try await FulfillmentReader(tenant: shop.tenant, transaction: transaction).timeline(of: purchase)
        .filter { !steps || ($0.kind == "step" && !$0.title.hasPrefix("Write the LicenseKit ids")) }.map(\.title)
    }
  }

  private func steps(of change: JSONValue) -> [String] { change["steps"]?.array?.compactMap(\.string) ?? [] }

  @Test("the dry run tells the very steps that the real run takes, and writes nothing; a second run changes nothing")
  func sameSteps() async throws {
    try await Backend.open { backend in
      try await backend.sell(quantity: 2)
      let shop = backend.shop
      let feature = try await shop.licenseKit.createFeature(
        shop.product, FeatureCreateRequest(name: "Export", code: "export"))
      try await patch(backend, ["features": [["feature_id": .string(feature.id.rawValue), "max_consumptions": 10]]])
      let before = try await titles(backend)

      // Neither the change nor a look brings it.
      let id = try #require(try await shop.purchases().first?.id)
      _ = try await backend.admin("POST", "fulfillments/\(id)/replay?\(backend.named)")
      try await shop.settle()
      #expect(try await titles(backend) == before)

      let change = try #require(try await dryRun(backend).first)
      #expect(change["outcome"] == "changed" && change["id"]?.string == id.rawValue)
      #expect(steps(of: change).count == 2 && steps(of: change)[0].hasPrefix("Assign feature \(feature.id) with 10"))
      #expect(change["lines"]?.array?.first?["before"]?.string?.contains("a license for each unit") == true)
      #expect(try await titles(backend) == before)
      #expect(try await shop.licenseKit.listLicenseFeatures(shop.licenses()[0].id, limit: 10).isEmpty)

      let job = try await apply(backend)
      #expect(job["state"] == "succeeded" && job["progress"]?["changed"] == 1, "\(job)")
      #expect(Array(try await titles(backend).dropFirst(before.count)) == steps(of: change))
      for license in try await shop.licenses() {
        #expect(try await shop.licenseKit.listLicenseFeatures(license.id, limit: 10).count == 1)
      }
      #expect(try await titles(backend, steps: false).contains { $0.hasPrefix("Mapping map_prod_once was applied") })

      let again = try await apply(backend)
      #expect(again["progress"]?["unchanged"] == 1 && again["progress"]?["changed"] == 0)
      #expect(try await titles(backend).count == before.count + 2)
      #expect(try await dryRun(backend).first?["outcome"] == "unchanged")
    }
  }

  @Test("another policy replaces the license: the new one first, then the old is revoked")
  func policy() async throws {
    try await Backend.open { backend in
      try await backend.sell()
      let shop = backend.shop
      let former = try #require(try await shop.licenses().first)
      let policy = try await shop.licenseKit.createPolicy(
        shop.product, PolicyCreateRequest(name: "Pro", code: "pro", licenseType: .perpetual))
      try await patch(backend, ["licensekit_policy_id": .string(policy.id.rawValue)])
      let before = try await titles(backend).count
      let told = steps(of: try #require(try await dryRun(backend).first))
      #expect(
        told.first?.hasPrefix("Issue a new license") == true && told.contains { $0.hasPrefix("Revoke") }, "\(told)")
      _ = try await apply(backend)
      let done = Array(try await titles(backend).dropFirst(before))
      #expect(done.count == told.count && done.first == told.first)
      let usable = try await shop.usableLicenses()
      #expect(usable.count == 1 && usable.first?.policyID == policy.id)
      #expect(try await shop.licenseKit.getLicense(former.id).status == .revoked)
    }
  }

  @Test("a choice about refunds reaches a sale that was refunded before")
  func refund() async throws {
    try await Backend.open { backend in
      let shop = backend.shop
      try await patch(backend, ["on_full_refund": "keep"])
      try await backend.sell()
      shop.stripe.set("charges/ch_1", StripeFixture.charge(refunded: 4900))
      shop.stripe.setList("refunds", [StripeFixture.refund(4900)])
      try await shop.deliver([
        Event("evt_2", "charge.refunded", at: 1_799_999_900, StripeFixture.charge(refunded: 4900))
      ])
      try await shop.settle()
      #expect(try await shop.usableLicenses().count == 1)
      for (choice, status) in [("suspend", LicenseStatus.suspended), ("keep", .active), ("revoke", .revoked)] {
        try await patch(backend, ["on_full_refund": .string(choice)])
        let told = steps(of: try #require(try await dryRun(backend).first))
        let before = try await titles(backend).count
        _ = try await apply(backend)
        #expect(Array(try await titles(backend).dropFirst(before)) == told, "\(choice)")
        #expect(try await shop.licenses().map(\.status) == [status], "\(choice)")
      }
    }
  }

  @Test("fewer licenses a line, more of them, and a term are applied as they would be sold now")
  func quantity() async throws {
    try await Backend.open { backend in
      let shop = backend.shop
      try await backend.sell(quantity: 3)
      #expect(try await shop.usableLicenses().count == 3)
      for (choice, count) in [("one", 1), ("per_unit", 3)] {
        try await patch(backend, ["quantity": .string(choice)])
        let told = steps(of: try #require(try await dryRun(backend).first))
        let before = try await titles(backend).count
        _ = try await apply(backend)
        #expect(Array(try await titles(backend).dropFirst(before)) == told, "\(choice)")
        #expect(try await shop.usableLicenses().count == count)
      }
      shop.stripe.set(
        "payment_intents/pi_1",
        [
          "id": "pi_1", "object": "payment_intent", "status": "succeeded", "latest_charge": "ch_1", "amount": 4900,
          "created": 1_799_999_000, "metadata": [:],
        ])
      shop.stripe.set("charges/ch_1", StripeFixture.charge())
      try await patch(backend, ["term_days": 1])
      let change = try #require(try await dryRun(backend).first)
      #expect(change["note"]?.string?.hasPrefix("Stripe is asked first for") == true, "\(change)")
      _ = try await apply(backend)
      #expect(try await shop.purchases().map(\.status) == ["fulfilled"])
    }
  }

  @Test("a purchase that a reconciler is at is come back to")
  func busy() async throws {
    try await Backend.open { backend in
      let shop = backend.shop
      try await backend.sell()
      try await patch(backend, ["grace_days": 9])
      let purchase = try #require(try await shop.purchases().first?.id)
      let lease = try #require(try await shop.lease(purchase))
      let reply = try await backend.admin("POST", "mappings/map_prod_once/apply?\(backend.named)", ["dry_run": false])
      let id = JobID(try #require(reply.data?["id"]?.string))
      try await work(shop)
      #expect(try await shop.job(id)?.state == .running)
      try await shop.database.transaction(for: shop.tenant) { transaction in
        try await lease.release(retryAt: nil, attempts: 0, reason: nil, in: transaction)
      }
      try await shop.makeJobsDue()
      try await work(shop)
      let job = try #require(try await shop.job(id))
      #expect(job.state == .succeeded && job.progress["changed"] == 1)
      try await shop.settle()
      #expect(try await dryRun(backend).first?["outcome"] == "unchanged")
    }
  }

  @Test("what a deleted mapping, or one that gives another product, cannot be applied to is said")
  func impossible() async throws {
    try await Backend.open { backend in
      let shop = backend.shop
      try await backend.sell()
      let other = try await shop.licenseKit.createProduct(ProductCreateRequest(name: "Other", code: "other"))
      let policy = try await shop.licenseKit.createPolicy(
        other.id, PolicyCreateRequest(name: "Other", code: "other", licenseType: .perpetual))
      try await patch(
        backend,
        [
          "licensekit_product_id": .string(other.id.rawValue), "licensekit_policy_id": .string(policy.id.rawValue),
        ])
      for isDry in [true, false] {
        let reply = try await backend.admin(
          "POST", "mappings/map_prod_once/apply?\(backend.named)", ["dry_run": .bool(isDry)])
        #expect(reply.status == 409 && reply.code == "MAPPING_PRODUCT_CHANGED", "\(reply.text)")
      }
      #expect(try await backend.admin("DELETE", "mappings/map_prod_once?\(backend.named)").status == 204)
      let deleted = try await backend.admin("POST", "mappings/map_prod_once/apply?\(backend.named)", ["dry_run": true])
      #expect(deleted.status == 409 && deleted.code == "MAPPING_DELETED", "\(deleted.text)")
      #expect(
        try await backend.admin("POST", "mappings/map_none/apply?\(backend.named)", ["dry_run": true]).status == 404)
      #expect(try await backend.admin("POST", "mappings/map_prod_once/apply?\(backend.named)", [:]).status == 422)
    }
  }

  @Test("a mapping that is changed while it is applied is not applied half in each form")
  func changedMeanwhile() async throws {
    try await Backend.open { backend in
      try await backend.sell()
      try await patch(backend, ["grace_days": 9])
      let reply = try await backend.admin("POST", "mappings/map_prod_once/apply?\(backend.named)", ["dry_run": false])
      try await patch(backend, ["grace_days": 10])
      try await work(backend.shop)
      let id = JobID(try #require(reply.data?["id"]?.string))
      let job = try #require(try await backend.shop.job(id))
      #expect(job.state == .failed && job.reason?.contains("changed while") == true, "\(job)")
    }
  }

  @Test("many sales are listed page after page")
  func pages() async throws {
    try await Backend.open { backend in
      let shop = backend.shop
      for number in 1...7 {
        shop.stripe.setList("checkout/sessions/cs_test_\(number)/line_items", [StripeFixture.lineItem(number)])
        try await shop.deliver([
          Event("evt_\(number)", "checkout.session.completed", at: 1_799_999_001, StripeFixture.session(number))
        ])
      }
      try await shop.settle()
      try await patch(backend, ["on_dispute": "keep"])
      var seen: [String] = []
      var cursor: String?
      repeat {
        var body = JSONObject([("dry_run", true), ("limit", 3)])
        body["cursor"] = cursor.map { .string($0) }
        let reply = try await backend.admin("POST", "mappings/map_prod_once/apply?\(backend.named)", .object(body))
        seen += reply.items.compactMap { $0["id"]?.string }
        cursor = reply.next
      } while cursor != nil
      #expect(seen.count == 7 && Set(seen).count == 7)
      let job = try await apply(backend)
      #expect(job["progress"]?["changed"] == 7)
    }
  }
}
