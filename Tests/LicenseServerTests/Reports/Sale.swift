import Foundation
import HTTPTransport
import Identity
import JSON
import LicenseKitAPI
import LicenseKitHTTP
import Postgres
import TestSupport
import Testing

@testable import LicenseServer

/// A license sold by subscription, with a metered feature and one active device: something to report about.
struct Sale: Sendable {
  var catalog: Catalog
  var customer: Customer
  var subscription: Subscription
  var order: Order
  var license: License
  var key: String

  /// - Parameter quota: of the feature `api_calls`.
  static func make(
    _ fixture: Fixture, quota: Int64? = 1_000, catalog: Catalog? = nil, client: LicenseKitHTTPClient? = nil
  ) async throws -> Sale {
    let client = client ?? fixture.admin
    let known: Catalog
    if let catalog { known = catalog } else { known = try await client.makeCatalog() }
    let now = fixture.clock.now
    let customer = try await client.createCustomer(
      CustomerCreateRequest(name: "Ada Lovelace", code: unique("ada-"), email: "ada@example.com"))
    let subscription = try await client.createSubscription(
      known.product.id,
      SubscriptionCreateRequest(
        customerID: customer.id, externalSystem: "shop", externalID: unique("s"), status: .active,
        currentPeriodStart: now, currentPeriodEnd: now + 30 * 86_400))
    let order = try await client.createOrder(
      known.product.id,
      OrderCreateRequest(
        customerID: customer.id, subscriptionID: subscription.id, externalSystem: "shop", externalID: unique("o"),
        status: .paid, periodStart: now, periodEnd: now + 30 * 86_400))
    let made = try await client.createLicense(
      LicenseCreateRequest(
        productID: known.product.id, policyID: known.policy.id, customerID: customer.id, orderID: order.id,
        customerEmail: "ada@example.com", customerName: "Ada Lovelace", expiresAt: now + 33 * 86_400),
      idempotencyKey: nil)
    _ = try await client.assignLicenseFeature(
      made.license.id, LicenseFeatureAssignRequest(featureID: known.feature.id, maxConsumptions: quota))
    let sale = Sale(
      catalog: known, customer: customer, subscription: subscription, order: order, license: made.license,
      key: made.licenseKey)
    let reply = try await fixture.runtime(
      "activate", key: sale.key, #"{"fingerprint":"machine-1","hostname":"secret-host","app_version":"1.4.0"}"#,
      idempotencyKey: unique("k"))
    #expect(reply.status == 200, "\(reply.text)")
    return sale
  }

  @discardableResult
  func consume(_ amount: Int64, _ fixture: Fixture, feature: String = "api_calls", status: Int = 200) async throws
    -> Reply
  {
    let reply = try await fixture.runtime(
      "consume", key: key,
      #"{"fingerprint":"machine-1","feature_code":"\#(feature)","amount":\#(amount),"event_id":"\#(unique("e"))","app_version":"1.4.0"}"#,
      idempotencyKey: unique("k"))
    #expect(reply.status == status, "\(reply.text)")
    return reply
  }
}

extension Fixture {
  /// Writes what the recorder noted, as the service does every second.
  func flush() async {
    await ActivityWriter(
      client: database.client, recorder: server.services.activityRecorder, logger: Fixture.logger
    ).flush()
  }

  /// The answer to a report, which must be 200.
  func report(_ path: String, authorization: String = "Bearer \(Fixture.adminToken)") async throws -> Reply {
    let reply = try await send("GET", "/api/v1/\(path)", authorization: authorization)
    #expect(reply.status == 200, "\(path): \(reply.text)")
    return reply
  }

  /// All rows of a paged list, page by page.
  func rows(_ path: String, limit: Int = 200) async throws -> [JSONValue] {
    var rows: [JSONValue] = []
    var cursor: Int64?
    repeat {
      let separator = path.contains("?") ? "&" : "?"
      let page = try await report(
        "\(path)\(separator)limit=\(limit)" + (cursor.map { "&cursor=\($0)" } ?? ""))
      rows += page.data?.array ?? []
      cursor = page.json?["page_info"]?["next_cursor"]?.integer
    } while cursor != nil
    return rows
  }

  /// Another tenant and its admin.
  func otherTenant(_ name: TenantID = "acme") async throws -> (client: LicenseKitHTTPClient, authorization: String) {
    try await server.administration.createTenant(name, name: name.rawValue)
    let token = try await server.administration.createToken(for: name, name: "t", scopes: [.admin]).token
    return (client(token: token), "Bearer \(token)")
  }
}

extension [JSONValue] {
  func texts(_ member: String) -> [String] { compactMap { $0[member]?.string } }
  func sum(_ member: String) -> Int64 { reduce(0) { $0 + ($1[member]?.integer ?? 0) } }
}
