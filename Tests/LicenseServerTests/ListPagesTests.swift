import Cryptography
import Foundation
import HTTPTransport
import Identity
import JSON
import LicenseKitAPI
import LicenseKitHTTP
import Postgres
import ServerKit
import TestSupport
import Testing

@testable import LicenseServer

@Suite("Pages of lists")
struct ListPagesTests {
  /// Follows `Link` from page to page.
  /// - Returns: the ids of every page.
  static func walk(_ fixture: Fixture, _ path: String, id: String = "id") async throws -> [[String]] {
    var pages: [[String]] = []
    var next: String? = path
    while let target = next, pages.count < 50 {
      let reply = try await fixture.send("GET", target)
      #expect(reply.status == 200, "\(target): \(reply.text)")
      #expect(reply.json?.object?.keys == ["data", "meta"], "the body is the contract's")
      pages.append(try #require(reply.data?.array).map { $0[id]?.string ?? "?" })
      next = try link(reply)
    }
    return pages
  }

  static func link(_ reply: Reply) throws -> String? {
    guard let header = reply.response.headers["Link"] else { return nil }
    #expect(header.hasSuffix(">; rel=\"next\""))
    return String(header.dropFirst().prefix { $0 != ">" })
  }

  /// What is listed, with five rows each.
  struct Listing {
    var path: String
    var id = "id"
    var make: @Sendable (Int) async throws -> Void
  }

  static func listings(_ fixture: Fixture) async throws -> [Listing] {
    let admin = fixture.admin
    let catalog = try await admin.makeCatalog()
    let (product, license) = (catalog.product.id, try await admin.issue(catalog).license)
    let customer = try await admin.createCustomer(CustomerCreateRequest(name: "Ada", code: "ada")).id
    let body = #"{"resource_type":"%","code":"f#","name":"F","value_type":"boolean"}"#
    @Sendable func define(_ number: Int, _ resource: String) async throws -> String {
      let filled = body.replacing("#", with: "\(number)").replacing("%", with: resource)
      let reply = try await fixture.send("POST", "/api/v1/products/\(product)/custom-fields", filled)
      return try #require(reply.data?["id"]?.string)
    }
    var limits = PolicyLimits()
    limits.maxActivations = 100
    try await fixture.server.administration.setLimits(limits, of: catalog.policy.id, tenant: .defaultTenant)
    let raw = try await admin.issue(catalog)
    return [
      Listing(path: "products") { _ = try await admin.createProduct(ProductCreateRequest(name: "P", code: "p\($0)")) },
      Listing(path: "products/\(product)/versions") {
        _ = try await admin.createProductVersion(product, ProductVersionCreateRequest(version: "\($0)"))
      },
      Listing(path: "products/\(product)/policies") {
        _ = try await admin.createPolicy(product, PolicyCreateRequest(name: "P", code: "\($0)", licenseType: .trial))
      },
      Listing(path: "products/\(product)/features") {
        _ = try await admin.createFeature(product, FeatureCreateRequest(name: "F", code: "f\($0)"))
      },
      Listing(path: "customers") {
        _ = try await admin.createCustomer(CustomerCreateRequest(name: "C", code: "c\($0)"))
      },
      Listing(path: "products/\(product)/orders") {
        _ = try await admin.createOrder(
          product, OrderCreateRequest(externalSystem: "s", externalID: "\($0)", status: .paid))
      },
      Listing(path: "products/\(product)/subscriptions") {
        _ = try await admin.createSubscription(
          product,
          SubscriptionCreateRequest(
            externalSystem: "s", externalID: "\($0)", status: .active, currentPeriodStart: fixture.clock.now,
            currentPeriodEnd: fixture.clock.now + 60))
      },
      Listing(path: "licenses") { _ in _ = try await admin.issue(catalog) },
      Listing(path: "licenses/\(license.id)/features", id: "feature_id") {
        let feature = try await admin.createFeature(product, FeatureCreateRequest(name: "F", code: "g\($0)"))
        _ = try await admin.assignLicenseFeature(license.id, LicenseFeatureAssignRequest(featureID: feature.id))
      },
      Listing(path: "licenses/\(raw.license.id)/devices") {
        _ = try await fixture.runtime(
          "activate", key: raw.licenseKey, #"{"fingerprint":"m\#($0)"}"#, idempotencyKey: "\($0)")
      },
      Listing(path: "products/\(product)/custom-fields") { _ = try await define($0, "license") },
      Listing(path: "licenses/\(license.id)/custom-fields", id: "definition_id") {
        let path = "/api/v1/licenses/\(license.id)/custom-fields/\(try await define($0 + 10, "license"))"
        _ = try await fixture.send("PUT", path, #"{"boolean_value":true}"#)
      },
      Listing(path: "customers/\(customer)/custom-fields", id: "definition_id") {
        let path = "/api/v1/customers/\(customer)/custom-fields/\(try await define($0, "customer"))"
        _ = try await fixture.send("PUT", path, #"{"boolean_value":true}"#)
      },
      Listing(path: "api-keys") { _ = try await admin.createAPIKey(APIKeyCreateRequest(name: "k\($0)")) },
      Listing(path: "webhooks") {
        _ = try await fixture.send(
          "POST", "/api/v1/webhooks", #"{"name":"w\#($0)","url":"https://example.com/\#($0)"}"#)
      },
    ]
  }

  @Test("every list that the contract caps can be walked to its end, each row once, newest first")
  func everyList() async throws {
    try await withLicenseServer { fixture in
      for listing in try await Self.listings(fixture) {
        for number in 1...5 { try await listing.make(number) }
        let path = "/api/v1/\(listing.path)"
        let whole = try await Self.walk(fixture, "\(path)?limit=200", id: listing.id)
        #expect(whole.count == 1)
        let rows = try #require(whole.first)
        #expect(rows.count >= 5, "\(path)")
        #expect(rows == rows.sorted(by: >), "\(path): newest first")
        let pages = try await Self.walk(fixture, "\(path)?limit=2", id: listing.id)
        #expect(pages.allSatisfy { (1...2).contains($0.count) }, "\(path)")
        #expect(pages.flatMap { $0 } == rows, "\(path)")
        let byHand = try await fixture.send("GET", "\(path)?limit=2&cursor=\(rows[1])")
        #expect(byHand.data?.array?.compactMap { $0[listing.id]?.string } == Array(rows[2...3]), "\(path)")
        for bad in ["a%20b", "%00", "%C3%A9", "%27", String(repeating: "a", count: 97)] {
          let refused = try await fixture.send("GET", "\(path)?cursor=\(bad)")
          #expect(refused.status == 400, "\(path) \(bad)")
          #expect(refused.code == "INVALID_QUERY")
          #expect(refused.detail?.hasPrefix("cursor") == true)
        }
      }
    }
  }

  @Test("an unknown cursor of the right form goes on where it would stand")
  func unknownCursor() async throws {
    try await withLicenseServer { fixture in
      for number in 1...3 {
        _ = try await fixture.admin.createProduct(ProductCreateRequest(name: "P\(number)", code: "p\(number)"))
      }
      let rows = try await fixture.admin.listProducts(limit: nil).map(\.id.rawValue)
      let after = try await fixture.send("GET", "/api/v1/products?cursor=\(rows[0])0")
      #expect(after.data?.array?.count == 3, "it stands before the first")
      let first = try await fixture.send("GET", "/api/v1/products?cursor=prod_0")
      #expect(first.data?.array == [])
      #expect(first.response.headers["Link"] == nil)
      try await fixture.admin.deleteProduct(ProductID(rows[1]))
      let left = try await fixture.send("GET", "/api/v1/products?cursor=\(rows[1])")
      #expect(left.data?.array?.compactMap { $0["id"]?.string } == [rows[2]], "a deleted row still marks its place")
      #expect(try await fixture.send("GET", "/api/v1/products?cursor=a&cursor=b").status == 400)
      #expect(try await fixture.send("GET", "/api/v1/products?cursor=\(rows[2]).never").status == 400)
      #expect(try await fixture.send("GET", "/api/v1/products?cursor=").data?.array?.count == 2)
    }
  }

  @Test("the link keeps the filters and the limit, and nothing else of the query")
  func link() async throws {
    try await withLicenseServer { fixture in
      let catalog = try await fixture.admin.makeCatalog()
      for _ in 1...3 { _ = try await fixture.admin.issue(catalog, expiresAt: fixture.clock.now + 60) }
      let query =
        "status=active&limit=1&product_id=\(catalog.product.id)&expires_before=2027-01-01T00:00:00%2B00:00&x=%3E"
      let reply = try await fixture.send("GET", "//api//v1/licenses?\(query)")
      let target = try #require(try Self.link(reply))
      let seconds = Int(fixture.clock.now.timeIntervalSince1970) + 60
      let id = try #require(reply.data?[0]?["id"]?.string)
      #expect(
        target
          == "/api/v1/licenses?limit=1&cursor=\(id).\(seconds)&product_id=\(catalog.product.id)&status=active"
          + "&expires_before=2027-01-01T00%3A00%3A00%2B00%3A00")
      #expect(try await Self.walk(fixture, target).count == 2)
    }
  }

  // MARK: Licenses by expiry

  static let day: TimeInterval = 86_400

  /// Licenses under several policies, in every state, some with the same expiry.
  static func stock(_ fixture: Fixture) async throws -> [Catalog] {
    var catalogs: [Catalog] = []
    for grace in [0, 2, 7] {
      let catalog = try await fixture.admin.makeCatalog()
      catalogs.append(catalog)
      if grace > 0 {
        var limits = PolicyLimits()
        limits.gracePeriodDays = grace
        try await fixture.server.administration.setLimits(limits, of: catalog.policy.id, tenant: .defaultTenant)
      }
      let now = fixture.clock.now
      for offset in [-8.0, -7, -3, -2, -2, -1, 0, 1, 1, 30] {
        let license = try await fixture.admin.issue(catalog, expiresAt: now + offset * day).license
        if offset == 30 { _ = try await fixture.admin.suspendLicense(license.id) }
        if offset == -8 { _ = try await fixture.admin.revokeLicense(license.id) }
      }
      for _ in 1...2 { _ = try await fixture.admin.issue(catalog) }
    }
    return catalogs
  }

  @Test("by status and expiry, too, each license comes once, in order, and exactly those that match")
  func byExpiry() async throws {
    try await withLicenseServer { fixture in
      let catalogs = try await Self.stock(fixture)
      let customer = try await fixture.admin.createCustomer(CustomerCreateRequest(name: "Ada", code: "ada")).id
      for offset in [-1.0, 5, 5] {
        _ = try await fixture.admin.issue(
          catalogs[1], expiresAt: fixture.clock.now + offset * Self.day, customer: customer)
      }
      _ = try await fixture.admin.issue(catalogs[0], customer: customer)
      let all = try await fixture.admin.listLicenses(LicenseFilter(limit: 200))
      #expect(all.count == 40)
      let (early, late) = (fixture.clock.now - 2 * Self.day, fixture.clock.now + Self.day)
      var filters: [LicenseFilter] = []
      for scope in [
        LicenseFilter(), LicenseFilter(productID: catalogs[1].product.id),
        LicenseFilter(policyID: catalogs[2].policy.id),
        LicenseFilter(productID: catalogs[0].product.id, policyID: catalogs[1].policy.id),
        LicenseFilter(customerID: customer), LicenseFilter(productID: catalogs[1].product.id, customerID: customer),
      ] {
        for status in LicenseStatus.allCases.map(Optional.some) + [nil] {
          for (before, after) in [(nil, nil), (late, nil), (nil, early), (late, early), (early, late)] {
            var filter = scope
            (filter.status, filter.expiresBefore, filter.expiresAfter) = (status, before, after)
            filters.append(filter)
          }
        }
      }
      for filter in filters {
        let wanted = all.filter { $0.matches(filter) }
        let ordered = LicenseListing.isByExpiry(filter) ? wanted.sorted(by: Self.laterFirst) : wanted
        let read = try await Self.pages(fixture, filter, limit: 3)
        #expect(read == ordered.map(\.id), "\(filter)")
      }
    }
  }

  static func laterFirst(_ left: License, _ right: License) -> Bool {
    let (mine, other) = (left.expiresAt ?? .distantFuture, right.expiresAt ?? .distantFuture)
    return mine == other ? left.id > right.id : mine > other
  }

  /// The whole list, page by page, through the service.
  static func pages(_ fixture: Fixture, _ filter: LicenseFilter, limit: Int) async throws -> [LicenseID] {
    var (ids, cursor): ([LicenseID], LicenseCursor?) = ([], nil)
    var filter = filter
    filter.limit = limit
    let caller = Caller.operatorCaller(.defaultTenant)
    repeat {
      let page = try await fixture.server.services.licenses.list(filter, after: cursor, for: caller)
      ids += page.rows.map(\.id)
      cursor = try page.next.map { try LicenseCursor($0) }
    } while cursor != nil && ids.count < 500
    return ids
  }

  @Test("a bare id is a cursor by expiry, too; one that is no license's is refused")
  func bareCursor() async throws {
    try await withLicenseServer { fixture in
      _ = try await Self.stock(fixture)
      let rows = try await fixture.admin.listLicenses(LicenseFilter(status: .active, limit: 200)).map(\.id.rawValue)
      let page = try await fixture.send("GET", "/api/v1/licenses?status=active&limit=200&cursor=\(rows[3])")
      #expect(page.data?.array?.compactMap { $0["id"]?.string } == Array(rows.dropFirst(4)))
      let administration = fixture.server.administration
      try await administration.createTenant("acme", name: "Acme")
      let token = try await administration.createToken(for: "acme", name: "t", scopes: [.admin]).token
      for (cursor, authorization) in [("lic_none", "Bearer \(Fixture.adminToken)"), (rows[3], "Bearer \(token)")] {
        let refused = try await fixture.send(
          "GET", "/api/v1/licenses?status=active&cursor=\(cursor)", authorization: authorization)
        #expect(refused.status == 400)
        #expect(refused.detail == "cursor: names no license")
      }
      for bad in ["\(rows[0]).soon", "\(rows[0]).-1", "\(rows[0]).99999999999999", "\(rows[0]).1.2"] {
        #expect(try await fixture.send("GET", "/api/v1/licenses?status=active&cursor=\(bad)").status == 400, "\(bad)")
      }
    }
  }

  @Test("a renewal between two pages makes nobody else come twice or not at all")
  func renewedMeanwhile() async throws {
    try await withLicenseServer { fixture in
      let catalog = try await fixture.admin.makeCatalog()
      for number in 1...6 {
        _ = try await fixture.admin.issue(catalog, expiresAt: fixture.clock.now + Double(number) * Self.day)
      }
      fixture.clock.advance(days: 10)
      let rows = try await fixture.admin.listLicenses(LicenseFilter(status: .expired)).map(\.id)
      #expect(rows.count == 6)
      let first = try await fixture.send("GET", "/api/v1/licenses?status=expired&limit=2")
      _ = try await fixture.admin.renewLicense(rows[1], LicenseRenewRequest(extendByDays: 30), idempotencyKey: "r")
      let rest = try await Self.walk(fixture, #require(try Self.link(first)))
      #expect(rest.flatMap { $0 } == rows.dropFirst(2).map(\.rawValue))
    }
  }

  @Test("no list of licenses reads more than its page, however many there are and wherever the few that match stand")
  func cost() async throws {
    try await withLicenseServer { fixture in
      let catalogs = try await Self.stock(fixture)
      let crowd = catalogs[0]
      // Old ones that ended, and very many after them that go on: in the order of ids the few would be at the far end.
      try await fixture.database.client.query(
        """
        INSERT INTO license_server.licenses
               (tenant_id, id, product_id, policy_id, state, key_hash, key_prefix, key_last4, expires_at, created_at, updated_at)
        SELECT 'default', 'lic_z' || lpad(n::text, 8, '0'), \(crowd.product.id), \(crowd.policy.id), 'active',
               sha256(n::text::bytea), 'lsk_', 'xxxx', \(fixture.clock.now) + n * interval '1 hour', \(fixture.clock.now), \(fixture.clock.now)
          FROM generate_series(1, 60000) n
        """)
      try await fixture.database.client.query("ANALYZE license_server.licenses, license_server.policies")
      let scopes = [
        LicenseFilter(), LicenseFilter(productID: crowd.product.id), LicenseFilter(policyID: crowd.policy.id),
        LicenseFilter(productID: crowd.product.id, customerID: "cust_none"), LicenseFilter(orderID: "ord_none"),
        LicenseFilter(productID: crowd.product.id, subscriptionID: "sub_none"),
      ]
      for scope in scopes {
        for status in LicenseStatus.allCases.map(Optional.some) + [nil] {
          for isWindowed in [false, true] {
            var filter = scope
            filter.status = status
            if isWindowed {
              filter.expiresBefore = fixture.clock.now + Self.day
              filter.expiresAfter = fixture.clock.now - Self.day
            }
            for cursor in [nil, LicenseCursor(id: "lic_z00020000", place: .expiry(fixture.clock.now + 20_000 * 3_600))]
            {
              let listing = LicenseListing(
                tenant: .defaultTenant, filter: filter, cursor: cursor, limit: 20, now: fixture.clock.now)
              let pages = try await Self.pagesRead(fixture, listing.query)
              #expect(pages < 300, "\(filter) after \(cursor?.text ?? "nothing")")
            }
          }
        }
      }
    }
  }

  /// How many pages of 8 KiB the query touches, as the tenant and with a plan that knows no value.
  static func pagesRead(_ fixture: Fixture, _ query: PostgresQuery) async throws -> Int {
    let options = TransactionOptions(
      role: "license_server_tenant",
      settings: [("license_server.tenant_id", "default"), ("plan_cache_mode", "force_generic_plan")])
    return try await fixture.database.client.transaction(options) { transaction in
      let explained: PostgresQuery = "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) \(fragment: query)"
      // The second time with a prepared statement, whose plan is the generic one.
      _ = try await transaction.query(explained)
      let rows = try await transaction.query(explained)
      let plan = try JSONValue(parsing: #require(rows.first).get(at: 0, as: String.self))[0]?["Plan"]
      return ["Shared Hit Blocks", "Shared Read Blocks"].reduce(0) { sum, name in
        sum + (plan?[name].flatMap { if case .integer(let count) = $0 { Int(count) } else { nil } } ?? 0)
      }
    }
  }
}

extension License {
  /// The filter as the contract tells it, license by license.
  fileprivate func matches(_ filter: LicenseFilter) -> Bool {
    (filter.productID == nil || filter.productID == productID)
      && (filter.policyID == nil || filter.policyID == policyID)
      && (filter.customerID == nil || filter.customerID == customerID)
      && (filter.status == nil || filter.status == status)
      && (filter.expiresBefore.map { before in expiresAt.map { $0 < before } ?? false } ?? true)
      && (filter.expiresAfter.map { after in expiresAt.map { $0 > after } ?? false } ?? true)
  }
}
