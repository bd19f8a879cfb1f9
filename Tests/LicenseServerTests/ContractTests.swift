import Foundation
import HTTPTransport
import Identity
import JSON
import LicenseKitAPI
import Testing

@Suite("The contract, operation by operation")
struct ContractTests {
  /// Members in the order of the schema; those with a question mark may be missing.
  static let schemas: [String: String] = [
    "Product": "id name code metadata created_at updated_at",
    "ProductVersion": "id product_id version released_at metadata created_at updated_at",
    "Policy":
      "id product_id name code license_type max_activations max_floating_users? max_container_instances? floating_timeout_minutes grace_period_days validation_interval_minutes require_heartbeat allow_offline_activation offline_grace_days allow_vm allow_container max_transfers metadata created_at updated_at",
    "Feature": "id product_id code name metadata created_at",
    "Customer": "id name code email? metadata created_at updated_at",
    "License":
      "id product_id policy_id customer_id? order_id? subscription_id? status license_key_prefix license_key_last4 customer_email? customer_name? active_device_count times_activated times_transferred total_consumptions entitlement_version starts_at? expires_at? maintenance_expires_at? metadata created_at updated_at",
    "LicenseCreateResponse": "license license_key",
    "LicenseFeature":
      "license_id feature_id feature_code feature_name enabled max_consumptions? total_consumptions remaining? expires_at? metadata",
    "Device":
      "id license_id binding_kind binding_key fingerprint? hostname? os? ip_address? is_vm is_container container_id? cluster_id? namespace? pod_name? status first_seen_at last_seen_at last_validated_at? metadata created_at updated_at",
    "Subscription":
      "id product_id customer_id? external_system external_id status current_period_start current_period_end cancel_at_period_end canceled_at? metadata created_at updated_at",
    "Order":
      "id product_id customer_id? subscription_id? external_system external_id status period_start? period_end? metadata created_at updated_at",
    "APIKey": "id name key_prefix scopes allowed_cidrs is_active expires_at? last_used_at? created_at",
    "APIKeyCreateResponse": "api_key token",
    "Event":
      "sequence event_type actor_type actor_id resource_type resource_id? metadata ip_address? created_at",
    "PublicKey": "kid algorithm public_key status created_at",
    "Entitlement":
      "license_id status license_type entitlement_version issued_at next_check_at expires_at? device_id features version_eligibility?",
    "Deactivation": "license_id status license_type entitlement_version issued_at device_id expires_at?",
    "HealthData": "status",
    "ReadyData": "status db",
  ]

  /// One operation: what is sent and what must come back. `{name}` stands for what an earlier answer put there.
  struct Row {
    var operation: String
    var method: String
    var path: String
    var body: String?
    var status: Int
    /// The schema of `data`; in brackets for a list; nil for no body.
    var schema: String?
    /// Where to keep the id of the answer.
    var keep: String?

    init(
      _ operation: String, _ method: String, _ path: String, _ body: String? = nil, _ status: Int, _ schema: String?,
      keep: String? = nil
    ) {
      (self.operation, self.method, self.path, self.body) = (operation, method, path, body)
      (self.status, self.schema, self.keep) = (status, schema, keep)
    }
  }

