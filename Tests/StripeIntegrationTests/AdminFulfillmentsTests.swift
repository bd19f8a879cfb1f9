import Foundation
import Identity
import JSON
import LicenseKitAPI
import Postgres
import Purchases
import Testing

@testable import StripeIntegration
@testable import Tenancy

@Suite("Fulfillments and events through the admin routes")
struct AdminFulfillmentsTests {
  @Test("a sale is shown with what was sold, what was given for it, and its story")
  func showsASale() async throws {
    try await Backend.open { backend in
      try await backend.sell(quantity: 2)
      for object in ["cs_test_1", "pi_1", "cus_1"] {
        let listed = try await backend.admin("GET", "fulfillments?\(backend.named)&object=\(object)")
        #expect(listed.items.count == 1, "\(object)")
      }
      let one = try #require(try await backend.admin("GET", "fulfillments?\(backend.named)").items.first)
      let id = try #require(one["id"]?.string)
      #expect(id.hasPrefix("ful_"))
      #expect(one["account_id"] == "acct_1")
      #expect(one["status"] == "fulfilled")
      #expect(one["reason"] == .null)
      #expect(one["purchase"]?["kind"] == "checkout")
      #expect(one["purchase"]?["stripe_id"] == "cs_test_1")
      #expect(one["purchase"]?["aliases"]?.array?.contains("pi_1") == true)
      #expect(one["customer"]?["stripe_id"] == "cus_1")
      #expect(one["customer"]?["licensekit_id"]?.string != nil)
      let line = try #require(one["lines"]?.array?.first)
      #expect(line["stripe_line_id"] == "li_1")
      #expect(line["stripe_price_id"] == "price_of_prod_once")
      #expect(line["stripe_product_id"] == "prod_once")
      #expect(line["quantity"] == 2)
      #expect(line["mapping_id"] == "map_prod_once")
      #expect(line["licensekit_order_id"]?.string != nil)
      #expect(line["licensekit_subscription_id"] == .null)
      let licenses = try #require(line["licenses"]?.array)
      #expect(licenses.map { $0["ordinal"] } == [1, 2])
      #expect(licenses.allSatisfy { $0["status"] == "active" && $0["key_hint"]?.string != nil })
      #expect(one["timeline"] == nil)

      let alone = try await backend.admin("GET", "fulfillments/\(id)?\(backend.named)")
      let story = try #require(alone.data?["timeline"]?.array)
      let kinds = Set(story.compactMap { $0["kind"]?.string })
      #expect(kinds.isSuperset(of: ["event", "decision", "step"]))
      #expect(try await backend.admin("GET", "fulfillments/ful_none?\(backend.named)").status == 404)
    }
  }

  @Test("a key is shown on request only, and who saw it is on record")
  func reveals() async throws {
    try await Backend.open { backend in
      try await backend.sell()
      let listed = try await backend.admin("GET", "fulfillments?\(backend.named)")
      let id = try #require(listed.items.first?["id"]?.string)
      let license = try #require(try await backend.shop.licenses().first?.id)
      let key = try #require(try await backend.shop.key(of: license))
      #expect(!listed.text.contains(key))
      let token = try await backend.token(of: backend.shop.tenant, name: "support")
      let revealed = try await backend.admin("POST", "fulfillments/\(id)/licenses/\(license)/reveal", token: token)
      #expect(revealed.data?["license_key"]?.string == key)
      let entry = try #require(try await backend.admin("GET", "audit", token: token).items.first)
      #expect(entry["action"] == "license.reveal")
      #expect(entry["actor"] == "token:support")
      #expect(entry["target"]?.string == license.rawValue)
      #expect(entry["request_id"] == revealed.json?["meta"]?["request_id"])
      let foreign = try await backend.admin("POST", "fulfillments/\(id)/licenses/lic_none/reveal", token: token)
      #expect(foreign.status == 404)
      #expect(try await backend.admin("GET", "audit", token: token).items.count == 2)
    }
  }

  @Test("a cursor walks 120 fulfillments, each once, newest first, while new ones arrive")
  func walks() async throws {
    try await Backend.open { backend in
      for part in 0..<3 { try await backend.addPurchases(part * 40..<(part + 1) * 40) }
      var seen: [String] = []
      var cursor: String?
      repeat {
        let tail = cursor.map { "&cursor=\($0)" } ?? ""
        let page = try await backend.admin("GET", "fulfillments?\(backend.named)&limit=7\(tail)")
        #expect(page.status == 200)
        seen += page.items.compactMap { $0["id"]?.string }
        if cursor == nil { try await backend.addPurchases(500..<503) }
        cursor = page.next
      } while cursor != nil
      #expect(seen.count == 120)
      #expect(Set(seen).count == 120)
      let pending = try await backend.admin("GET", "fulfillments?\(backend.named)&status=pending&limit=100")
      #expect(pending.items.count == 100)
      #expect(pending.next != nil)
      for (query, field) in [
        ("limit=0", "limit"), ("limit=101", "limit"), ("cursor=nonsense", "cursor"), ("status=odd", "status"),
      ] {
        let reply = try await backend.admin("GET", "fulfillments?\(backend.named)&\(query)")
        #expect(reply.status == 400)
        #expect(reply.detail?.hasPrefix(field) == true, "\(query)")
      }
    }
  }

