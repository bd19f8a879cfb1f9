import Cryptography
import Foundation
import Identity
import JSON
import LicenseKitAPI
import LicenseKitHTTP
import LicenseServer
import Postgres
import ServerKit
import TestSupport
import Testing

@Suite("Tenants and credentials")
struct TenancyTests {
  @Test("every id of another tenant is 404, and codes may repeat")
  func otherTenant() async throws {
    try await withLicenseServer { fixture in
      let administration = fixture.server.administration
      try await administration.createTenant("acme", name: "Acme")
      let token = try await administration.createToken(for: "acme", name: "t", scopes: [.admin]).token
      let other = fixture.client(token: token)

      let catalog = try await fixture.admin.makeCatalog()
      let customer = try await fixture.admin.createCustomer(CustomerCreateRequest(name: "Ada", code: "ada"))
      let order = try await fixture.admin.createOrder(
        catalog.product.id, OrderCreateRequest(externalSystem: "s", externalID: "1", status: .paid))
      let subscription = try await fixture.admin.createSubscription(
        catalog.product.id,
        SubscriptionCreateRequest(
          externalSystem: "s", externalID: "1", status: .active, currentPeriodStart: fixture.clock.now,
          currentPeriodEnd: fixture.clock.now + 60))
      let made = try await fixture.admin.issue(catalog)
      let activated = try await fixture.runtime("activate", key: made.licenseKey, idempotencyKey: "1")
      let device = try #require(activated.data?["device_id"]?.string)
      let (license, product) = (made.license.id, catalog.product.id)

      let requests: [(String, String, String?)] = [
        ("GET", "products/\(product)", nil), ("PATCH", "products/\(product)", "{}"),
        ("DELETE", "products/\(product)", nil),
        ("POST", "products/\(product)/policies", #"{"name":"a","code":"a","license_type":"trial"}"#),
        ("POST", "products/\(product)/features", #"{"name":"a","code":"a"}"#),
        ("POST", "products/\(product)/versions", #"{"version":"1"}"#),
        ("POST", "products/\(product)/orders", #"{"external_system":"s","external_id":"2","status":"paid"}"#),
        ("GET", "policies/\(catalog.policy.id)", nil), ("PATCH", "policies/\(catalog.policy.id)", "{}"),
        ("DELETE", "policies/\(catalog.policy.id)", nil), ("GET", "features/\(catalog.feature.id)", nil),
        ("GET", "customers/\(customer.id)", nil), ("PATCH", "customers/\(customer.id)", "{}"),
        ("DELETE", "customers/\(customer.id)", nil), ("GET", "orders/\(order.id)", nil),
        ("PATCH", "orders/\(order.id)", "{}"), ("GET", "subscriptions/\(subscription.id)", nil),
        ("PATCH", "subscriptions/\(subscription.id)", "{}"), ("GET", "licenses/\(license)", nil),
        ("POST", "licenses", #"{"product_id":"\#(product)","policy_id":"\#(catalog.policy.id)"}"#),
        ("POST", "licenses/\(license)/renew", #"{"extend_by_days":1}"#), ("POST", "licenses/\(license)/suspend", nil),
        ("POST", "licenses/\(license)/reinstate", nil), ("POST", "licenses/\(license)/revoke", nil),
        ("POST", "licenses/\(license)/transfer", #"{"reset_devices":true}"#),
        ("POST", "licenses/\(license)/features", #"{"feature_id":"\#(catalog.feature.id)"}"#),
        ("DELETE", "licenses/\(license)/features/\(catalog.feature.id)", nil),
        ("POST", "licenses/\(license)/usage/reset", #"{"feature_code":"api_calls","reset_consumed":true}"#),
        ("GET", "licenses/\(license)/devices", nil), ("GET", "licenses/\(license)/devices/\(device)", nil),
        ("POST", "licenses/\(license)/devices/\(device)/reset", nil),
        ("POST", "licenses/\(license)/devices/\(device)/blacklist", nil),
      ]
      for (method, path, body) in requests {
        let reply = try await fixture.send(
          method, "/api/v1/\(path)", body, authorization: "Bearer \(token)", headers: [("Idempotency-Key", "x")])
        #expect(reply.status == 404, "\(method) \(path): \(reply.text)")
      }
      #expect(try await other.listProducts(limit: nil).isEmpty)
      #expect(try await other.listLicenses(LicenseFilter(productID: product)).isEmpty)
      #expect(try await other.listEvents(EventFilter(resourceID: license.rawValue)).events.isEmpty)
      #expect(try await other.createCustomer(CustomerCreateRequest(name: "Ada", code: "ada")).code == "ada")
    }
  }

  @Test("the database itself shows a tenant's transaction no other tenant's rows, in any table")
  func rowLevelSecurity() async throws {
    try await withLicenseServer { fixture in
      _ = try await fixture.admin.issue(fixture.admin.makeCatalog())
      let tables = try await fixture.database.client.query(
        """
        SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity AS is_forced,
               EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'taken_on'
                                                 AND NOT p.polpermissive) AS is_for_roles_only,
               (SELECT a.attname FROM pg_attribute a JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
                 WHERE a.attrelid = c.oid AND a.attnum = i.indkey[0]) AS first_key
          FROM pg_class c
         WHERE c.relnamespace = 'license_server'::regnamespace AND c.relkind = 'r'
        """)
      #expect(tables.count >= 14)
      for table in tables {
        let name: String = try table.get("relname")
        #expect(try table.get("is_forced", as: Bool.self), "\(name)")
        #expect(try table.get("is_for_roles_only", as: Bool.self), "\(name)")
        #expect(try table.get("first_key", as: String.self) == "tenant_id", "\(name)")
        for (tenant, sees) in [("default", true), ("acme", false), ("", false)] {
          let options = TransactionOptions(
            role: "license_server_tenant", settings: [("license_server.tenant_id", tenant)])
          let rows = try await fixture.database.client.transaction(options) { transaction in
            try await transaction.query(
              "SELECT count(*) AS n FROM license_server.\(identifier: name) WHERE tenant_id <> \(tenant)")
          }
          #expect(try rows.first?.get("n", as: Int.self) == 0, "\(name) for \(tenant), which sees its own: \(sees)")
        }
      }
      await #expect(throws: PostgresError.self) {
        let options = TransactionOptions(
          role: "license_server_tenant", settings: [("license_server.tenant_id", "acme")])
        try await fixture.database.client.transaction(options) { transaction in
          try await transaction.query("DELETE FROM license_server.events")
        }
      }
    }
  }

  @Test("a host name leads to its tenant's public keys and admits only its credentials")
  func hostNames() async throws {
    try await withLicenseServer { fixture in
      let administration = fixture.server.administration
      try await administration.createTenant("acme", name: "Acme", hostName: "Licenses.Acme.example")
      let token = try await administration.createToken(for: "acme", name: "t", scopes: [.admin]).token
      func keys(_ host: String) async throws -> [String?] {
        let reply = try await fixture.send(
          "GET", "/api/v1/system/public-keys", authorization: nil, headers: [("Host", host)])
        return reply.data?.array?.map { $0["kid"]?.string } ?? []
      }
      let own = try await keys("licenses.acme.example:8443")
      #expect(own == (try await administration.publicKeys(of: "acme").map(\.kid)))
      #expect(own != (try await keys("elsewhere.example")))
      func products(_ token: String) async throws -> Int {
        try await fixture.send(
          "GET", "/api/v1/products", authorization: "Bearer \(token)", headers: [("Host", "licenses.acme.example")]
        ).status
      }
      #expect(try await products(token) == 200)
      #expect(try await products(Fixture.adminToken) == 401)
    }
  }

  @Test("a token that is unknown, out of date, switched off or used from elsewhere is 401 and nothing more is said")
  func badTokens() async throws {
    try await withLicenseServer { fixture in
      let administration = fixture.server.administration
      let brief = try await administration.createToken(
        for: .defaultTenant, name: "brief", scopes: [.admin], expiresAt: fixture.clock.now + 60)
      let off = try await administration.createToken(for: .defaultTenant, name: "off", scopes: [.admin])
      let inside = try await administration.createToken(
        for: .defaultTenant, name: "in", scopes: [.admin], allowedCIDRs: ["127.0.0.0/8"])
      let outside = try await administration.createToken(
        for: .defaultTenant, name: "out", scopes: [.admin], allowedCIDRs: ["192.0.2.0/24", "::1/128"])
      func status(_ authorization: String?) async throws -> Reply {
        try await fixture.send("GET", "/api/v1/products", authorization: authorization)
      }
      #expect(try await status("Bearer \(brief.token)").status == 200)
      #expect(try await status("bearer \(inside.token)").status == 200)
      #expect(try await administration.deactivateToken(off.apiKey.id, of: .defaultTenant))
      fixture.clock.advance(seconds: 60)
      for bad in [
        nil, "Bearer", "Basic \(inside.token)", "Bearer lkm_none", "Bearer \(brief.token)", "Bearer \(off.token)",
        "Bearer \(outside.token)",
      ] {
        let reply = try await status(bad)
        #expect(reply.status == 401)
        #expect(reply.code == "UNAUTHORIZED")
      }
      let listed = try await fixture.admin.listAPIKeys(limit: nil)
      #expect(listed.first { $0.id == inside.apiKey.id }?.lastUsedAt != nil)
      #expect(listed.first { $0.id == outside.apiKey.id }?.lastUsedAt == nil)
    }
  }

  @Test("a scope that is missing is 403 and named, before anything of the request is read")
  func scopes() async throws {
    try await withLicenseServer { fixture in
      let token = try await fixture.admin.createAPIKey(APIKeyCreateRequest(name: "r", scopes: [.productRead])).token
      let reply = try await fixture.send("POST", "/api/v1/products", "not json", authorization: "Bearer \(token)")
      #expect(reply.status == 403)
      #expect(reply.code == "TOKEN_SCOPE_DENIED")
      #expect(reply.detail == "requires product:write")
      #expect(try await fixture.client(token: token).listProducts(limit: nil).isEmpty)
      let admin = try await fixture.admin.createAPIKey(APIKeyCreateRequest(name: "all"))
      #expect(admin.apiKey.scopes == [.admin])
    }
  }

  @Test("replicas that start at once on a new database agree on one signing key and one admin token")
  func bootstrap() async throws {
    try await withDatabase(migrations: ["migrations/server"]) { database in
      let keyRing = try KeyRing(parsing: KeyRing.newEntry(id: "test"))
      let server = LicenseServer(client: database.client, keyRing: keyRing, logger: Fixture.logger)
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<8 { group.addTask { try await server.bootstrap(adminToken: Fixture.adminToken) } }
        try await group.waitForAll()
      }
      let client = server.inProcessClient(token: Fixture.adminToken)
      #expect(try await client.listAPIKeys(limit: nil).count == 1)
      #expect(try await client.listPublicKeys().map(\.status) == [.active])

      let administration = server.administration
      try await administration.createTenant("acme", name: "Acme")
      let taken = try await administration.createToken(for: "acme", name: "t", scopes: [.admin]).token
      await #expect(throws: APIFailure.self) { try await server.bootstrap(adminToken: taken) }
      await #expect(throws: APIFailure.self) {
        try await administration.createToken(for: "nobody", name: "t", scopes: [.admin])
      }
    }
  }

  @Test("secrets are stored as hashes only")
  func secrets() async throws {
    try await withLicenseServer { fixture in
      let made = try await fixture.admin.issue(fixture.admin.makeCatalog())
      for (table, secret) in [("licenses", made.licenseKey), ("api_keys", Fixture.adminToken)] {
        let rows = try await fixture.database.client.query(
          "SELECT count(*) AS n FROM license_server.\(identifier: table) t WHERE position(\(secret) IN t::text) > 0")
        #expect(try rows.first?.get("n", as: Int.self) == 0, "\(table)")
      }
    }
  }

  @Test("in the process the same rules hold: scopes, tenants, errors and answers")
  func inProcess() async throws {
    try await withLicenseServer { fixture in
      let inside = fixture.server.inProcessClient(token: Fixture.adminToken)
      let catalog = try await inside.makeCatalog()
      let body = LicenseCreateRequest(
        productID: catalog.product.id, policyID: catalog.policy.id,
        expiresAt: fixture.clock.now + 86_400.5, metadata: ["a": 1])
      let made = try await inside.createLicense(body, idempotencyKey: "k")
      #expect(try await fixture.admin.createLicense(body, idempotencyKey: "k") == made)
      #expect(try await fixture.admin.getLicense(made.license.id) == made.license)
      #expect(try await inside.listProducts(limit: nil) == (try await fixture.admin.listProducts(limit: nil)))

      let reader = fixture.server.inProcessClient(tenant: .defaultTenant, scopes: [.licenseRead])
      let denied = await failure { _ = try await reader.suspendLicense(made.license.id) }
      #expect(denied?.status == 403)
      #expect(denied?.detail == "requires license:write")
      #expect(denied?.retry == .credential)
      let stranger = fixture.server.inProcessClient(tenant: "acme")
      let gone = await failure { _ = try await stranger.getLicense(made.license.id) }
      #expect(gone?.retry == .gone)
      let unknown = await failure { _ = try await fixture.server.inProcessClient(token: "x").listProducts(limit: nil) }
      #expect(unknown?.status == 401)
    }
  }
}
