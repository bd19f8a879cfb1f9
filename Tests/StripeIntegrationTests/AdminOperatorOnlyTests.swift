import Foundation
import HTTPTransport
import Identity
import JSON
import Testing

@testable import Purchases
@testable import StripeIntegration

@Suite("What only the operator's token may do")
struct AdminOperatorOnlyTests {
  // MARK: The service's own LicenseKit

  /// Every way of writing "the service's LicenseKit", or its server, for an address it has.
  private static let spellings: [(service: String?, addresses: [String])] = [
    // In the same process, it is reached at the service's public address.
    (
      nil,
      [
        "https://licenses.example.com", "https://licenses.example.com/", "https://licenses.example.com:443",
        "HTTPS://Licenses.Example.COM//", "https://licenses.example.com./", "https://licenses.example.com/api/v1",
        "https://licenses.example.com/t/default", "https://licenses.example.com/x/../",
        "  https://licenses.example.com ",
        "https://licenses.example.com?a=b", "https://licenses%2Eexample.com", "https://user@licenses.example.com",
        "https://licenses.example.com#x", "https://licenses.example.com:0443",
      ]
    ),
    (
      "https://kit.example.com/prefix",
      [
        "https://kit.example.com/prefix", "https://kit.example.com/prefix/", "https://KIT.example.com/prefix",
        "https://kit.example.com:443/prefix//", "https://kit.example.com./prefix", "https://kit.example.com",
        "https://kit.example.com/%70refix", "http://kit.example.com:443/prefix",
        // Nor is the address that the service itself is reached at a vendor's LicenseKit.
        "https://licenses.example.com",
      ]
    ),
    (
      "http://127.0.0.1:9911",
      [
        "http://127.0.0.1:9911", "http://127.0.0.1:9911/", "http://localhost:9911", "http://LocalHost:9911/",
        "https://localhost:9911", "http://localhost.:9911", "http://kit.localhost:9911", "http://127.1:9911",
        "http://127.0.0.2:9911", "http://2130706433:9911", "http://0x7f000001:9911", "http://0177.0.0.1:9911",
        "http://[::1]:9911", "http://[0:0:0:0:0:0:0:1]:9911", "http://[::ffff:127.0.0.1]:9911", "http://0.0.0.0:9911",
        "http://[::]:9911", "https://127.0.0.1:9911/t/default",
      ]
    ),
  ]

  @Test("a vendor's own token never binds the service's own LicenseKit, however it is written", arguments: 0..<3)
  func servicesLicenseKit(_ number: Int) async throws {
    let (service, addresses) = Self.spellings[number]
    try await Backend.open(licenseKitURL: service) { backend in
      let vendor = try await backend.token(of: backend.shop.tenant)
      let own = try await backend.admin(
        "PUT", "connections/licensekit", ["base_url": "https://kit.other.com/", "token": "lkm_vendor"], token: vendor)
      #expect(own.status == 200)

      let named: JSONValue = ["account_id": "acct_1", "livemode": false]
      var bodies: [JSONValue?] = [
        nil, [:], named, ["base_url": nil], ["token": nil], ["base_url": nil, "token": nil],
        ["token": "lkm_vendor"], ["base_url": nil, "token": "lkm_vendor"], ["base_url": "", "token": "lkm_vendor"],
        ["base_url": " ", "token": "lkm_vendor"], ["base_url": "", "token": ""],
      ]
      for address in addresses {
        bodies.append(["base_url": .string(address), "token": "lkm_vendor"])
        bodies.append(["base_url": .string(address)])
      }
      for body in bodies {
        let reply = try await backend.admin("PUT", "connections/licensekit", body, token: vendor)
        #expect(reply.status == 403, "\(body.map { String(decoding: $0.encoded(), as: UTF8.self) } ?? "no body")")
        #expect(reply.code == "FORBIDDEN")
      }
      let left = try await backend.admin("GET", "connections", token: vendor)
      #expect(left.items.map { $0["licensekit_base_url"]?.string } == ["https://kit.other.com"])
      let audit = try await backend.admin("GET", "audit", token: vendor)
      #expect(audit.items.count { $0["action"] == "connection.licensekit" } == 1)
    }
  }

  @Test("the operator gives a connection the service's LicenseKit, with or without a token of its own")
  func operatorBinds() async throws {
    try await Backend.open(licenseKitURL: "http://127.0.0.1:9911") { backend in
      for body in [
        [:], ["base_url": nil, "token": nil], ["token": "lkm_tenant"],
        ["base_url": "http://localhost:9911", "token": "lkm_tenant"],
      ] as [JSONValue] {
        let reply = try await backend.admin("PUT", "connections/licensekit?\(backend.named)", body)
        #expect(reply.status == 200, "\(reply.text)")
      }
    }
  }

  @Test("an address beside the service's own is a vendor's to choose")
  func vendorsOwn() async throws {
    try await Backend.open(licenseKitURL: "https://kit.example.com") { backend in
      let vendor = try await backend.token(of: backend.shop.tenant)
      for address in [
        "https://kit.example.com:8443", "https://my.kit.example.com", "https://kit.example.com.other.com",
      ] {
        let body: JSONValue = ["base_url": .string(address), "token": "lkm_vendor"]
        #expect(try await backend.admin("PUT", "connections/licensekit", body, token: vendor).status == 200)
      }
      for address in ["https://127.1", "https://0x7f000001", "https://[::ffff:10.0.0.1]", "https://localhost."] {
        let body: JSONValue = ["base_url": .string(address), "token": "lkm_vendor"]
        let reply = try await backend.admin("PUT", "connections/licensekit", body, token: vendor)
        #expect(reply.status == 422 && reply.detail?.hasPrefix("base_url") == true, "\(address): \(reply.text)")
      }
    }
  }