  @Test("purchases that were found to be one are reached by either id")
  func followsMerges() async throws {
    try await Backend.open { backend in
      let ids = try await backend.shop.database.transaction(for: backend.shop.tenant) { transaction in
        let index = PurchaseIndex(tenant: backend.shop.tenant, transaction: transaction)
        try await TenantLock.take(index.tenant, in: index.transaction)
        let first = try await index.purchase(of: ["pi_7"], creating: true)
        let second = try await index.purchase(of: ["cs_test_7"], creating: true)
        let kept = try await index.purchase(of: ["pi_7", "cs_test_7"], creating: true)
        return [first, second, kept].compactMap { $0?.rawValue }
      }
      for id in ids.prefix(2) {
        let reply = try await backend.admin("GET", "fulfillments/\(id)?\(backend.named)")
        #expect(reply.data?["id"]?.string == ids.last)
      }
      #expect(try await backend.admin("GET", "fulfillments?\(backend.named)").items.count == 1)
    }
  }

  @Test("a fulfillment is replayed: it is due again, and it says who asked")
  func replaysAFulfillment() async throws {
    try await Backend.open { backend in
      try await backend.sell()
      let id = try #require(try await backend.admin("GET", "fulfillments?\(backend.named)").items.first?["id"]?.string)
      let reply = try await backend.admin("POST", "fulfillments/\(id)/replay?\(backend.named)")
      #expect(reply.status == 200)
      #expect(reply.data?["next_look_at"]?.string != nil)
      #expect(reply.data?["timeline"]?.array?.last?["detail"] == "operator")
      try await backend.shop.settle()
      #expect(try await backend.shop.licenses().count == 1)
    }
  }

  @Test("events are listed with what came of them, and one is routed again on request")
  func replaysAnEvent() async throws {
    try await Backend.open { backend in
      try await backend.sell()
      let listed = try await backend.admin("GET", "events?\(backend.named)&type=checkout.session.completed&state=done")
      #expect(listed.items.map { $0["id"] } == ["evt_1"])
      #expect(listed.items.first?["outcome"]?.string?.contains("ful_") == true)
      #expect(try await backend.admin("GET", "events?\(backend.named)&state=failed").items.isEmpty)
      #expect(try await backend.admin("GET", "events?\(backend.named)&state=odd").status == 400)
      let reply = try await backend.admin("POST", "events/evt_1/replay?\(backend.named)")
      #expect(reply.data?["state"] == "new")
      try await backend.shop.settle()
      let after = try await backend.admin("GET", "events/evt_1?\(backend.named)")
      #expect(after.data?["state"] == "done")
      #expect(after.data?["attempts"] == 2)
      #expect(try await backend.shop.licenses().count == 1)
    }
  }

  @Test("a connection is let go on, and gets a LicenseKit of its own")
  func mendsAConnection() async throws {
    try await Backend.open { backend in
      try await backend.connections.block(backend.shop.tenant, .licensekitCredential, detail: "401")
      let parked = try await backend.admin("GET", "connections?parked=true")
      #expect(parked.items.map { $0["parked_reason"] } == ["licensekit_credential"])
      let token = try await backend.token(of: backend.shop.tenant)
      for (body, field) in [
        (["base_url": "https://kit.example.com"], "token"),
        (["base_url": "http://127.0.0.1:1", "token": "t"], "base_url"),
        (["base_url": "ftp://kit.example.com", "token": "t"], "base_url"),
      ] as [(JSONValue, String)] {
        let reply = try await backend.admin("PUT", "connections/licensekit", body, token: token)
        #expect(reply.status == 422)
        #expect(reply.detail?.hasPrefix(field) == true)
      }
      let set = try await backend.admin(
        "PUT", "connections/licensekit", ["base_url": "https://kit.example.com/", "token": "lkm_vendor"], token: token)
      #expect(set.status == 200)
      #expect(set.data?["licensekit_base_url"] == "https://kit.example.com")
      #expect(set.data?["parked_reason"] == .null)
      #expect(!set.text.contains("lkm_vendor"))
      try await backend.connections.block(backend.shop.tenant, .stripePermission, detail: "403")
      let moved = try await backend.admin("POST", "connections/unpark", token: token)
      #expect(moved.data?["parked_reason"] == .null)
    }
  }
}
