import Cryptography
import Foundation
import HTTPTransport
import Identity
import JSON
import LicenseKitAPI
import LicenseKitHTTP
import Logging
import Postgres
import ServerKit
import StripeAPI
import StripeHTTP
import TestSupport
import Testing

@testable import StripeIntegration
@testable import Tenancy

@Suite("What the signing secrets of each mode vouch for")
struct ModeSecretsTests {
  private static let now = Date(timeIntervalSince1970: 1_800_000_000)

  private static let environment = [
    "STRIPE_APP_CLIENT_ID": "ca_live", "STRIPE_APP_CLIENT_SECRET": "sk_live_1",
    "STRIPE_APP_CLIENT_ID_TEST": "ca_test", "STRIPE_APP_CLIENT_SECRET_TEST": "sk_test_1",
    "STRIPE_APP_CLIENT_ID_SANDBOX": "ca_box", "STRIPE_APP_CLIENT_SECRET_SANDBOX": "sk_test_box",
    "STRIPE_WEBHOOK_SECRET_SANDBOX": "whsec_box", "STRIPE_APP_SIGNING_SECRET_SANDBOX": "absec_box",
    "STRIPE_WEBHOOK_SECRET": "whsec_live_old,whsec_live,whsec_both",
    "STRIPE_WEBHOOK_SECRET_TEST": "whsec_test_old,whsec_test,whsec_both",
    "STRIPE_APP_SIGNING_SECRET": "absec_live,absec_both", "STRIPE_APP_SIGNING_SECRET_TEST": "absec_test,absec_both",
    "STRIPE_PUBLIC_BASE_URL": "https://licenses.example.com", "STRIPE_ADMIN_TOKEN": "0123456789abcdef",
    "LICENSEKIT_API_TOKEN": "lkm_1", "LICENSEKIT_BASE_URL": "https://api.example.com",
    "ENCRYPTION_KEYS": "k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
  ]

  private static func read(_ changes: [String: String] = [:]) throws -> IntegrationConfiguration {
    var reader = EnvironmentReader(environment.merging(changes) { $1 })
    let configuration = IntegrationConfiguration.read(from: &reader, mounted: false)
    try reader.finish()
    return try #require(configuration)
  }

  /// The routes of a service that was configured by its environment, behind a port.
  private struct Service: Sendable {
    let url: String
    let transport: HTTPTransport
    let database: TenantDatabase

    func send(
      _ method: String, _ path: String, _ body: [UInt8]? = nil, _ headers: [(String, String)]
    ) async throws -> Backend.Reply {
      Backend.Reply(
        response: try await transport.send(
          HTTPTransportRequest(method: method, url: url + path, headers: headers, body: body)))
    }

