import Foundation
import Identity
import JSON
import LicenseKitAPI
import Postgres
import Testing

@testable import StripeIntegration

@Suite("Who may use the admin routes, and about whom")
struct AdminAccessTests {
  @Test("a missing or unknown token is 401 on every kind of route")
  func refusesStrangers() async throws {
    try await Backend.open { backend in
      for token in ["wrong", "sit_acct_1_test_wrong", "sit_", "sit_acct_1_test_", "sit_x_live_y"] {
        #expect(try await backend.admin("GET", "mappings?\(backend.named)", token: token).status == 401, "\(token)")
      }
      for (method, path) in [("GET", "connections"), ("POST", "mappings"), ("GET", "fulfillments"), ("GET", "audit")] {
        let reply = try await backend.send(method, "/stripe/admin/\(path)")
        #expect(reply.status == 401)
        #expect(reply.code == "UNAUTHORIZED")
      }
      let basic = try await backend.send(
        "GET", "/stripe/admin/mappings?\(backend.named)",
        headers: [("Authorization", "Basic \(Backend.operatorToken)")])
      #expect(basic.status == 401)
    }
  }

  @Test("the operator names the tenant; what is missing is named in the answer")
  func operatorNamesTenant() async throws {
    try await Backend.open { backend in
      for (query, field) in [
        ("", "account_id"), ("?livemode=false", "account_id"), ("?account_id=acct_1", "livemode"),
        ("?account_id=acct_1&livemode=maybe", "livemode"), ("?account_id=nobody&livemode=false", "account_id"),
      ] {
        let reply = try await backend.admin("GET", "fulfillments\(query)")
        #expect(reply.status == 400)
        #expect(reply.code == "INVALID_QUERY")
        #expect(reply.detail?.hasPrefix(field) == true, "\(query): \(reply.detail ?? "")")
      }
      #expect(try await backend.admin("GET", "fulfillments?\(backend.named)").status == 200)
      let inBody = try await backend.admin(
        "POST", "connections/unpark", ["account_id": "acct_1", "livemode": false])
      #expect(inBody.status == 200)
    }
  }

  @Test("a vendor's token means its own tenant and no other, until it ends")
  func vendorToken() async throws {
    try await Backend.open { backend in
      let token = try await backend.token(of: backend.shop.tenant)
      #expect(try await backend.admin("GET", "fulfillments", token: token).status == 200)
      #expect(try await backend.admin("GET", "fulfillments?\(backend.named)", token: token).status == 200)
      #expect(try await backend.admin("GET", "fulfillments?account_id=acct_2", token: token).status == 403)
      #expect(try await backend.admin("GET", "fulfillments?livemode=true", token: token).status == 403)
      #expect(try await backend.admin("GET", "connections?account_id=acct_2", token: token).status == 403)
      #expect(try await backend.admin("POST", "tokens", ["name": "another"], token: token).status == 403)
      let own = try await backend.admin("GET", "connections", token: token)
      #expect(own.items.map { $0["account_id"]?.string } == ["acct_1"])
      let ended = try await backend.token(of: backend.shop.tenant, expiresAt: Date(timeIntervalSinceNow: -1))
      #expect(try await backend.admin("GET", "fulfillments", token: ended).status == 401)
      let deleted = try await backend.admin("DELETE", "tokens/\(AdminToken.hash(token))", token: token)
      #expect(deleted.status == 204)
      #expect(try await backend.admin("GET", "fulfillments", token: token).status == 401)
    }
  }

  @Test("the operator makes a vendor's token, which is shown once and stored as a hash")
  func makesToken() async throws {
    try await Backend.open { backend in
      let made = try await backend.admin("POST", "tokens?\(backend.named)", ["name": "warehouse"])
      #expect(made.status == 201)
      let token = try #require(made.data?["token"]?.string)
      #expect(token.hasPrefix("sit_acct_1_test_"))
      #expect(try await backend.admin("GET", "mappings", token: token).status == 200)
      let listed = try await backend.admin("GET", "tokens", token: token)
      #expect(listed.items.map { $0["name"]?.string } == ["warehouse"])
      #expect(!listed.text.contains(token))
      let audit = try await backend.admin("GET", "audit?\(backend.named)")
      #expect(audit.items.first?["action"]?.string == "token.create")
    }
  }