  static let rows: [Row] = [
    Row("health", "GET", "/health", nil, 200, "HealthData"),
    Row("healthz", "GET", "/healthz", nil, 200, "HealthData"),
    Row("readyz", "GET", "/readyz", nil, 200, "ReadyData"),
    Row("listPublicKeys", "GET", "/api/v1/system/public-keys", nil, 200, "[PublicKey]"),
    Row(
      "createProduct", "POST", "/api/v1/products", #"{"name":"Editor","code":"editor","metadata":{"b":1,"a":[]}}"#, 201,
      "Product", keep: "product"),
    Row("listProducts", "GET", "/api/v1/products?limit=1000", nil, 200, "[Product]"),
    Row("getProduct", "GET", "/api/v1/products/{product}", nil, 200, "Product"),
    Row("updateProduct", "PATCH", "/api/v1/products/{product}", #"{"name":"Editor 2"}"#, 200, "Product"),
    Row(
      "createPolicy", "POST", "/api/v1/products/{product}/policies",
      #"{"name":"Pro","code":"pro","license_type":"subscription","max_floating_users":0,"floating_timeout_minutes":1}"#,
      201,
      "Policy", keep: "policy"),
    Row("listPoliciesByProduct", "GET", "/api/v1/products/{product}/policies", nil, 200, "[Policy]"),
    Row("getPolicy", "GET", "/api/v1/policies/{policy}", nil, 200, "Policy"),
    Row("updatePolicy", "PATCH", "/api/v1/policies/{policy}", #"{"require_heartbeat":true}"#, 200, "Policy"),
    Row(
      "createFeature", "POST", "/api/v1/products/{product}/features", #"{"name":"Calls","code":"api_calls"}"#, 201,
      "Feature", keep: "feature"),
    Row("listFeaturesByProduct", "GET", "/api/v1/products/{product}/features", nil, 200, "[Feature]"),
    Row("getFeature", "GET", "/api/v1/features/{feature}", nil, 200, "Feature"),
    Row(
      "createProductVersion", "POST", "/api/v1/products/{product}/versions",
      #"{"version":"1.4.0","released_at":"2026-01-01T01:00:00.5+01:00"}"#, 201, "ProductVersion"),
    Row("listProductVersions", "GET", "/api/v1/products/{product}/versions", nil, 200, "[ProductVersion]"),
    Row(
      "createCustomer", "POST", "/api/v1/customers", #"{"name":"Ada","code":"ada","email":"ada@example.com"}"#, 201,
      "Customer", keep: "customer"),
    Row("listCustomers", "GET", "/api/v1/customers", nil, 200, "[Customer]"),
    Row("getCustomer", "GET", "/api/v1/customers/{customer}", nil, 200, "Customer"),
    Row("updateCustomer", "PATCH", "/api/v1/customers/{customer}", #"{"email":""}"#, 200, "Customer"),
    Row(
      "createSubscription", "POST", "/api/v1/products/{product}/subscriptions",
      #"{"customer_id":"{customer}","external_system":"shop","external_id":"s1","status":"active","current_period_start":"2026-03-24T00:00:00Z","current_period_end":"2026-04-24T00:00:00Z"}"#,
      201, "Subscription", keep: "subscription"),
    Row("listProductSubscriptions", "GET", "/api/v1/products/{product}/subscriptions", nil, 200, "[Subscription]"),
    Row("getSubscription", "GET", "/api/v1/subscriptions/{subscription}", nil, 200, "Subscription"),
    Row(
      "updateSubscription", "PATCH", "/api/v1/subscriptions/{subscription}",
      #"{"status":"canceled","canceled_at":"2026-03-25T00:00:00Z"}"#, 200, "Subscription"),
    Row(
      "createOrder", "POST", "/api/v1/products/{product}/orders",
      #"{"customer_id":"{customer}","subscription_id":"{subscription}","external_system":"shop","external_id":"o1","status":"paid"}"#,
      201, "Order", keep: "order"),
    Row("listProductOrders", "GET", "/api/v1/products/{product}/orders", nil, 200, "[Order]"),
    Row("getOrder", "GET", "/api/v1/orders/{order}", nil, 200, "Order"),
    Row("updateOrder", "PATCH", "/api/v1/orders/{order}", #"{"status":"fulfilled"}"#, 200, "Order"),
    Row(
      "createLicense", "POST", "/api/v1/licenses",
      #"{"product_id":"{product}","policy_id":"{policy}","customer_id":"{customer}","order_id":"{order}","customer_email":"ada@example.com","starts_at":"2026-03-24T00:00:00Z","expires_at":"2026-04-24T00:00:00Z"}"#,
      201, "LicenseCreateResponse", keep: "license"),
    Row("listLicenses", "GET", "/api/v1/licenses?order_id={order}&status=active", nil, 200, "[License]"),
    Row("getLicense", "GET", "/api/v1/licenses/{license}", nil, 200, "License"),
    Row(
      "assignLicenseFeature", "POST", "/api/v1/licenses/{license}/features",
      #"{"feature_id":"{feature}","max_consumptions":1000}"#, 200, "LicenseFeature"),
    Row(
      "activateLicense", "POST", "/api/v1/license/activate", #"{"fingerprint":"m1","app_version":"1.4.0"}"#, 200,
      "Entitlement", keep: "device"),
    Row("validateLicense", "POST", "/api/v1/license/validate", #"{"fingerprint":"m1"}"#, 200, "Entitlement"),
    Row("checkLicense", "POST", "/api/v1/license/check", #"{"fingerprint":"m1"}"#, 200, "Entitlement"),
    Row(
      "consumeLicense", "POST", "/api/v1/license/consume",
      #"{"fingerprint":"m1","feature_code":"api_calls","amount":3,"event_id":"e1"}"#, 200, "Entitlement"),
    Row("listLicenseFeatures", "GET", "/api/v1/licenses/{license}/features", nil, 200, "[LicenseFeature]"),
    Row(
      "resetLicenseUsage", "POST", "/api/v1/licenses/{license}/usage/reset",
      #"{"feature_code":"api_calls","reset_consumed":true,"add_credits":5}"#, 200, "LicenseFeature"),
    Row("listLicenseDevices", "GET", "/api/v1/licenses/{license}/devices", nil, 200, "[Device]"),
    Row("getLicenseDevice", "GET", "/api/v1/licenses/{license}/devices/{device}", nil, 200, "Device"),
    Row("deactivateLicense", "POST", "/api/v1/license/deactivate", #"{"fingerprint":"m1"}"#, 200, "Deactivation"),
    Row("resetLicenseDevice", "POST", "/api/v1/licenses/{license}/devices/{device}/reset", nil, 200, "Device"),
    Row("blacklistLicenseDevice", "POST", "/api/v1/licenses/{license}/devices/{device}/blacklist", nil, 200, "Device"),
    Row(
      "removeLicenseFeature", "DELETE", "/api/v1/licenses/{license}/features/{feature}", nil, 204, nil),
    Row("renewLicense", "POST", "/api/v1/licenses/{license}/renew", #"{"extend_by_days":30}"#, 200, "License"),
    Row(
      "transferLicense", "POST", "/api/v1/licenses/{license}/transfer", #"{"customer_id":"","reset_devices":true}"#,
      200,
      "License"),
    Row("suspendLicense", "POST", "/api/v1/licenses/{license}/suspend", nil, 200, "License"),
    Row("reinstateLicense", "POST", "/api/v1/licenses/{license}/reinstate", nil, 200, "License"),
    Row("revokeLicense", "POST", "/api/v1/licenses/{license}/revoke", nil, 200, "License"),
    Row(
      "createAPIKey", "POST", "/api/v1/api-keys", #"{"name":"ci","scopes":["product:read"]}"#, 201,
      "APIKeyCreateResponse"),
    Row("listAPIKeys", "GET", "/api/v1/api-keys", nil, 200, "[APIKey]"),
    Row("listEvents", "GET", "/api/v1/events?limit=3", nil, 200, "[Event]"),
    Row("deletePolicy", "DELETE", "/api/v1/policies/{policy}", nil, 409, nil),
    Row("deleteProduct", "DELETE", "/api/v1/products/{product}", nil, 409, nil),
    Row("deleteCustomer", "DELETE", "/api/v1/customers/{customer}", nil, 409, nil),
  ]

  @Test("every operation answers with its own status, and its data has the schema's members in the schema's order")
  func everyOperation() async throws {
    try await withLicenseServer { fixture in
      var known: [String: String] = [:]
      var key = ""
      for row in Self.rows {
        func filled(_ text: String) -> String {
          known.reduce(text) { $0.replacing("{\($1.key)}", with: $1.value) }
        }
        let isRuntime = row.path.hasPrefix("/api/v1/license/")
        let reply = try await fixture.send(
          row.method, filled(row.path), row.body.map(filled),
          authorization: isRuntime ? "License \(key)" : "Bearer \(Fixture.adminToken)",
          headers: row.method == "POST" ? [("Idempotency-Key", "key-\(row.operation)")] : [])
        #expect(reply.status == row.status, "\(row.operation): \(reply.text)")
        try Self.check(reply, row)
        if let name = row.keep {
          known[name] =
            (reply.data?["license"]?["id"] ?? reply.data?["device_id"] ?? reply.data?["id"])?.string ?? "missing"
        }
        if let raw = reply.data?["license_key"]?.string { key = raw }
      }
    }
  }

  private static func check(_ reply: Reply, _ row: Row) throws {
    if row.status == 204 {
      #expect(reply.response.body.isEmpty)
      return
    }
    #expect(reply.response.headers["Content-Type"] == "application/json", "\(row.operation)")
    #expect(reply.json?["meta"]?["request_id"]?.string?.hasPrefix("req_") == true, "\(row.operation)")
    #expect(reply.json?["meta"]?["timestamp"]?.string.flatMap(RFC3339.date(from:)) != nil, "\(row.operation)")
    guard let schema = row.schema else {
      #expect(reply.code == "CONFLICT", "\(row.operation): \(reply.text)")
      return
    }
    #expect(
      !reply.text.contains("null") || row.operation == "listEvents", "\(row.operation): absent fields are left out")
    let objects: [JSONValue]
    if schema.hasPrefix("[") {
      objects = try #require(reply.data?.array, "\(row.operation)")
      #expect(!objects.isEmpty, "\(row.operation)")
    } else {
      objects = [try #require(reply.data, "\(row.operation)")]
    }
    let members = try #require(schemas[schema.trimmingCharacters(in: ["[", "]"])]).split(separator: " ").map(
      String.init)
    for object in objects {
      let keys = object.object?.keys ?? []
      let order = members.map { $0.replacing("?", with: "") }
      #expect(keys == order.filter(keys.contains), "\(row.operation): order of members, or a member too many")
      let missing = members.filter { !$0.hasSuffix("?") && !keys.contains($0) }
      #expect(missing.isEmpty, "\(row.operation)")
    }
  }

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
