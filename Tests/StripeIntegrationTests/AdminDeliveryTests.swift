import Foundation
import HTTPTransport
import JSON
import LicenseKitAPI
import Postgres
import TestSupport
import Testing

@testable import StripeIntegration

@Suite("Admin routes: where messages go and what became of them")
struct AdminDeliveryTests {
  private static let loopback = DeliveryConfiguration(allowedNetworks: PostRoom.loopback)

  @Test("an endpoint is made, shown without its secret, changed and removed, and each change is in the audit log")
  func endpoints() async throws {
    try await Backend.open { backend in
      let made = try await backend.admin(
        "POST", "notices/endpoints?\(backend.named)",
        [
          "url": "https://hooks.example.com/licenses?token=1", "event_types": ["license.issued"],
          "includes_license_key": true,
        ])
      #expect(made.status == 201)
      let id = try #require(made.data?["id"]?.string)
      #expect(made.data?["secret"]?.string?.hasPrefix("nts_") == true)
      #expect(made.data?["status"]?.string == "active")
      let shown = try await backend.admin("GET", "notices/endpoints/\(id)?\(backend.named)")
      #expect(
        shown.data?["secret"] == nil && shown.data?["url"]?.string == "https://hooks.example.com/licenses?token=1")
      let listed = try await backend.admin("GET", "notices/endpoints?\(backend.named)")
      #expect(listed.items.map { $0["id"]?.string } == [id])
      let changed = try await backend.admin(
        "PATCH", "notices/endpoints/\(id)?\(backend.named)", ["active": false, "event_types": nil])
      #expect(changed.data?["status"]?.string == "inactive" && changed.data?["event_types"] == [])
      let tested = try await backend.admin("POST", "notices/endpoints/\(id)/test?\(backend.named)")
      #expect(tested.status == 409)
      let rotated = try await backend.admin(
        "POST", "notices/endpoints/\(id)/rotate-secret?\(backend.named)", ["overlap_hours": 1])
      #expect(rotated.data?["secret"]?.string?.hasPrefix("nts_") == true)
      #expect(rotated.data?["secret"] != made.data?["secret"])
      #expect(rotated.data?["previous_secret_until"]?.string != nil)
      #expect(try await backend.admin("DELETE", "notices/endpoints/\(id)?\(backend.named)").status == 204)
      #expect(try await backend.admin("GET", "notices/endpoints/\(id)?\(backend.named)").status == 404)
      let audit = try await backend.admin("GET", "audit?\(backend.named)").items.compactMap { $0["action"]?.string }
      #expect(
        audit.reversed() == [
          "notice_endpoint.create", "notice_endpoint.update", "notice_endpoint.rotate_secret", "notice_endpoint.delete",
        ])
    }
  }

  @Test("what cannot be is refused, and the field is named")
  func refused() async throws {
    try await Backend.open { backend in
      let cases: [(JSONValue, Int, String)] = [
        (["url": "http://example.com/"], 422, "url"), (["url": "https://127.0.0.1/"], 422, "url"),
        (["url": "https://169.254.169.254/latest"], 422, "url"), (["url": "https://[::1]/"], 422, "url"),
        (["url": "https://localhost/"], 422, "url"), (["url": "http://127.0.0.1:1/"], 422, "url"),
        (["url": "https://u:p@example.com/"], 422, "url"), (["url": "ftp://example.com/"], 422, "url"),
        ([:], 422, "url"),
        (["url": "https://e.com/", "event_types": ["license.issued", "x"]], 422, "event_types[1]"),
        (["url": "https://e.com/", "description": "a\nb"], 422, "description"),
        (["url": "https://e.com/", "secret": "mine"], 400, "secret"),
      ]
      for (body, status, field) in cases {
        let reply = try await backend.admin("POST", "notices/endpoints?\(backend.named)", body)
        #expect(reply.status == status && reply.detail?.contains(field) == true, "\(body): \(reply.text)")
      }
      for number in 0..<MessageOutbox.mostEndpoints {
        let body: JSONValue = ["url": .string("https://example.com/\(number)")]
        #expect(try await backend.admin("POST", "notices/endpoints?\(backend.named)", body).status == 201)
      }
      let more = try await backend.admin("POST", "notices/endpoints?\(backend.named)", ["url": "https://example.com/"])
      #expect(more.status == 409)
      let page = try await backend.admin("GET", "notices/endpoints?\(backend.named)&limit=4")
      let rest = try await backend.admin(
        "GET", "notices/endpoints?\(backend.named)&limit=10&cursor=\(try #require(page.next))")
      #expect(page.items.count == 4 && rest.items.count == 6 && rest.next == nil)
    }
  }

  @Test("a vendor sees and touches its own only")
  func tenants() async throws {
    try await Backend.open { backend in
      let made = try await backend.admin(
        "POST", "notices/endpoints?\(backend.named)", ["url": "https://hooks.example.com/"])
      let id = try #require(made.data?["id"]?.string)
      let stranger = try await backend.token(of: Backend.other)
      for (method, path) in [
        ("GET", "notices/endpoints/\(id)"), ("PATCH", "notices/endpoints/\(id)"), ("DELETE", "notices/endpoints/\(id)"),
        ("POST", "notices/endpoints/\(id)/test"), ("POST", "notices/endpoints/\(id)/rotate-secret"),
        ("GET", "notices/deliveries/dlv_1"), ("POST", "notices/deliveries/dlv_1/replay"),
      ] {
        #expect(try await backend.admin(method, path, token: stranger).status == 404, "\(method) \(path)")
      }
      #expect(try await backend.admin("GET", "notices/endpoints", token: stranger).items.isEmpty)
    }
  }

  @Test("deliveries are listed, filtered, paged, shown with their attempts, and replayed")
  func deliveries() async throws {
    try await Backend.open(delivery: Self.loopback) { backend in
      let made = try await backend.admin(
        "POST", "notices/endpoints?\(backend.named)", ["url": "http://127.0.0.1:1/hook"])
      #expect(made.status == 201)
      let endpoint = try #require(made.data?["id"]?.string)
      try await backend.sell(quantity: 3)
      let tested = try await backend.admin("POST", "notices/endpoints/\(endpoint)/test?\(backend.named)")
      #expect(tested.status == 202 && tested.data?["type"]?.string == "test")
      let all = try await backend.admin("GET", "notices/deliveries?\(backend.named)")
      #expect(all.items.count == 4)
      let first = try await backend.admin("GET", "notices/deliveries?\(backend.named)&limit=3")
      let second = try await backend.admin(
        "GET", "notices/deliveries?\(backend.named)&limit=3&cursor=\(try #require(first.next))")
      #expect((first.items + second.items).map { $0["id"] } == all.items.map { $0["id"] })
      for (query, count) in [
        ("state=pending", 4), ("state=failed", 0), ("type=license.issued", 3), ("type=test", 1),
        ("endpoint_id=\(endpoint)", 4), ("endpoint_id=nep_1", 0), ("channel=email", 0),
        ("fulfillment_id=\(try #require(try await backend.shop.purchases().first?.id))", 3),
        ("created_to=2020-01-01T00:00:00Z", 0),
      ] {
        let found = try await backend.admin("GET", "notices/deliveries?\(backend.named)&\(query)")
        #expect(found.items.count == count, "\(query)")
      }
      #expect(try await backend.admin("GET", "notices/deliveries?\(backend.named)&state=lost").status == 400)
      let id = try #require(all.items.last?["id"]?.string)
      let one = try await backend.admin("GET", "notices/deliveries/\(id)?\(backend.named)")
      #expect(one.data?["log"] == [] && one.data?["license_ids"]?.array?.count == 1)
      #expect(one.data?["destination"]?.string == "http://127.0.0.1:1")
      #expect(try await backend.admin("POST", "notices/deliveries/\(id)/replay?\(backend.named)").status == 200)
      let replayed = try await backend.admin(
        "POST", "notices/deliveries/replay?\(backend.named)", ["state": "pending", "endpoint_id": .string(endpoint)])
      #expect(replayed.data == ["replayed": 4, "complete": true])
      let wrong = try await backend.admin("POST", "notices/deliveries/replay?\(backend.named)", ["state": "lost"])
      #expect(wrong.status == 422 && wrong.detail?.contains("state") == true)
    }
  }

  @Test("the mail's text is checked, and a mistake in it named; without a relay it cannot be switched on")
  func mail() async throws {
    try await Backend.open { backend in
      let initial = try await backend.admin("GET", "notices/email?\(backend.named)")
      #expect(initial.data?["enabled"] == false && initial.data?["available"] == false)
      let refused = try await backend.admin("PUT", "notices/email?\(backend.named)", ["enabled": true])
      #expect(refused.status == 422 && refused.detail?.contains("enabled") == true)
      let off = try await backend.admin("PUT", "notices/email?\(backend.named)", ["enabled": false])
      #expect(off.status == 200)
    }
    let relay = FakeRelay()
    let sender = try #require(MailAddress("licenses@example.com"))
    try await Backend.open(mailer: Mailer(transport: relay, from: sender)) { backend in
      let cases: [(JSONValue, String)] = [
        (["enabled": true, "text": "{{license_key}} {{buyer}}"], "buyer"),
        (["enabled": true, "text": "no key"], "license_key"),
        (["enabled": true, "subject": "{{license_key}}"], "subject"),
        (["enabled": true, "subject": "a\r\nBcc: b@example.com"], "subject"),
        (["enabled": true, "reply_to": "x"], "reply_to"),
        (["enabled": true, "from_name": "a\nb"], "from_name"),
      ]
      for (body, named) in cases {
        let reply = try await backend.admin("PUT", "notices/email?\(backend.named)", body)
        #expect(reply.status == 422 && reply.detail?.contains(named) == true, "\(body): \(reply.text)")
      }
      let set = try await backend.admin(
        "PUT", "notices/email?\(backend.named)",
        ["enabled": true, "subject": "Keys", "text": "{{license_key}}", "from_name": "Shop"])
      #expect(set.status == 200 && set.data?["from_address"]?.string == "licenses@example.com")
      let sent = try await backend.admin(
        "POST", "notices/email/test?\(backend.named)", ["to": "me@example.com"])
      #expect(sent.data == ["sent": true])
      #expect(relay.sent.map(\.subject) == ["[Test] Keys"])
      #expect(relay.sent.first?.text.contains("TEST-0000") == true)
      relay.fail(.refused(reply: 550))
      let failed = try await backend.admin("POST", "notices/email/test?\(backend.named)", ["to": "me@example.com"])
      #expect(failed.status == 502 && failed.code == "MAIL_REFUSED" && !failed.text.contains("me@example.com"))
      for _ in 2..<AdminRoutes.testMailsPerHour {
        _ = try await backend.admin("POST", "notices/email/test?\(backend.named)", ["to": "me@example.com"])
      }
      let many = try await backend.admin("POST", "notices/email/test?\(backend.named)", ["to": "me@example.com"])
      #expect(many.status == 429)
    }
  }

  @Test("a LicenseKit that a vendor names is not one of this service's own network; the operator may name any")
  func licenseKitAddresses() async throws {
    try await Backend.open { backend in
      let vendor = try await backend.token(of: backend.shop.tenant)
      for address in ["https://127.0.0.1:1", "https://localhost", "https://10.0.0.1"] {
        let body: JSONValue = ["base_url": .string(address), "token": "lkm_own"]
        let refused = try await backend.admin("PUT", "connections/licensekit", body, token: vendor)
        #expect(refused.status == 422)
        #expect(refused.detail?.contains("base_url") == true)
      }
      try await Receiver.open { server, url in
        let own = ConnectionLicenseKit(baseURL: url, token: "lkm_own")
        for byOperator in [false, true] {
          try await backend.connections.setLicenseKit(own, of: backend.shop.tenant, byOperator: byOperator)
          let directory = LicenseKitDirectory(
            store: backend.connections, baseURL: "https://service.example.com", token: "lkm_service",
            transport: backend.transport)
          let client = try await directory.client(for: backend.shop.tenant)
          await #expect(throws: LicenseKitError.self) {
            _ = try await client.createProduct(ProductCreateRequest(name: "App", code: "app"))
          }
          #expect(server.calls.count == (byOperator ? 1 : 0))
        }
      }
    }
  }
}
