import Foundation
import HTTPTransport
import Identity
import JSON
import LicenseKitAPI
import LicenseKitHTTP
import Testing

@Suite("The contract beyond its tables")
struct ContractTests {
  @Test("an order's subscription becomes the license's, and ids carry their kind in front")
  func inferredSubscription() async throws {
    try await withLicenseServer { fixture in
      let catalog = try await fixture.admin.makeCatalog()
      let subscription = try await fixture.admin.createSubscription(
        catalog.product.id,
        SubscriptionCreateRequest(
          externalSystem: "shop", externalID: "s", status: .active, currentPeriodStart: fixture.clock.now,
          currentPeriodEnd: fixture.clock.now + 86_400))
      let order = try await fixture.admin.createOrder(
        catalog.product.id,
        OrderCreateRequest(subscriptionID: subscription.id, externalSystem: "shop", externalID: "o", status: .paid))
      let made = try await fixture.admin.createLicense(
        LicenseCreateRequest(productID: catalog.product.id, policyID: catalog.policy.id, orderID: order.id),
        idempotencyKey: nil)
      #expect(made.license.subscriptionID == subscription.id)
      #expect(made.licenseKey.hasPrefix("lsk_"))
      #expect(made.licenseKey.hasSuffix(made.license.licenseKeyLast4))
      let ids = [
        catalog.product.id.rawValue, catalog.policy.id.rawValue, catalog.feature.id.rawValue, subscription.id.rawValue,
        order.id.rawValue, made.license.id.rawValue,
      ]
      #expect(ids.map { String($0.prefix(while: { $0 != "_" })) } == ["prod", "pol", "feat", "sub", "ord", "lic"])
    }
  }

  @Test("what something else refers to cannot be deleted")
  func references() async throws {
    try await withLicenseServer { fixture in
      let catalog = try await fixture.admin.makeCatalog()
      let customer = try await fixture.admin.createCustomer(CustomerCreateRequest(name: "Ada", code: "ada"))
      _ = try await fixture.admin.issue(catalog, customer: customer.id)
      for path in ["products/\(catalog.product.id)", "policies/\(catalog.policy.id)", "customers/\(customer.id)"] {
        let reply = try await fixture.send("DELETE", "/api/v1/\(path)")
        #expect(reply.status == 409, "\(path): \(reply.text)")
        #expect(reply.code == "CONFLICT")
      }
    }
  }

