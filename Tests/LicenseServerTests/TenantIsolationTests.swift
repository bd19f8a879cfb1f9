import Foundation
import HTTPTypes
import Identity
import JSON
import LicenseKitAPI
import Postgres
import ServerKit
import TestSupport
import Testing

@testable import LicenseServer

@Suite("One tenant and another")
struct TenantIsolationTests {
  /// One of everything that has an id, made over HTTP by a tenant.
  struct World: Sendable {
    var ids: [String: String] = [:]

    /// What stands for `{name}` in a path of this kind.
    func filled(_ path: String) -> String {
      let field = path.contains("/customers/") ? "customer_field" : "license_field"
      var path = path.replacing("{field_id}", with: ids[field] ?? "-")
      for name in ["feature", "device", "delivery"] {
        path = path.replacing("{\(name)_id}", with: ids[name] ?? "\(name)_1")
      }
      for (folder, name) in [
        ("products", "product"), ("policies", "policy"), ("features", "feature"), ("customers", "customer"),
        ("orders", "order"), ("subscriptions", "subscription"), ("licenses", "license"), ("webhooks", "webhook"),
        ("exports", "export"),
      ] {
        path = path.replacing("/\(folder)/{id}", with: "/\(folder)/\(ids[name] ?? "-")")
      }
      return path
    }
  }

