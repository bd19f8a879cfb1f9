import Cryptography
import Foundation
import HTTPTransport
import Identity
import JSON
import LicenseKitAPI
import LicenseKitHTTP
import StripeAPI
import StripeHTTP
import Testing

@testable import StripeIntegration

@Suite("Views of the Dashboard app")
struct AppViewsTests {
  @Test("every object of a sale shows its licenses, live, without any key")
  func showsLicenses() async throws {
    try await Backend.open { backend in
      try await backend.sell()
      let license = try #require(try await backend.shop.licenses().first)
      let key = try #require(try await backend.shop.key(of: license.id))
      try await backend.shop.deliver([
        StripeFixture.Event("evt_2", "charge.updated", at: 1_799_999_002, StripeFixture.charge())
      ])
      try await backend.shop.settle()
      for (query, type) in [
        ("customer?customer=cus_1", "customer"), ("payment?payment=pi_1", "payment"),
        ("payment?payment=ch_1", "payment"),
      ] {
        let reply = try await backend.view(query)
        #expect(reply.status == 200, "\(query): \(reply.text)")
        let data = try #require(reply.data)
        #expect(data["object"]?["type"]?.string == type)
        #expect(data["stale"] == false)
        #expect(data["fulfillments"]?.array?.first?["status"] == "fulfilled")
        #expect(data["fulfillments"]?.array?.first?["stripe_id"] == "cs_test_1")
        let shown = try #require(data["licenses"]?.array?.first)
        #expect(shown["id"]?.string == license.id.rawValue)
        #expect(shown["status"] == "active")
        #expect(shown["product"]?["name"] == "App")
        #expect(shown["policy"]?["name"] == "For ever")
        #expect(shown["active_device_count"] == 0)
        #expect(shown["url"]?.string == "https://app.licensekit.dev/licenses/\(license.id)")
        #expect(!reply.text.contains(key))
      }
      for query in ["customer?customer=cus_none", "subscription?subscription=sub_none", "invoice?invoice=in_none"] {
        let reply = try await backend.view(query)
        #expect(reply.status == 200)
        #expect(reply.data?["licenses"] == [])
        #expect(reply.data?["fulfillments"] == [])
      }
    }
  }

  @Test("a sale that gave no license says why")
  func saysWhy() async throws {
    try await Backend.open(mapped: false) { backend in
      try await backend.sell()
      let reply = try await backend.view("payment?payment=pi_1")
      #expect(reply.data?["licenses"] == [])
      #expect(reply.data?["fulfillments"]?.array?.first?["status"] == "waiting_mapping")
      #expect(reply.data?["fulfillments"]?.array?.first?["reason"]?.string?.contains("No mapping") == true)
    }
  }

  @Test("while LicenseKit is away the stored state is shown, and said to be stale")
  func staysUseful() async throws {
    try await Backend.open(licenseKit: AwayLicenseKit()) { backend in
      try await backend.sell()
      let reply = try await backend.view("customer?customer=cus_1")
      #expect(reply.status == 200)
      #expect(reply.data?["stale"] == true)
      let shown = try #require(reply.data?["licenses"]?.array?.first)
      #expect(shown["status"] == "active")
      #expect(shown["key_hint"]?.string != nil)
      #expect(shown["product"]?["id"]?.string == backend.shop.product.rawValue)
      #expect(shown["devices"] == [])
    }
  }

  @Test("nothing of another account or mode is shown, and an unknown account is refused")
  func keepsAccountsApart() async throws {
    try await Backend.open { backend in
      try await backend.sell()
      for query in ["customer?customer=cus_1", "payment?payment=pi_1"] {
        let reply = try await backend.view(query, account: "acct_2")
        #expect(reply.data?["licenses"] == [])
        #expect(reply.data?["fulfillments"] == [])
      }
      let unknown = try await backend.view("customer?customer=cus_1", account: "acct_3")
      #expect(unknown.status == 403)
      #expect(unknown.code == "ACCOUNT_NOT_CONNECTED")
      try await backend.connections.disconnect(backend.shop.tenant)
      #expect(try await backend.view("customer?customer=cus_1").code == "ACCOUNT_NOT_CONNECTED")
    }
  }

  @Test("an id that cannot be one is refused by name")
  func checksIDs() async throws {
    try await Backend.open { backend in
      for (path, field) in [
        ("customer?x=1", "customer"), ("customer?customer=sub_1", "customer"), ("customer?customer=cus_", "customer"),
        ("customer?customer=cus_1%27", "customer"), ("subscription?subscription=si_1", "subscription"),
        ("invoice?invoice=inv_1", "invoice"), ("payment?payment=re_1", "payment"),
      ] {
        let reply = try await backend.view(path)
        #expect(reply.status == 400, "\(path)")
        #expect(reply.code == "INVALID_QUERY")
        #expect(reply.detail?.hasPrefix(field) == true, "\(path)")
      }
    }
  }