  /// Method, path, body; status, code, and what the detail names.
  static let refusals: [(String, String, String?, Int, String, String)] = [
    ("POST", "/api/v1/products", #"{"name":"A","code":"a","colour":"red"}"#, 400, "INVALID_JSON", "colour"),
    ("POST", "/api/v1/products", #"{"name":"A"}"#, 422, "VALIDATION_ERROR", "code"),
    ("POST", "/api/v1/products", #"{"name":"A","code":7}"#, 400, "INVALID_JSON", "code"),
    ("POST", "/api/v1/products", #"{"name":" ","code":"a"}"#, 422, "VALIDATION_ERROR", "name"),
    ("POST", "/api/v1/products", #"{"name":"#, 400, "INVALID_JSON", ""),
    ("POST", "/api/v1/products", "{\"name\":\"A\\u0000\",\"code\":\"a\"}", 422, "VALIDATION_ERROR", "name"),
    ("POST", "/api/v1/products/{product}/features", #"{"name":"A","code":"é"}"#, 422, "VALIDATION_ERROR", "code"),
    (
      "POST", "/api/v1/products/{product}/policies", #"{"name":"A","code":"a","license_type":"free"}"#, 422,
      "VALIDATION_ERROR", "license_type"
    ),
    (
      "POST", "/api/v1/products/{product}/orders",
      #"{"external_system":"s","external_id":"1","status":"paid","period_start":"2026-01-01T00:00:00Z"}"#, 422,
      "VALIDATION_ERROR", "period_end"
    ),
    (
      "POST", "/api/v1/products/{product}/subscriptions",
      #"{"external_system":"s","external_id":"1","status":"active","current_period_start":"2026-01-01T00:00:00Z","current_period_end":"2026-02-01T00:00:00Z","canceled_at":"2026-01-01T00:00:00Z"}"#,
      422, "VALIDATION_ERROR", "canceled_at"
    ),
    ("POST", "/api/v1/products/prod_none/features", #"{"name":"A","code":"a"}"#, 404, "NOT_FOUND", "product"),
    ("GET", "/api/v1/products/a%2Fb", nil, 404, "NOT_FOUND", ""),
    ("GET", "/api/v1/products?limit=0", nil, 400, "INVALID_QUERY", "limit"),
    ("GET", "/api/v1/licenses?status=dead", nil, 400, "INVALID_QUERY", "status"),
    ("GET", "/api/v1/licenses?expires_before=soon", nil, 400, "INVALID_QUERY", "expires_before"),
    ("GET", "/api/v1/events?cursor=0", nil, 400, "INVALID_QUERY", "cursor"),
    (
      "POST", "/api/v1/licenses/lic_none/renew", #"{"extend_by_days":1}"#, 400, "IDEMPOTENCY_KEY_REQUIRED",
      "Idempotency-Key"
    ),
    ("POST", "/api/v1/licenses/lic_none/suspend", nil, 404, "NOT_FOUND", "license"),
    ("GET", "/api/v1/licenses/lic_none/devices", nil, 404, "NOT_FOUND", "license"),
    (
      "POST", "/api/v1/api-keys", #"{"name":"k","allowed_cidrs":["10.0.0.0/33"]}"#, 422, "VALIDATION_ERROR",
      "allowed_cidrs[0]"
    ),
    ("POST", "/api/v1/api-keys", #"{"name":"k","scopes":["root"]}"#, 422, "VALIDATION_ERROR", "scopes[0]"),
    ("PUT", "/api/v1/products", nil, 405, "METHOD_NOT_ALLOWED", ""),
  ]

  @Test("what is wrong with a request is said by its status, its code and the field")
  func errors() async throws {
    try await withLicenseServer { fixture in
      let product = try await fixture.admin.createProduct(ProductCreateRequest(name: "P", code: "p"))
      for (method, path, body, status, code, field) in Self.refusals {
        let reply = try await fixture.send(method, path.replacing("{product}", with: product.id.rawValue), body)
        #expect(reply.status == status, "\(method) \(path): \(reply.text)")
        #expect(reply.code == code, "\(method) \(path): \(reply.text)")
        #expect(field.isEmpty || reply.detail?.contains(field) == true, "\(method) \(path): \(reply.text)")
        #expect(reply.json?["error"]?["message"]?.string != nil)
        #expect(reply.json?["meta"]?["timestamp"]?.string != nil)
      }
    }
  }

  @Test("lists of an unknown parent are empty, and the newest comes first")
  func lists() async throws {
    try await withLicenseServer { fixture in
      #expect(try await fixture.admin.listPoliciesByProduct("prod_none", limit: nil).isEmpty)
      #expect(try await fixture.admin.listLicenseFeatures("lic_none", limit: nil).isEmpty)
      for number in 1...3 {
        _ = try await fixture.admin.createProduct(ProductCreateRequest(name: "P\(number)", code: "p\(number)"))
        try await Task.sleep(for: .milliseconds(2))  // ids are ordered by the millisecond
      }
      #expect(try await fixture.admin.listProducts(limit: 2).map(\.name) == ["P3", "P2"])
    }
  }

  @Test("the audit trail is paged downward by sequence and can be narrowed")
  func events() async throws {
    try await withLicenseServer { fixture in
      let catalog = try await fixture.admin.makeCatalog()
      let license = try await fixture.admin.issue(catalog).license
      _ = try await fixture.admin.suspendLicense(license.id)
      var types: [String] = []
      var cursor: Int64?
      repeat {
        let page = try await fixture.admin.listEvents(EventFilter(cursor: cursor, limit: 2))
        types += page.events.map(\.eventType)
        cursor = page.nextCursor
      } while cursor != nil
      #expect(
        types == ["license.suspended", "license.created", "feature.created", "policy.created", "product.created"])
      let own = try await fixture.admin.listEvents(
        EventFilter(resourceType: "license", resourceID: license.id.rawValue, actorType: .apiKey))
      #expect(own.events.map(\.eventType) == ["license.suspended", "license.created"])
      #expect(own.nextCursor == nil)
    }
  }
}