  static func world(_ fixture: Fixture, token: String) async throws -> World {
    var world = World()
    func make(_ name: String, _ path: String, _ body: String, method: String = "POST") async throws -> JSONValue? {
      let reply = try await fixture.send(
        method, world.filled("/api/v1/" + path), body, authorization: "Bearer \(token)",
        headers: [("Idempotency-Key", "k")])
      #expect((200...201).contains(reply.status), "\(name): \(reply.text)")
      let id = reply.data?["id"] ?? reply.data?["license"]?["id"] ?? reply.data?["webhook"]?["id"]
      if let id = id?.string { world.ids[name] = id }
      return reply.data
    }
    _ = try await make("product", "products", #"{"name":"P","code":"p"}"#)
    _ = try await make("policy", "products/{id}/policies", #"{"name":"P","code":"p","license_type":"subscription"}"#)
    _ = try await make("feature", "products/{id}/features", #"{"name":"F","code":"f"}"#)
    _ = try await make("version", "products/{id}/versions", #"{"version":"1"}"#)
    _ = try await make("customer", "customers", #"{"name":"C","code":"c"}"#)
    let period = #""current_period_start":"2026-01-01T00:00:00Z","current_period_end":"2027-01-01T00:00:00Z""#
    let source = #""external_system":"s","external_id":"1""#
    _ = try await make("subscription", "products/{id}/subscriptions", #"{\#(source),"status":"active",\#(period)}"#)
    _ = try await make("order", "products/{id}/orders", #"{\#(source),"status":"paid"}"#)
    let links = ["product", "policy", "customer", "order"].map { #""\#($0)_id":"\#(world.ids[$0] ?? "")""# }
    let made = try await make("license", "licenses", "{\(links.joined(separator: ","))}")
    _ = try await make("given", "licenses/{id}/features", #"{"feature_id":"\#(world.ids["feature"] ?? "")"}"#)
    let field = #""code":"f","name":"F","value_type":"boolean""#
    _ = try await make("license_field", "products/{id}/custom-fields", #"{"resource_type":"license",\#(field)}"#)
    _ = try await make("customer_field", "products/{id}/custom-fields", #"{"resource_type":"customer",\#(field)}"#)
    let set = #"{"boolean_value":true}"#
    _ = try await make("value", "licenses/{id}/custom-fields/{field_id}", set, method: "PUT")
    _ = try await make("value", "customers/{id}/custom-fields/{field_id}", set, method: "PUT")
    let key = try #require(made?["license_key"]?.string)
    let device = try await fixture.runtime("activate", key: key, idempotencyKey: "k")
    world.ids["device"] = device.data?["device_id"]?.string
    let use = #"{"fingerprint":"machine-1","feature_code":"f","event_id":"e"}"#
    #expect(try await fixture.runtime("consume", key: key, use, idempotencyKey: "k").status == 200)
    let served = Set(Self.routes(fixture).map(\.operation.rawValue))
    if served.contains("createWebhookEndpoint") {
      _ = try await make("webhook", "webhooks", #"{"name":"W","url":"https://example.com/hook"}"#)
    }
    if served.contains("createReportExport") {
      _ = try await make("export", "reports/exports", #"{"report_kind":"usage-summary","format":"json"}"#)
    }
    return world
  }

  static func routes(_ fixture: Fixture) -> [ManagementRoute] {
    ManagementRoutes(services: fixture.server.services).all
  }

  /// What is sent where a body is needed that would change something.
  static let bodies: [ManagementOperation: String] = [
    .updateProduct: #"{"name":"taken over"}"#, .createProductVersion: #"{"version":"2"}"#,
    .createPolicy: #"{"name":"x","code":"x","license_type":"trial"}"#, .updatePolicy: #"{"name":"taken over"}"#,
    .createFeature: #"{"name":"x","code":"x"}"#, .updateCustomer: #"{"email":"taken@example.com"}"#,
    .createOrder: #"{"external_system":"s","external_id":"2","status":"paid"}"#,
    .updateOrder: #"{"status":"refunded"}"#,
    .createSubscription:
      #"{"external_system":"s","external_id":"2","status":"active","current_period_start":"2026-01-01T00:00:00Z","current_period_end":"2027-01-01T00:00:00Z"}"#,
    .updateSubscription: #"{"status":"paused"}"#, .renewLicense: #"{"extend_by_days":1}"#,
    .transferLicense: #"{"customer_name":"taken over","reset_devices":true}"#,
    .assignLicenseFeature: #"{"feature_id":"{feature}","max_consumptions":1}"#,
    .resetLicenseUsage: #"{"feature_code":"f","reset_consumed":true}"#,
    .createProductCustomFieldDefinition: #"{"resource_type":"license","code":"x","name":"x","value_type":"string"}"#,
    .updateProductCustomFieldDefinition: #"{"name":"taken over"}"#,
    .upsertCustomerCustomFieldValue: #"{"clear":true}"#, .upsertLicenseCustomFieldValue: #"{"boolean_value":false}"#,
    .updateWebhookEndpoint: #"{"name":"taken over"}"#,
  ]

  /// The lists of something's parts for which the contract has no 404: they are empty.
  static let emptyLists: Set<ManagementOperation> = [
    .listProductVersions, .listPoliciesByProduct, .listFeaturesByProduct, .listProductOrders, .listProductSubscriptions,
    .listLicenseFeatures, .listProductCustomFieldDefinitions,
  ]

  /// A digest of everything a tenant has, by table.
  static func digest(_ fixture: Fixture, of tenant: TenantID) async throws -> [String: String] {
    var digests: [String: String] = [:]
    for table in try await tables(fixture) {
      let rows = try await fixture.database.client.query(
        """
        SELECT coalesce(md5(string_agg(t::text, E'\\n' ORDER BY t::text)), '') AS digest
          FROM license_server.\(identifier: table) t
         WHERE tenant_id = \(tenant)
        """)
      digests[table] = try rows.first?.get("digest")
    }
    return digests
  }

  /// Every table with a tenant in its rows.
  static func tables(_ fixture: Fixture) async throws -> [String] {
    try await fixture.database.client.query(
      """
      SELECT t.tablename
        FROM pg_tables t
        JOIN pg_attribute a ON a.attrelid = ('license_server.' || quote_ident(t.tablename))::regclass
       WHERE t.schemaname = 'license_server' AND a.attname = 'tenant_id' AND NOT a.attisdropped
       ORDER BY t.tablename
      """
    ).map { try $0.get("tablename") }
  }

  static func withTwoTenants(_ body: @Sendable (Fixture, World, World, String) async throws -> Void) async throws {
    try await withLicenseServer { fixture in
      try await fixture.server.administration.createTenant("acme", name: "Acme")
      let token = try await fixture.server.administration.createToken(for: "acme", name: "t", scopes: [.admin]).token
      let mine = try await world(fixture, token: Fixture.adminToken)
      let theirs = try await world(fixture, token: token)  // the same codes and external ids again
      try await body(fixture, mine, theirs, token)
    }
  }

  @Test("every management operation with another tenant's id finds nothing and changes nothing")
  func everyOperation() async throws {
    try await Self.withTwoTenants { fixture, mine, _, token in
      let withID = Self.routes(fixture).filter { "\($0.path)".contains("{") }
      #expect(withID.count >= 45)
      let before = try await Self.digest(fixture, of: .defaultTenant)
      for route in withID {
        let (operation, path) = (route.operation, mine.filled("\(route.path)"))
        #expect(!path.contains("{"), "\(operation): \(path) has an id that this test does not know")
        let body = Self.bodies[operation]?.replacing("{feature}", with: mine.ids["feature"] ?? "")
        let reply = try await fixture.send(
          route.method.rawValue, path, body ?? (route.method == .patch ? "{}" : nil), authorization: "Bearer \(token)",
          headers: [("Idempotency-Key", "x")])
        if Self.emptyLists.contains(operation) {
          #expect(reply.status == 200, "\(operation): \(reply.text)")
          #expect(reply.data?.array == [], "\(operation)")
        } else {
          #expect(reply.status == 404, "\(operation): \(reply.text)")
          #expect(reply.code?.hasSuffix("NOT_FOUND") == true, "\(operation): \(reply.text)")
        }
      }
      #expect(try await Self.digest(fixture, of: .defaultTenant) == before)
      // The same paths do lead somewhere for who owns them.
      for route in withID where route.method == .get {
        let reply = try await fixture.send("GET", mine.filled("\(route.path)"))
        #expect(reply.status == 200 || "\(route.path)".contains("{delivery_id}"), "\(route.operation): \(reply.text)")
      }
    }
  }

  @Test("another tenant's ids in a body or a query are as unknown as any")
  func references() async throws {
    try await Self.withTwoTenants { fixture, mine, theirs, token in
      func id(_ world: World, _ name: String) -> String { world.ids[name] ?? "" }
      let own = #""product_id":"\#(id(theirs, "product"))","policy_id":"\#(id(theirs, "policy"))""#
      let source = #""external_system":"s","external_id":"3","status":"paid""#
      let requests: [(String, String)] = [
        ("licenses", #"{"product_id":"\#(id(mine, "product"))","policy_id":"\#(id(mine, "policy"))"}"#),
        ("licenses", #"{"product_id":"\#(id(theirs, "product"))","policy_id":"\#(id(mine, "policy"))"}"#),
        ("licenses", #"{\#(own),"customer_id":"\#(id(mine, "customer"))"}"#),
        ("licenses", #"{\#(own),"order_id":"\#(id(mine, "order"))"}"#),
        ("licenses", #"{\#(own),"subscription_id":"\#(id(mine, "subscription"))"}"#),
        ("products/\(id(theirs, "product"))/orders", #"{\#(source),"customer_id":"\#(id(mine, "customer"))"}"#),
        ("products/\(id(theirs, "product"))/orders", #"{\#(source),"subscription_id":"\#(id(mine, "subscription"))"}"#),
        ("licenses/\(id(theirs, "license"))/features", #"{"feature_id":"\#(id(mine, "feature"))"}"#),
        ("licenses/\(id(theirs, "license"))/transfer", #"{"customer_id":"\#(id(mine, "customer"))"}"#),
        (
          "licenses/\(id(theirs, "license"))/renew",
          #"{"extend_by_days":1,"order_id":"\#(id(mine, "order"))"}"#
        ),
      ]
      for (path, body) in requests {
        let reply = try await fixture.send(
          "POST", "/api/v1/\(path)", body, authorization: "Bearer \(token)", headers: [("Idempotency-Key", "y")])
        #expect(reply.status == 404, "\(path) \(body): \(reply.text)")
      }
      for field in ["license_field", "customer_field"] {
        let owner =
          field == "license_field" ? "licenses/\(id(theirs, "license"))" : "customers/\(id(theirs, "customer"))"
        let reply = try await fixture.send(
          "PUT", "/api/v1/\(owner)/custom-fields/\(id(mine, field))", #"{"boolean_value":true}"#,
          authorization: "Bearer \(token)")
        #expect(reply.status == 404, "\(field): \(reply.text)")
      }
      for name in ["product", "policy", "customer", "order", "subscription"] {
        let reply = try await fixture.send(
          "GET", "/api/v1/licenses?\(name)_id=\(id(mine, name))", authorization: "Bearer \(token)")
        #expect(reply.data?.array == [], "\(name)")
      }
    }
  }

  @Test("the database itself shows a tenant no other tenant's row, in any table, and lets none be moved")
  func rowLevelSecurity() async throws {
    try await Self.withTwoTenants { fixture, _, _, _ in
      let client = fixture.database.client
      func count(_ table: String, _ condition: PostgresQuery, as tenant: String?) async throws -> Int {
        let options = TransactionOptions(
          role: tenant == nil ? nil : "license_server_tenant", settings: [("license_server.tenant_id", tenant ?? "")])
        let rows = try await client.transaction(options) {
          try await $0.query(
            "SELECT count(*) AS n FROM license_server.\(identifier: table) WHERE \(fragment: condition)")
        }
        return try #require(rows.first).get("n")
      }
      let tables = try await Self.tables(fixture)
      #expect(tables.count >= 17)
      var seeded: [String] = []
      for table in tables {
        let rights = try await client.query(
          """
          SELECT has_column_privilege('license_server_tenant', 'license_server.' || \(table), 'tenant_id', 'SELECT') AS reads,
                 has_column_privilege('license_server_tenant', 'license_server.' || \(table), 'tenant_id', 'UPDATE') AS moves,
                 c.relrowsecurity
            FROM pg_class c
           WHERE c.oid = ('license_server.' || quote_ident(\(table)))::regclass
          """)
        let right = try #require(rights.first)
        #expect(try right.get("relrowsecurity", as: Bool.self), "\(table)")
        let (own, foreign) = (
          try await count(table, "tenant_id = 'acme'", as: nil), try await count(table, "tenant_id <> 'acme'", as: nil)
        )
        if own > 0, foreign > 0 { seeded.append(table) }
        guard try right.get("reads", as: Bool.self) else { continue }
        #expect(try await count(table, "tenant_id <> 'acme'", as: "acme") == 0, "\(table)")
        #expect(try await count(table, "tenant_id = 'acme'", as: "acme") == own, "\(table)")
        #expect(try await count(table, "true", as: "nobody") == 0, "\(table)")
        guard try right.get("moves", as: Bool.self), own > 0 else { continue }
        await #expect(throws: PostgresError.self, "\(table)") {
          let options = TransactionOptions(
            role: "license_server_tenant", settings: [("license_server.tenant_id", "acme")])
          try await client.transaction(options) {
            try await $0.query("UPDATE license_server.\(identifier: table) SET tenant_id = 'default'")
          }
        }
      }
      let core = [
        "api_keys", "custom_field_definitions", "custom_field_values", "customers", "devices", "events", "features",
        "idempotency_records", "license_features", "licenses", "orders", "policies", "product_versions", "products",
        "signing_keys", "subscriptions", "tenants", "usage_events",
      ]
      #expect(
        Set(seeded).isSuperset(of: core), "tables that this test says nothing about: \(Set(core).subtracting(seeded))")
    }
  }
}
