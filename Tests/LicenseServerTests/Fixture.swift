import Cryptography
import Foundation
import HTTPTransport
import Identity
import JSON
import LicenseKitAPI
import LicenseKitHTTP
import LicenseServer
import Logging
import Postgres
import ServerKit
import Synchronization
import TestSupport
import Testing

/// A running license server with a database and a port of its own, and a clock that stands still until a test moves it.
struct Fixture: Sendable {
  let database: TestDatabase
  let server: LicenseServer
  let clock: TestClock
  let url: String
  let transport: HTTPTransport

  static let adminToken = "lkm_bootstrap0000000000000000000000000000000000"
  static let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

  /// The default tenant's admin over HTTP.
  var admin: LicenseKitHTTPClient { client(token: Self.adminToken) }

  func client(token: String) -> LicenseKitHTTPClient {
    LicenseKitHTTPClient(baseURL: url, token: token, transport: transport)
  }

  /// A raw request, to look at exactly what comes back.
  func send(
    _ method: String, _ path: String, _ body: String? = nil, authorization: String? = "Bearer \(adminToken)",
    headers: [(String, String)] = []
  ) async throws -> Reply {
    var fields = headers
    if let authorization { fields.append(("Authorization", authorization)) }
    let response = try await transport.send(
      // A busy machine is no failure of what is tested.
      HTTPTransportRequest(
        method: method, url: url + path, headers: fields, body: body.map { Array($0.utf8) }, deadline: .seconds(120)))
    return Reply(response: response)
  }

  /// What an application sends with its license key.
  func runtime(
    _ operation: String, key: String, _ body: String = #"{"fingerprint":"machine-1"}"#, idempotencyKey: String? = nil
  ) async throws -> Reply {
    try await send(
      "POST", "/api/v1/license/\(operation)", body, authorization: "License \(key)",
      headers: idempotencyKey.map { [("Idempotency-Key", $0)] } ?? [])
  }
}

/// An answer, read.
struct Reply: Sendable {
  let response: HTTPTransportResponse

  var status: Int { response.status }
  var json: JSONValue? { try? JSONValue(parsing: response.body) }
  var data: JSONValue? { json?["data"] }
  var code: String? { json?["error"]?["code"]?.string }
  var detail: String? { json?["error"]?["detail"]?.string }
  var text: String { response.text }
  /// The bytes of `data` as they came, up to the member that follows it.
  func rawData(before member: String) -> String? {
    guard let end = text.range(of: ",\"\(member)\":") else { return nil }
    return String(text[..<end.lowerBound].dropFirst("{\"data\":".count))
  }
}

/// A clock that a test sets.
final class TestClock: Sendable {
  private let time: Mutex<Date>

  init(_ text: String) { time = Mutex(RFC3339.date(from: text) ?? Date(timeIntervalSince1970: 0)) }

  var now: Date { time.withLock { $0 } }
  func advance(days: Double = 0, seconds: Double = 0) { time.withLock { $0 += days * 86_400 + seconds } }
}

/// A product with everything needed to issue licenses.
struct Catalog: Sendable {
  var product: Product
  var policy: Policy
  var feature: Feature
}

func withLicenseServer<T: Sendable>(
  destinations: AddressPolicy = .publicOnly(), isolation: isolated (any Actor)? = #isolation,
  _ body: (Fixture) async throws -> T
) async throws -> T {
  try await withDatabase(migrations: ["migrations/server"]) { database in
    let clock = TestClock("2026-03-24T00:00:00Z")
    let keyRing = try KeyRing(parsing: KeyRing.newEntry(id: "test"))
    let server = LicenseServer(
      client: database.client, keyRing: keyRing, destinations: destinations, clock: { clock.now },
      logger: Fixture.logger)
    try await server.bootstrap(adminToken: Fixture.adminToken)
    let metrics = MetricsRegistry()
    let router = AppRouter(metrics: metrics)
    server.addRoutes(to: router, metrics: metrics)
    let transport = HTTPTransport(logger: Fixture.logger)
    defer { transport.shutdown() }
    return try await withServer(router) { address in
      try await body(
        Fixture(
          database: database, server: server, clock: clock, url: "http://127.0.0.1:\(address.port)",
          transport: transport))
    }
  }
}

/// A new code or external id.
func unique(_ prefix: String) -> String { Random.id(prefix: prefix) }

extension LicenseKitClient {
  func makeCatalog(_ type: LicenseType = .subscription) async throws -> Catalog {
    let product = try await createProduct(ProductCreateRequest(name: "Editor", code: unique("editor-")))
    let policy = try await createPolicy(
      product.id, PolicyCreateRequest(name: "Standard", code: unique("standard-"), licenseType: type))
    let feature = try await createFeature(product.id, FeatureCreateRequest(name: "API calls", code: "api_calls"))
    return Catalog(product: product, policy: policy, feature: feature)
  }

  func issue(
    _ catalog: Catalog, startsAt: Date? = nil, expiresAt: Date? = nil, customer: CustomerID? = nil
  ) async throws -> LicenseCreateResponse {
    try await createLicense(
      LicenseCreateRequest(
        productID: catalog.product.id, policyID: catalog.policy.id, customerID: customer, startsAt: startsAt,
        expiresAt: expiresAt), idempotencyKey: nil)
  }
}

/// The failure of a call, or nil when it worked.
func failure(
  isolation: isolated (any Actor)? = #isolation, _ body: () async throws -> Void
) async -> LicenseKitError? {
  do {
    try await body()
    return nil
  } catch { return error as? LicenseKitError }
}