    /// Delivers an event as Stripe does.
    func deliver(_ id: String, livemode: Bool, signedWith secrets: [String]) async throws -> Backend.Reply {
      let body = Array(
        (#"{"id":"\#(id)","object":"event","type":"invoice.paid","created":1799999000,"livemode":\#(livemode),"#
          + #""account":"acct_1","data":{"object":{"id":"in_1","object":"invoice"}}}"#).utf8)
      let signature = WebhookSignature.sign(
        payload: body, secrets: try secrets.map { try WebhookSecret($0) }, at: ModeSecretsTests.now)
      return try await send("POST", "/stripe/webhook", body, [("Stripe-Signature", signature)])
    }

    func events(livemode: Bool) async throws -> [String] {
      try await database.transaction(for: Tenant(account: "acct_1", livemode: livemode)) { transaction in
        let rows = try await transaction.query("SELECT event_id FROM stripe_integration.inbox ORDER BY received_at")
        return try rows.map { row in try row.get("event_id", as: String.self) }
      }
    }
  }

  private static func run(
    _ changes: [String: String] = [:], _ body: @Sendable (Service) async throws -> Void
  ) async throws {
    let configuration = try read(changes)
    try await withDatabase(migrations: ["migrations/integration"]) { database in
      let logger = Logger(label: "modes", factory: { _ in SwiftLogNoOpLogHandler() })
      let transport = HTTPTransport(logger: logger)
      defer { transport.shutdown() }
      let server = IntegrationServer(
        configuration: configuration, postgres: database.client, redis: nil, transport: transport,
        licenseKit: LicenseKitHTTPClient(baseURL: "https://api.example.com", token: "lkm_1", transport: transport),
        licenseKitClient: { _ in nil }, clock: { now }, logger: logger)
      let router = AppRouter()
      server.addRoutes(to: router)
      try await withServer(router) { address in
        try await body(
          Service(url: address.url, transport: transport, database: TenantDatabase(database.client)))
      }
      await server.inbox.shutdown()
    }
  }

  @Test("a live event needs a live secret; a test event may be signed with either, since live endpoints get both")
  func webhooks() async throws {
    try await Self.run { service in
      for (id, livemode, secrets, isTaken) in [
        ("evt_1", true, ["whsec_live"], true), ("evt_2", true, ["whsec_live_old"], true),
        ("evt_3", true, ["whsec_test"], false), ("evt_4", true, ["whsec_test_old", "whsec_test"], false),
        ("evt_5", true, ["whsec_both"], true), ("evt_6", true, ["whsec_test", "whsec_live"], true),
        ("evt_7", false, ["whsec_live"], true), ("evt_8", false, ["whsec_test"], true),
        ("evt_9", false, ["whsec_test_old"], true), ("evt_10", false, ["whsec_other"], false),
        ("evt_11", true, ["whsec_other"], false), ("evt_12", true, ["absec_live"], false),
        ("evt_13", true, ["whsec_box"], false), ("evt_14", false, ["whsec_box"], true),
      ] {
        let reply = try await service.deliver(id, livemode: livemode, signedWith: secrets)
        #expect(reply.status == (isTaken ? 200 : 400), "\(id): \(reply.text)")
        if !isTaken { #expect(reply.code == "SIGNATURE_INVALID") }
      }
      let live = try await service.events(livemode: true)
      let test = try await service.events(livemode: false)
      #expect(live == ["evt_1", "evt_2", "evt_5", "evt_6"])
      #expect(test == ["evt_7", "evt_8", "evt_9", "evt_14"])
    }
  }

  @Test("with a secret of test mode alone nothing live is taken")
  func testModeAlone() async throws {
    let testAlone = [
      "STRIPE_APP_CLIENT_ID": "", "STRIPE_APP_CLIENT_SECRET": "", "STRIPE_WEBHOOK_SECRET": "",
      "STRIPE_APP_SIGNING_SECRET": "", "STRIPE_APP_CLIENT_ID_SANDBOX": "", "STRIPE_APP_CLIENT_SECRET_SANDBOX": "",
    ]
    try await Self.run(testAlone) { service in
      let live = try await service.deliver("evt_1", livemode: true, signedWith: ["whsec_test"])
      let test = try await service.deliver("evt_2", livemode: false, signedWith: ["whsec_test"])
      let stored = try await service.events(livemode: true)
      #expect(live.status == 400 && test.status == 200)
      #expect(stored.isEmpty)
    }
  }

  @Test("the app speaks of live mode under the live secret only, in every form and on every route")
  func appRoutes() async throws {
    let routes = [
      "customer?customer=cus_1", "subscription?subscription=sub_1", "invoice?invoice=in_1", "payment?payment=pi_1",
      "settings?x=1", "evidence?payment=pi_1",
    ]
    try await Self.run { service in
      // Nothing is installed: whoever signs rightly is told that.
      for (secret, livemode, isHeard) in [
        ("absec_live", true, true), ("absec_both", true, true), ("absec_test", true, false), ("absec_live", nil, true),
        ("absec_test", nil, false), ("absec_live", false, true), ("absec_test", false, true),
        ("whsec_live", true, false), ("absec_box", true, false), ("absec_box", false, true),
      ] as [(String, Bool?, Bool)] {
        func check(_ reply: Backend.Reply, _ asked: String) {
          let what = "\(asked) under \(secret), livemode \(livemode.map { "\($0)" } ?? "not named"): \(reply.text)"
          #expect(reply.status == (isHeard ? 403 : 401), "\(what)")
          #expect(reply.code == (isHeard ? "ACCOUNT_NOT_CONNECTED" : "SIGNATURE_INVALID"), "\(what)")
        }
        let secrets = [try AppSigningSecret(secret)]
        let named = livemode.map { "&livemode=\($0)" } ?? ""
        let plain = try AppSignature.sign(userID: "usr_1", accountID: "acct_1", secrets: secrets, at: Self.now)
        var fields: JSONObject = ["user_id": "usr_1", "account_id": "acct_1"]
        fields["livemode"] = livemode.map { .bool($0) }
        let payload = JSONValue.object(fields).encoded()
        let whole = AppSignature.sign(payload: payload, secrets: secrets, at: Self.now)
        for route in routes {
          check(
            try await service.send(
              "GET", "/stripe/app/\(route)\(named)&user_id=usr_1&account_id=acct_1", nil, [("Stripe-Signature", plain)]),
            "GET \(route), plain")
          check(
            try await service.send(
              "GET", "/stripe/app/\(route)", nil,
              [("Stripe-Signature", whole), ("Stripe-Signed-Payload", Base64.encodeURL(payload))]),
            "GET \(route), whole")
          check(
            try await service.send("POST", "/stripe/app/\(route)", payload, [("Stripe-Signature", whole)]),
            "POST \(route)")
        }
        // What changes something always names its mode.
        guard let livemode else { continue }
        let action: JSONValue = [
          "operation": "suspend_license", "object": "lic_1", "livemode": .bool(livemode), "nonce": "0123456789abcdef",
          "user_id": "usr_1", "account_id": "acct_1",
        ]
        let signature = AppSignature.sign(payload: action.encoded(), secrets: secrets, at: Self.now)
        check(
          try await service.send("POST", "/stripe/app/actions", action.encoded(), [("Stripe-Signature", signature)]),
          "POST actions")
      }
    }
  }

  @Test(
    "live mode without a live signing secret is a problem that is told at the start",
    arguments: ["STRIPE_WEBHOOK_SECRET", "STRIPE_APP_SIGNING_SECRET"])
  func liveNeedsLive(_ name: String) throws {
    let error = #expect(throws: ConfigurationProblems.self) { _ = try Self.read([name: ""]) }
    #expect(error?.problems.map(\.name) == [name])
    // Test mode alone needs no live secret, and a live secret serves it.
    let testAlone = [
      "STRIPE_APP_CLIENT_ID": "", "STRIPE_APP_CLIENT_SECRET": "", "STRIPE_APP_CLIENT_ID_SANDBOX": "",
      "STRIPE_APP_CLIENT_SECRET_SANDBOX": "",
    ]
    _ = try Self.read(testAlone.merging([name: ""]) { $1 })
    _ = try Self.read(testAlone.merging([name + "_TEST": ""]) { $1 })
    _ = try Self.read([name + "_TEST": ""])
  }
}