  @Test(
    "a connection whose vendor once gave up its own LicenseKit waits for the operator, and is not given the service's")
  func givenUp() async throws {
    try await Backend.open { backend in
      let directory = LicenseKitDirectory(
        store: backend.connections, baseURL: "https://kit.example.com", token: "lkm_service",
        transport: backend.transport
      )
      let tokenAlone = ConnectionLicenseKit(baseURL: nil, token: "lkm_vendor")
      for stored in [nil, tokenAlone] {
        try await backend.connections.setLicenseKit(stored, of: backend.shop.tenant, byOperator: false)
        await #expect(throws: TenantUnavailable.self) { _ = try await directory.client(for: backend.shop.tenant) }
      }
      let given = try await backend.admin("PUT", "connections/licensekit?\(backend.named)", [:])
      #expect(given.status == 200)
      _ = try await directory.client(for: backend.shop.tenant)
    }
  }

  // MARK: Every route with every credential

  /// What a request carries, and what every admin route says to it; nil where it depends on the route.
  private enum Credential: String, CaseIterable {
    case none, unknown, ofNobody, expired
    case vendor, vendorNamingItself, vendorNamingAnother, vendorNamingOtherMode, vendorNamingAnotherInBody
    case serviceOperator, operatorNamingNobody

    var refusal: Int? {
      switch self {
      case .none, .unknown, .ofNobody, .expired: 401
      case .vendorNamingAnother, .vendorNamingOtherMode, .vendorNamingAnotherInBody: 403
      case .vendor, .vendorNamingItself, .serviceOperator, .operatorNamingNobody: nil
      }
    }
  }

  /// What a vendor's own token is refused, with the body that asks for it.
  private static let operatorOnly: [String: JSONValue] = [
    "POST /stripe/admin/tokens": ["name": "another"], "PUT /stripe/admin/connections/licensekit": [:],
    "POST /stripe/admin/install-links": ["token": "lkm_own"], "GET /stripe/admin/installs": [:],
    "POST /stripe/admin/installs/read": [:],
  ]
  /// What the operator may ask without naming a tenant.
  private static let acrossTenants: Set = [
    "GET /stripe/admin/connections", "POST /stripe/admin/connections/unpark", "POST /stripe/admin/install-links",
    "GET /stripe/admin/installs", "POST /stripe/admin/installs/read",
  ]

  @Test("every admin route, with every credential")
  func everyRoute() async throws {
    let routes = try DescriptionTests.routes().filter { $0.contains(" /stripe/admin") }
    #expect(routes.count > 45)
    #expect(Set(Self.operatorOnly.keys).union(Self.acrossTenants).isSubset(of: routes))
    try await Backend.open { backend in
      let vendor = try await backend.token(of: backend.shop.tenant)
      let expired = try await backend.token(of: backend.shop.tenant, expiresAt: Date(timeIntervalSinceNow: -1))
      for route in routes {
        let parts = route.split(separator: " ").map(String.init)
        let path = parts[1].replacing("{id}", with: "none").replacing("{license_id}", with: "none")
        for credential in Credential.allCases {
          // What a route without a body would be refused for anyway.
          if credential == .vendorNamingAnotherInBody, parts[0] == "GET" { continue }
          var body = Self.operatorOnly[route] ?? [:]
          var (token, query): (String?, String) = (vendor, "")
          switch credential {
          case .none: token = nil
          case .unknown: token = "wrong-wrong-wrong-wrong"
          case .ofNobody: token = "sit_acct_1_test_wrong"
          case .expired: token = expired
          case .vendor: break
          case .vendorNamingItself: query = "?\(backend.named)"
          case .vendorNamingAnother: query = "?account_id=acct_2"
          case .vendorNamingOtherMode: query = "?livemode=true"
          case .vendorNamingAnotherInBody: body = ["account_id": "acct_2"]
          case .serviceOperator: (token, query) = (Backend.operatorToken, "?\(backend.named)")
          case .operatorNamingNobody: token = Backend.operatorToken
          }
          let reply = try await backend.send(
            parts[0], path + query, body: parts[0] == "GET" ? nil : body,
            headers: token.map { [("Authorization", "Bearer \($0)")] } ?? [])
          let asked = "\(route) as \(credential.rawValue): \(reply.status) \(reply.text.prefix(200))"
          if let refusal = credential.refusal {
            #expect(reply.status == refusal, "\(asked)")
          } else if credential == .operatorNamingNobody {
            #expect(Self.acrossTenants.contains(route) ? reply.status != 403 : reply.status == 400, "\(asked)")
          } else if credential != .serviceOperator, Self.operatorOnly[route] != nil {
            #expect(reply.status == 403, "\(asked)")
          } else {
            #expect(![401, 403, 500].contains(reply.status), "\(asked)")
          }
        }
      }
    }
  }
}