  @Test("browsers of allowed origins can read every answer, errors and limits included; others none")
  func cors() async throws {
    try await Backend.open(redis: true, burst: 4) { backend in
      for origin in ["null", "https://dashboard.stripe.com"] {
        let preflight = try await backend.send(
          "OPTIONS", "/stripe/app/customer",
          headers: [
            ("Origin", origin), ("Access-Control-Request-Method", "GET"),
            ("Access-Control-Request-Headers", "stripe-signature"),
          ])
        #expect(preflight.status == 204)
        #expect(preflight.header("access-control-allow-origin") == origin)
        #expect(preflight.header("access-control-allow-headers")?.contains("Stripe-Signature") == true)
        let unsigned = try await backend.send(
          "GET", "/stripe/app/customer?customer=cus_1", headers: [("Origin", origin)])
        #expect(unsigned.status == 401)
        #expect(unsigned.code == "SIGNATURE_INVALID")
        let answers = [unsigned, try await backend.view("customer?customer=cus_1", origin: origin)]
        for reply in answers {
          #expect(reply.header("access-control-allow-origin") == origin)
          #expect(reply.header("vary") == "Origin")
          #expect(reply.header("access-control-allow-credentials") == nil)
        }
      }
      let foreign = try await backend.view("customer?customer=cus_1", origin: "https://evil.example")
      #expect(foreign.header("access-control-allow-origin") == nil)
      #expect(foreign.header("vary") == "Origin")
      var last: Backend.Reply?
      for _ in 0..<10 where last?.status != 429 { last = try await backend.view("customer?customer=cus_1") }
      #expect(last?.status == 429)
      #expect(last?.header("retry-after") != nil)
      #expect(last?.header("access-control-allow-origin") == "null")
      #expect(try await backend.view("customer?customer=cus_1", account: "acct_2").status == 200)
    }
  }

  @Test("HEAD is answered as GET is, without a body")
  func head() async throws {
    try await Backend.open { backend in
      let reply = try await backend.view("customer?customer=cus_1", method: "HEAD")
      #expect(reply.status == 200)
      #expect(reply.isEmpty)
    }
  }
}

@Suite("Signatures of the Dashboard app")
struct AppViewsSignatureTests {
  private let secrets: [AppSigningSecret]

  init() throws { secrets = [try AppSigningSecret(Backend.appSecret)] }

  @Test("the plain form is accepted with ids in the query or in headers, and under an older secret")
  func plainForm() async throws {
    try await Backend.open { backend in
      for secret in ["absec_old", Backend.appSecret] {
        let signature = try AppSignature.sign(
          userID: "usr_1", accountID: "acct_1", secrets: [try AppSigningSecret(secret)], at: Shop.now)
        let path = "/stripe/app/customer?customer=cus_1&livemode=false"
        let inQuery = try await backend.send(
          "GET", path + "&user_id=usr_1&account_id=acct_1", headers: [("Stripe-Signature", signature)])
        #expect(inQuery.status == 200)
        let ids = [("Stripe-User-Id", "usr_1"), ("Stripe-Account-Id", "acct_1"), ("Stripe-Signature", signature)]
        #expect(try await backend.send("GET", path, headers: ids).status == 200)
        // Without livemode the live connection is meant, and there is none.
        #expect(
          try await backend.send("GET", "/stripe/app/customer?customer=cus_1", headers: ids).code
            == "ACCOUNT_NOT_CONNECTED")
      }
    }
  }

  @Test("the full form is accepted as a body, in the query and in a header, and what was signed counts")
  func fullForm() async throws {
    try await Backend.open { backend in
      let payload: JSONValue = [
        "operation": "view", "customer": "cus_1", "livemode": false, "nonce": "n-1", "user_id": "usr_1",
        "account_id": "acct_1",
      ]
      let signature = (
        "Stripe-Signature", AppSignature.sign(payload: payload.encoded(), secrets: secrets, at: Shop.now)
      )
      let text = Base64.encodeURL(payload.encoded())
      let path = "/stripe/app/customer"
      #expect(try await backend.send("POST", path, body: payload, headers: [signature]).status == 200)
      #expect(try await backend.send("GET", "\(path)?payload=\(text)", headers: [signature]).status == 200)
      let inHeader = [signature, ("Stripe-Signed-Payload", text)]
      #expect(try await backend.send("GET", path, headers: inHeader).status == 200)
      let other = try await backend.send("GET", "\(path)?customer=cus_2", headers: inHeader)
      #expect(other.status == 400)
      let otherMode = try await backend.send("GET", "\(path)?livemode=true", headers: inHeader)
      #expect(otherMode.status == 400)
    }
  }

  @Test("a bad, old, foreign or missing signature is refused")
  func refusals() async throws {
    try await Backend.open { backend in
      func sign(_ account: String, _ secret: String, at time: Date) throws -> String {
        try AppSignature.sign(userID: "usr_1", accountID: account, secrets: [try AppSigningSecret(secret)], at: time)
      }
      let right = try sign("acct_1", Backend.appSecret, at: Shop.now)
      for (name, header) in [
        ("missing", nil), ("empty", ""), ("garbage", "t=1,v1=00"),
        ("another secret", try sign("acct_1", "absec_9", at: Shop.now)),
        ("another account", try sign("acct_2", Backend.appSecret, at: Shop.now)),
        ("old", try sign("acct_1", Backend.appSecret, at: Shop.now.addingTimeInterval(-301))),
        ("early", try sign("acct_1", Backend.appSecret, at: Shop.now.addingTimeInterval(301))),
        ("upper case", right.uppercased()),
      ] as [(String, String?)] {
        let reply = try await backend.send(
          "GET", "/stripe/app/customer?customer=cus_1&livemode=false&user_id=usr_1&account_id=acct_1",
          headers: header.map { [("Stripe-Signature", $0)] } ?? [])
        #expect(reply.status == 401, "\(name)")
        #expect(reply.code == "SIGNATURE_INVALID", "\(name)")
      }
    }
  }
}

/// A LicenseKit that nobody can reach.
private struct AwayLicenseKit: LicenseKitAccess {
  private struct Wire: HTTPSending {
    func send(_ request: HTTPTransportRequest) async throws(HTTPTransportError) -> HTTPTransportResponse {
      throw .connectionLost("away")
    }
  }

  func client(for tenant: Tenant) async throws -> any LicenseKitClient {
    LicenseKitHTTPClient(baseURL: "http://127.0.0.1:1", token: "t", transport: Wire())
  }
}
