import Foundation
import Identity
import JSON
import LicenseKitAPI
import LicenseKitHTTP
import Postgres
import Testing

@testable import StripeIntegration

@Suite("Mappings through the admin routes")
struct AdminMappingsTests {
  private func body(_ backend: Backend, _ changes: [(String, JSONValue?)] = []) -> JSONValue {
    var object = JSONObject([
      ("account_id", "acct_1"), ("livemode", false), ("stripe_product_id", "prod_new"),
      ("licensekit_product_id", .string(backend.shop.product.rawValue)),
      ("licensekit_policy_id", .string(backend.shop.policies.subscription.rawValue)),
    ])
    for (key, value) in changes { object[key] = value }
    return .object(object)
  }

  @Test(
    "a new mapping is 201 with every default spelled out, the same again is 200, and it can be read, patched, ended")
  func lifeOfAMapping() async throws {
    try await Backend.open { backend in
      let made = try await backend.admin("POST", "mappings", body(backend))
      #expect(made.status == 201)
      let data = try #require(made.data)
      let id = try #require(data["id"]?.string)
      for (field, value) in [
        ("account_id", "acct_1"), ("livemode", false), ("quantity", "one"), ("trial", true), ("grace_days", 3),
        ("term_days", .null), ("seats_feature_id", .null), ("stripe_price_id", .null), ("on_full_refund", "revoke"),
        ("on_dispute", "suspend"), ("on_fraud_warning", "keep"), ("on_pause", "suspend"), ("on_cancel", "expire"),
        ("features", []), ("warning", .null),
      ] as [(String, JSONValue)] { #expect(data[field] == value, "\(field)") }
      #expect(data["created_at"]?.string != nil && data["updated_at"]?.string != nil)

      let again = try await backend.admin("POST", "mappings", body(backend, [("grace_days", 7)]))
      #expect(again.status == 200)
      #expect(again.data?["id"]?.string == id)
      #expect(again.data?["grace_days"] == 7)

      let patched = try await backend.admin(
        "PATCH", "mappings/\(id)?\(backend.named)", ["quantity": "per_unit", "term_days": 30])
      #expect(patched.status == 200)
      #expect(patched.data?["quantity"] == "per_unit")
      #expect(patched.data?["term_days"] == 30)
      #expect(patched.data?["grace_days"] == 7)
      let cleared = try await backend.admin("PATCH", "mappings/\(id)?\(backend.named)", ["term_days": .null])
      #expect(cleared.data?["term_days"] == .null)
      let toPrice = try await backend.admin(
        "PATCH", "mappings/\(id)?\(backend.named)", ["stripe_product_id": .null, "stripe_price_id": "price_9"])
      #expect(toPrice.data?["stripe_price_id"] == "price_9")

      #expect(try await backend.admin("GET", "mappings/\(id)?\(backend.named)").data?["id"]?.string == id)
      #expect(try await backend.admin("DELETE", "mappings/\(id)?\(backend.named)").status == 204)
      #expect(try await backend.admin("DELETE", "mappings/\(id)?\(backend.named)").status == 404)
    }
  }

  @Test("what is wrong with a mapping is named by its field")
  func validation() async throws {
    try await Backend.open { backend in
      let stranger = try await backend.shop.licenseKit.createProduct(ProductCreateRequest(name: "Other", code: "other"))
      let foreignPolicy = try await backend.shop.licenseKit.createPolicy(
        stranger.id, PolicyCreateRequest(name: "P", code: "p", licenseType: .perpetual))
      let foreignFeature = try await backend.shop.licenseKit.createFeature(
        stranger.id, FeatureCreateRequest(name: "F", code: "f"))
      let grant: JSONValue = ["feature_id": .string(foreignFeature.id.rawValue), "max_consumptions": 1]
      for (changes, field) in [
        ([("quantity", "many")], "quantity"), ([("on_cancel", "later")], "on_cancel"),
        ([("on_dispute", "revoke")], "on_dispute"), ([("on_full_refund", "")], "on_full_refund"),
        ([("grace_days", -1)], "grace_days"), ([("term_days", -1)], "term_days"), ([("term_days", 0)], "term_days"),
        ([("quantity", "seats")], "seats_feature_id"),
        ([("seats_feature_id", .string(foreignFeature.id.rawValue)), ("quantity", "seats")], "seats_feature_id"),
        ([("stripe_product_id", nil)], "stripe_product_id"), ([("stripe_price_id", "price_1")], "stripe_price_id"),
        ([("licensekit_product_id", nil)], "licensekit_product_id"),
        ([("licensekit_product_id", "prod_none")], "licensekit_product_id"),
        ([("licensekit_policy_id", nil)], "licensekit_policy_id"),
        ([("licensekit_policy_id", "pol_none")], "licensekit_policy_id"),
        ([("licensekit_policy_id", .string(foreignPolicy.id.rawValue))], "licensekit_policy_id"),
        ([("features", [grant])], "features[0].feature_id"),
        ([("features", [["feature_id": "feat_none"]])], "features[0].feature_id"),
        ([("features", [["feature_id": "a", "max_consumptions": -1]])], "features[0].max_consumptions"),
      ] as [([(String, JSONValue?)], String)] {
        let reply = try await backend.admin("POST", "mappings", body(backend, changes))
        #expect(reply.status == 422, "\(field): \(changes)")
        #expect(reply.code == "VALIDATION_ERROR", "\(field)")
        #expect(reply.detail?.contains(field) == true, "\(field): \(reply.detail ?? "nothing")")
      }
      let unknown = try await backend.admin("POST", "mappings", body(backend, [("colour", "blue")]))
      #expect(unknown.status == 400)
      #expect(unknown.code == "INVALID_JSON")
      #expect(unknown.detail?.contains("colour") == true)
    }
  }

  @Test("a patch cannot make two mappings mean the same")
  func conflict() async throws {
    try await Backend.open { backend in
      let other = try await backend.admin("POST", "mappings", body(backend))
      let id = try #require(other.data?["id"]?.string)
      let reply = try await backend.admin(
        "PATCH", "mappings/\(id)?\(backend.named)", ["stripe_product_id": "prod_once"])
      #expect(reply.status == 409)
    }
  }

  @Test("a sale without a mapping waits, and is fulfilled when its mapping appears")
  func healsWaitingSales() async throws {
    try await Backend.open(mapped: false) { backend in
      try await backend.sell()
      let waiting = try await backend.admin("GET", "fulfillments?\(backend.named)&status=waiting_mapping")
      #expect(waiting.items.count == 1)
      #expect(waiting.items.first?["lines"]?.array?.first?["stripe_product_id"] == "prod_once")
      let made = try await backend.admin(
        "POST", "mappings",
        body(
          backend,
          [
            ("stripe_product_id", "prod_once"),
            ("licensekit_policy_id", .string(backend.shop.policies.perpetual.rawValue)),
          ]))
      #expect(made.status == 201)
      try await backend.shop.settle()
      let done = try await backend.admin("GET", "fulfillments?\(backend.named)&status=fulfilled")
      #expect(done.items.count == 1)
    }
  }

  @Test("the catalogue says of each product and price whether it is mapped, and by what")
  func catalog() async throws {
    try await Backend.open { backend in
      func price(_ id: String, _ product: String) -> JSONValue {
        [
          "id": .string(id), "object": "price", "product": .string(product), "type": "one_time", "active": true,
          "unit_amount": 4900, "currency": "eur",
        ]
      }
      backend.shop.stripe.setList(
        "products",
        [
          ["id": "prod_once", "object": "product", "name": "Editor", "active": true],
          ["id": "prod_new", "object": "product", "name": "New", "active": true],
        ])
      backend.shop.stripe.setList(
        "prices", [price("price_1", "prod_once"), price("price_2", "prod_new"), price("price_3", "prod_new")])
      let mapped = try await backend.admin(
        "POST", "mappings", body(backend, [("stripe_product_id", nil), ("stripe_price_id", "price_2")]))
      #expect(mapped.status == 201)
      let reply = try await backend.admin("GET", "catalog?\(backend.named)")
      #expect(reply.status == 200)
      #expect(reply.items.map { $0["mapping"]?["state"]?.string } == ["mapped_by_product", "unmapped"])
      let prices = reply.items.flatMap { $0["prices"]?.array ?? [] }
      #expect(
        prices.map { $0["mapping"]?["state"]?.string } == ["mapped_by_product", "mapped_by_price", "unmapped"])

      let kit = try await backend.admin("GET", "licensekit/catalog?\(backend.named)")
      #expect(kit.items.first?["policies"]?.array?.count == 2)
    }
  }
}
