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
import TestSupport
import Testing

@testable import LicenseServer

@Suite("Webhook endpoints")
struct WebhookEndpointTests {
  private static let members = [
    "id", "name", "url", "secret_prefix", "event_types", "is_active", "last_delivery_at", "created_at", "updated_at",
  ]

  private func keys(_ value: JSONValue?) -> [String] { value?.object?.keys ?? [] }

  @Test("made, listed, read, changed and removed, each with the contract's status and members in the schema's order")
  func life() async throws {
    try await withLicenseServer { fixture in
      let made = try await fixture.send(
        "POST", "/api/v1/webhooks",
        #"{"name":"Shop","url":"https://hooks.example.com/in?a=1","event_types":["license.created","license.created"]}"#
      )
      #expect(made.status == 201, "\(made.text)")
      #expect(keys(made.data) == ["webhook", "secret"])
      let webhook = try #require(made.data?["webhook"])
      #expect(keys(webhook) == Self.members.filter { $0 != "last_delivery_at" })
      let secret = try #require(made.data?["secret"]?.string)
      #expect(secret.hasPrefix("lkw_") && secret.utf8.count > 40)
      #expect(webhook["secret_prefix"]?.string == String(secret.prefix(12)))
      #expect(webhook["event_types"] == ["license.created"] && webhook["is_active"] == true)
      let id = try #require(webhook["id"]?.string)
      #expect(id.hasPrefix("whe_"))

      let listed = try await fixture.send("GET", "/api/v1/webhooks?limit=1000")
      #expect(listed.status == 200 && listed.data?.array == [webhook])
      #expect(!listed.text.contains(secret))
      let read = try await fixture.send("GET", "/api/v1/webhooks/\(id)")
      #expect(read.status == 200 && read.data == webhook)

      fixture.clock.advance(seconds: 5)
      let changed = try await fixture.send(
        "PATCH", "/api/v1/webhooks/\(id)", #"{"name":"Other","event_types":[],"is_active":false}"#)
      #expect(changed.status == 200, "\(changed.text)")
      #expect(changed.data?["name"] == "Other" && changed.data?["event_types"] == [])
      #expect(changed.data?["is_active"] == false && changed.data?["secret"] == nil)
      #expect(changed.data?["updated_at"] != webhook["updated_at"])
      #expect(changed.data?["url"] == webhook["url"], "what is left out stays")

      let removed = try await fixture.send("DELETE", "/api/v1/webhooks/\(id)")
      #expect(removed.status == 204 && removed.response.body.isEmpty)
      #expect(try await fixture.send("GET", "/api/v1/webhooks/\(id)").status == 404)
      #expect(try await fixture.send("DELETE", "/api/v1/webhooks/\(id)").status == 404)
      let trail = try await fixture.admin.listEvents(EventFilter(resourceID: id)).events
      #expect(trail.map(\.eventType) == ["webhook.deleted", "webhook.updated", "webhook.created"])
      #expect(trail.allSatisfy { $0.resourceType == "webhook" })
    }
  }

  @Test("a secret is shown when it was made by the server, and never when the caller chose it by an update")
  func secrets() async throws {
    try await withLicenseServer { fixture in
      let own = "whsec_my_own_secret_of_the_shop"
      let made = try await fixture.send(
        "POST", "/api/v1/webhooks", #"{"name":"S","url":"https://hooks.example.com","secret":"\#(own)"}"#)
      #expect(made.status == 201 && made.data?["secret"]?.string == own)
      #expect(made.data?["webhook"]?["secret_prefix"]?.string.map { own.hasPrefix($0) && $0.count < own.count } == true)
      let id = try #require(made.data?["webhook"]?["id"]?.string)
      let rotated = try await fixture.send("PATCH", "/api/v1/webhooks/\(id)", #"{"rotate_secret":true}"#)
      #expect(rotated.status == 200 && keys(rotated.data) == ["webhook", "secret"], "\(rotated.text)")
      #expect(rotated.data?["secret"]?.string?.hasPrefix("lkw_") == true)
      let replaced = try await fixture.send(
        "PATCH", "/api/v1/webhooks/\(id)", #"{"secret":"\#(own)","rotate_secret":false}"#)
      #expect(replaced.status == 200 && replaced.data?["id"]?.string == id && replaced.data?["secret"] == nil)
      let both = try await fixture.send(
        "PATCH", "/api/v1/webhooks/\(id)", #"{"secret":"\#(own)","rotate_secret":true}"#)
      #expect(both.status == 422 && both.detail?.contains("rotate_secret") == true, "\(both.text)")
      #expect(!both.text.contains(own))
    }
  }

  @Test("secrets are encrypted at rest for their tenant and endpoint, and re-encrypted when the key changes")
  func encryption() async throws {
    try await WebhookBench.open { bench in
      let first = try await bench.endpoint()
      _ = try await bench.fixture.send("PATCH", "/api/v1/webhooks/\(first.id)", #"{"rotate_secret":true}"#)
      let row = try #require(
        try await bench.sql("SELECT sealed_secret, former_sealed_secret FROM license_server.webhook_endpoints").first)
      let former: [UInt8] = try row.get("former_sealed_secret")
      #expect(!String(decoding: former, as: UTF8.self).contains(first.secret))
      let old = bench.services.webhooks.keyRing
      #expect(
        try old.decryptText(former, context: ["license_server", "default", "webhook_secret", first.id]) == first.secret)
      #expect(throws: (any Error).self) {
        try old.decryptText(former, context: ["license_server", "default", "webhook_secret", "whe_other"])
      }
      #expect(throws: (any Error).self) {
        try old.decryptText(former, context: ["license_server", "acme", "webhook_secret", first.id])
      }
    }
    let (old, new) = (try KeyRing.newEntry(id: "old"), try KeyRing.newEntry(id: "new"))
    try await withDatabase(migrations: ["migrations/server"]) { database in
      func server(_ keys: String) throws -> LicenseServer {
        LicenseServer(client: database.client, keyRing: try KeyRing(parsing: keys), logger: Fixture.logger)
      }
      let before = try server(old)
      try await before.bootstrap(adminToken: Fixture.adminToken)
      let caller = Caller.operatorCaller(.defaultTenant)
      let made = try await before.services.webhooks.create(
        WebhookEndpointCreateRequest(name: "S", url: "https://hooks.example.com"), for: caller)
      _ = try await before.services.webhooks.update(
        made.webhook.id, WebhookEndpointUpdateRequest(rotateSecret: true), for: caller)
      let changed = try await server("\(new),\(old)").administration.reencrypt()
      #expect(changed == 2, "the endpoint, and the tenant's signing key")
      #expect(try await server("\(new),\(old)").administration.reencrypt() == 0)
      let row = try #require(
        try await database.client.query(
          "SELECT sealed_secret, former_sealed_secret FROM license_server.webhook_endpoints"
        ).first)
      let onlyNew = try KeyRing(parsing: new)
      let context = ["license_server", "default", "webhook_secret", made.webhook.id.rawValue]
      #expect(try onlyNew.decryptText(row.get("former_sealed_secret"), context: context) == made.secret)
      #expect(try onlyNew.decryptText(row.get("sealed_secret"), context: context) != made.secret)
    }
  }

  /// Body; status, code, and what the detail names.
  static let refusals: [(String, Int, String, String)] = [
    (#"{"name":"A","url":"https://a.example","colour":"red"}"#, 400, "INVALID_JSON", "colour"),
    (#"{"name":"A","url":7}"#, 400, "INVALID_JSON", "url"),
    (#"{"name":"A","url":"#, 400, "INVALID_JSON", ""),
    (#"{"url":"https://a.example"}"#, 422, "VALIDATION_ERROR", "name"),
    (#"{"name":"A"}"#, 422, "VALIDATION_ERROR", "url"),
    (#"{"name":" ","url":"https://a.example"}"#, 422, "VALIDATION_ERROR", "name"),
    (#"{"name":"A","url":"hooks"}"#, 422, "VALIDATION_ERROR", "url"),
    (#"{"name":"A","url":""}"#, 422, "VALIDATION_ERROR", "url"),
    (#"{"name":"A","url":"ftp://a.example"}"#, 422, "VALIDATION_ERROR", "url"),
    (#"{"name":"A","url":"http://a.example"}"#, 422, "VALIDATION_ERROR", "url"),
    (#"{"name":"A","url":"https://user:pw@a.example"}"#, 422, "VALIDATION_ERROR", "url"),
    (#"{"name":"A","url":"https://a.example/#part"}"#, 422, "VALIDATION_ERROR", "url"),
    (#"{"name":"A","url":"https://10.0.0.1/"}"#, 422, "VALIDATION_ERROR", "url"),
    (#"{"name":"A","url":"https://169.254.169.254/latest"}"#, 422, "VALIDATION_ERROR", "url"),
    (#"{"name":"A","url":"https://[::1]/"}"#, 422, "VALIDATION_ERROR", "url"),
    (#"{"name":"A","url":"http://localhost:9/"}"#, 422, "VALIDATION_ERROR", "url"),
    (
      #"{"name":"A","url":"https://a.example","event_types":["license.created","licence.made"]}"#, 422,
      "VALIDATION_ERROR", "license.suspended"
    ),
    (
      #"{"name":"A","url":"https://a.example","event_types":["licence.made"]}"#, 422, "VALIDATION_ERROR",
      "event_types[0]"
    ),
    (#"{"name":"A","url":"https://a.example","event_types":"all"}"#, 400, "INVALID_JSON", "event_types"),
    (#"{"name":"A","url":"https://a.example","secret":"short"}"#, 422, "VALIDATION_ERROR", "secret"),
    (
      #"{"name":"A","url":"https://a.example","secret":"with a space in the middle"}"#, 422, "VALIDATION_ERROR",
      "secret"
    ),
    (#"{"name":"A","url":"https://a.example","is_active":"yes"}"#, 400, "INVALID_JSON", "is_active"),
  ]

  @Test("what is wrong with an endpoint is said by status, code and field, when it is made and when it is changed")
  func errors() async throws {
    try await withLicenseServer { fixture in
      let made = try await fixture.send("POST", "/api/v1/webhooks", #"{"name":"S","url":"https://hooks.example.com"}"#)
      let id = try #require(made.data?["webhook"]?["id"]?.string)
      for (body, status, code, field) in Self.refusals {
        for (method, path) in [("POST", ""), ("PATCH", "/\(id)")] {
          // What must be there when it is made may be left out when it is changed.
          if method == "PATCH", [#"{"url":"https://a.example"}"#, #"{"name":"A"}"#].contains(body) { continue }
          let reply = try await fixture.send(method, "/api/v1/webhooks\(path)", body)
          #expect(reply.status == status && reply.code == code, "\(method) \(body): \(reply.text)")
          #expect(field.isEmpty || reply.detail?.contains(field) == true, "\(method) \(body): \(reply.text)")
        }
      }
      let after = try await fixture.send("GET", "/api/v1/webhooks/\(id)")
      #expect(after.data == made.data?["webhook"], "nothing of a refused change stays")
    }
  }

  @Test("only the scope for webhooks opens them, and each tenant has its own")
  func access() async throws {
    try await WebhookBench.open { bench in
      let fixture = bench.fixture
      let endpoint = try await bench.endpoint()
      try await bench.product()
      try await bench.link()
      let delivery = try #require(try await bench.onlyDelivery(of: endpoint.id)["id"]?.string)
      let base = "/api/v1/webhooks/\(endpoint.id)"
      let requests: [(String, String, String?)] = [
        ("GET", base, nil), ("PATCH", base, "{}"), ("GET", "\(base)/deliveries", nil),
        ("GET", "\(base)/deliveries/\(delivery)", nil), ("POST", "\(base)/deliveries/\(delivery)/replay", nil),
        ("POST", "\(base)/test", nil), ("DELETE", base, nil),
      ]
      let reader = try await fixture.admin.createAPIKey(
        APIKeyCreateRequest(name: "r", scopes: [.eventRead, .opsRead, .reportRead])
      ).token
      let administration = fixture.server.administration
      try await administration.createTenant("acme", name: "Acme")
      let stranger = try await administration.createToken(for: "acme", name: "t", scopes: [.admin]).token
      for (method, path, body) in requests {
        let denied = try await fixture.send(method, path, body, authorization: "Bearer \(reader)")
        #expect(denied.status == 403 && denied.detail == "requires webhook:write", "\(method) \(path)")
        let foreign = try await fixture.send(method, path, body, authorization: "Bearer \(stranger)")
        #expect(foreign.status == 404, "\(method) \(path): \(foreign.text)")
        #expect(try await fixture.send(method, path, body, authorization: nil).status == 401)
      }
      let foreignList = try await fixture.send("GET", "/api/v1/webhooks", authorization: "Bearer \(stranger)")
      #expect(foreignList.data?.array == [])
      let health = try await fixture.send("GET", "/api/v1/ops/webhook-health", authorization: "Bearer \(stranger)")
      #expect(health.status == 200 && health.data?["webhooks"]?.array == [])
      #expect(
        try await fixture.send("GET", "/api/v1/ops/webhook-health", authorization: "Bearer \(reader)").status == 200)
    }
  }

  @Test("a tenant has fifty endpoints at most, however many are made at once")
  func bound() async throws {
    try await withLicenseServer { fixture in
      let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
        for number in 0..<(WebhookEndpoints.most + 5) {
          group.addTask {
            try await fixture.send(
              "POST", "/api/v1/webhooks", #"{"name":"H\#(number)","url":"https://hooks.example.com/\#(number)"}"#
            ).status
          }
        }
        return try await group.reduce(into: [Int: Int]()) { $0[$1, default: 0] += 1 }
      }
      #expect(statuses == [201: WebhookEndpoints.most, 409: 5])
    }
  }
}