  @Test("the operator walks all connections with a cursor")
  func listsConnections() async throws {
    try await Backend.open { backend in
      let first = try await backend.admin("GET", "connections?limit=1")
      #expect(first.items.map { $0["account_id"]?.string } == ["acct_1"])
      let next = try #require(first.next)
      let second = try await backend.admin("GET", "connections?limit=1&cursor=\(next)")
      #expect(second.items.map { $0["account_id"]?.string } == ["acct_2"])
      #expect(second.next == nil)
    }
  }

  @Test("no route shows, changes or reveals anything of another tenant")
  func keepsTenantsApart() async throws {
    try await Backend.open { backend in
      try await backend.sell()
      let found = try await backend.admin("GET", "fulfillments?\(backend.named)")
      let ful = try #require(found.items.first?["id"]?.string)
      let license = try #require(found.items.first?["lines"]?.array?.first?["licenses"]?.array?.first?["id"]?.string)
      let mapping = "map_prod_once"
      let hash = AdminToken.hash(try await backend.token(of: backend.shop.tenant))
      let stranger = try await backend.token(of: Backend.other)
      for (method, path, body) in [
        ("GET", "fulfillments/\(ful)", nil), ("POST", "fulfillments/\(ful)/replay", nil),
        ("POST", "fulfillments/\(ful)/licenses/\(license)/reveal", nil), ("GET", "events/evt_1", nil),
        ("POST", "events/evt_1/replay", nil), ("GET", "mappings/\(mapping)", nil),
        ("PATCH", "mappings/\(mapping)", ["grace_days": 9]), ("DELETE", "mappings/\(mapping)", nil),
        ("DELETE", "tokens/\(hash)", nil),
      ] as [(String, String, JSONValue?)] {
        #expect(try await backend.admin(method, path, body, token: stranger).status == 404, "\(method) \(path)")
        let asOther = path + "?account_id=acct_2&livemode=false"
        #expect(try await backend.admin(method, asOther, body).status == 404, "operator: \(method) \(path)")
        let otherMode = path + "?account_id=acct_1&livemode=true"
        #expect(try await backend.admin(method, otherMode, body).status == 404, "other mode: \(method) \(path)")
        let naming = path + "?\(backend.named)"
        #expect(try await backend.admin(method, naming, body, token: stranger).status == 403, "\(method) \(naming)")
      }
      for list in ["fulfillments", "events", "mappings", "fulfillments?object=cs_test_1", "fulfillments?object=\(ful)"]
      {
        #expect(try await backend.admin("GET", list, token: stranger).items.isEmpty, "\(list)")
      }
      let audit = try await backend.admin("GET", "audit", token: stranger)
      #expect(audit.items.allSatisfy { $0["action"]?.string == "token.create" })
    }
  }

  @Test("a caller that asks too much is told when to come back, and nobody else is")
  func limits() async throws {
    try await Backend.open(redis: true, burst: 3) { backend in
      let mine = try await backend.token(of: backend.shop.tenant)
      let theirs = try await backend.token(of: Backend.other)
      // All at once: what is let through again with time is less than what is asked.
      let refused = try await withThrowingTaskGroup(of: Backend.Reply.self) { group in
        for _ in 0..<30 { group.addTask { try await backend.admin("GET", "mappings", token: mine) } }
        return try await group.reduce(into: [Backend.Reply]()) { if $1.status == 429 { $0.append($1) } }
      }
      let reply = try #require(refused.first)
      #expect(reply.header("retry-after").flatMap { Int($0) } ?? 0 >= 1)
      #expect(try await backend.admin("GET", "mappings", token: theirs).status == 200)
    }
  }
}
