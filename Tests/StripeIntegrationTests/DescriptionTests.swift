import Cryptography
import Foundation
import HTTPTransport
import JSON
import LicenseKitAPI
import LicenseServer
import Logging
import Postgres
import ServerKit
import TestSupport
import Testing

@testable import StripeIntegration

/// docs/openapi.yaml against the routes of the product with the Stripe integration mounted.
@Suite("The description of the routes")
struct DescriptionTests {
  /// `METHOD /path` of every operation in the file. It is written with a fixed indentation: paths by two spaces, methods
  /// by four.
  static func described() throws -> [String] {
    let url = PackageRoot.url.appendingPathComponent("docs/openapi.yaml")
    let text = try String(contentsOf: url, encoding: .utf8)
    let paths = try #require(text.firstMatch(of: /(?ms)^paths:\n(.*?)^components:/)).1
    var described: [String] = []
    var path = ""
    for line in paths.split(separator: "\n") {
      if let match = line.wholeMatch(of: /\ \ (\/[^ ]*):/) { path = String(match.1) }
      if let match = line.wholeMatch(of: /\ {4}(get|put|post|patch|delete):/) {
        described.append("\(match.1.uppercased()) \(path)")
      }
    }
    return described
  }

  /// The routes as `licensekit serve` puts them together.
  static func routes() throws -> [String] {
    let logger = Logger(label: "routes", factory: { _ in SwiftLogNoOpLogHandler() })
    let keyRing = try KeyRing(parsing: KeyRing.newEntry(id: "k1"))
    // Nothing is asked of it.
    let postgres = PostgresClient(try PostgresConfiguration(url: "postgres://localhost/none"), logger: logger)
    let transport = HTTPTransport(logger: logger)
    defer { transport.shutdown() }
    let server = LicenseServer(client: postgres, keyRing: keyRing, logger: logger)
    let integration = IntegrationServer(
      configuration: IntegrationConfiguration(
        live: nil, test: .init(clientID: "ca_1", secretKeys: ["sk_test_1"]), webhookSecrets: .init(live: ["whsec_1"]),
        appSigningSecrets: .init(live: ["absec_1"]), publicBaseURL: "https://licenses.example.com",
        adminToken: "operator-operator",
        keyRing: keyRing, licenseKit: .init(baseURL: nil, token: "lkm_service")),
      postgres: postgres, redis: nil, transport: transport, licenseKit: server.inProcessClient(token: "lkm_service"),
      licenseKitClient: { server.inProcessClient(token: $0) }, logger: logger)
    let router = AppRouter()
    server.addRoutes(to: router, metrics: MetricsRegistry())
    integration.addRoutes(to: router)
    router.addFileRoute("openapi.yaml", [], contentType: "application/yaml")
    return router.table
  }

  @Test("every route is described, and nothing else is")
  func agree() throws {
    let (described, routes) = (try Self.described(), try Self.routes())
    #expect(described.count == Set(described).count, "a route is described twice")
    #expect(Set(routes).subtracting(described).sorted() == [], "served and not described")
    #expect(Set(described).subtracting(routes).sorted() == [], "described and not served")
  }
}
