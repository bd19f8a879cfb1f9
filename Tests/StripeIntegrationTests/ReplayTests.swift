import Foundation
import Identity
import JSON
import Postgres
import ServerKit
import Tenancy
import Testing

@testable import StripeIntegration

private typealias Event = StripeFixture.Event

@Suite("Replays by filter")
struct ReplayTests {
  /// Purchases that nobody looks at again by itself, some of them failed.
  private func prepare(_ backend: Backend, _ count: Int, failed: Int) async throws {
    try await backend.addPurchases(0..<count)
    try await backend.shop.database.transaction(for: backend.shop.tenant) { transaction in
      try await transaction.query("UPDATE stripe_integration.purchases SET attention_at = NULL")
      _ = try await transaction.query(
        """
        UPDATE stripe_integration.purchases
           SET status = 'failed', reason = 'LicenseKit refuses: 422'
         WHERE purchase_id IN (SELECT purchase_id FROM stripe_integration.purchases ORDER BY purchase_id LIMIT \(failed))
        """)
    }
  }

  private func due(_ backend: Backend) async throws -> Int {
    try await backend.shop.database.transaction(for: backend.shop.tenant) { transaction in
      try await transaction.query(
        "SELECT count(*) AS n FROM stripe_integration.purchases WHERE attention_at <= now()"
      ).first?.get("n") ?? 0
    }
  }

  @Test("a dry run says how many and which, page after page, and replays nothing")
  func dryRun() async throws {
    try await Backend.open { backend in
      try await prepare(backend, 30, failed: 12)
      var seen: [String] = []
      var cursor: String?
      repeat {
        var body: JSONObject = JSONObject([("status", "failed"), ("dry_run", true), ("limit", 5)])
        body["cursor"] = cursor.map { .string($0) }
        let reply = try await backend.admin("POST", "fulfillments/replay?\(backend.named)", .object(body))
        #expect(reply.status == 200 && reply.data?["matched"] == 12 && reply.data?["replayed"] == 0, "\(reply.text)")
        seen += reply.data?["items"]?.array?.compactMap { $0["id"]?.string } ?? []
        cursor = reply.data?["next_cursor"]?.string
      } while cursor != nil
      #expect(seen.count == 12 && Set(seen).count == 12)
      #expect(try await due(backend) == 0)
    }
  }

  @Test(
    "only what matches is looked at again",
    arguments: [
      (["status": "failed"], 12), (["reason_contains": "LICENSEKIT REFUSES"], 12), (["reason_contains": "else"], 0),
      (["created_to": "2020-01-01T00:00:00Z"], 0), (["created_from": "2020-01-01T00:00:00Z"], 30),
      (["object": "cs_test_many3"], 1), (["mapping_id": "map_none"], 0),
    ] as [(JSONValue, Int)])
  func filters(body: JSONValue, count: Int) async throws {
    try await Backend.open { backend in
      try await prepare(backend, 30, failed: 12)
      let reply = try await backend.admin("POST", "fulfillments/replay?\(backend.named)", body)
      #expect(reply.data?["replayed"]?.integer == Int64(count), "\(reply.text)")
      #expect(try await due(backend) == count)
    }
  }

  @Test("many are replayed by a job, one at a time")
  func many() async throws {
    try await Backend.open { backend in
      let shop = backend.shop
      for part in 0..<4 { try await backend.addPurchases(part * 200..<(part + 1) * 200) }
      try await shop.database.transaction(for: shop.tenant) { transaction in
        _ = try await transaction.query("UPDATE stripe_integration.purchases SET attention_at = NULL")
      }
      let reply = try await backend.admin("POST", "fulfillments/replay?\(backend.named)", ["status": "pending"])
      #expect(reply.status == 202 && reply.data?["matched"] == 800, "\(reply.text)")
      let job = try #require(reply.data?["job_id"]?.string)
      #expect(
        try await backend.admin("POST", "fulfillments/replay?\(backend.named)", ["status": "pending"]).status == 409)
      try await shop.work([.replay: ReplayWork(database: shop.database, wakeUp: WakeUp())])
      let done = try await backend.admin("GET", "jobs/\(job)?\(backend.named)")
      #expect(done.data?["state"] == "succeeded" && done.data?["progress"]?["replayed"] == 800, "\(done.text)")
      #expect(try await due(backend) == 800)
    }
  }

  @Test("events are routed again by state, type and time")
  func events() async throws {
    try await Backend.open { backend in
      let shop = backend.shop
      try await shop.deliver([
        Event(
          "evt_1", "checkout.session.completed", at: 1_799_999_001, ["id": "cs_test_1", "object": "checkout.session"]),
        Event("evt_2", "invoice.payment_succeeded", at: 1_799_999_002, ["id": "in_1", "object": "invoice"]),
        Event("evt_3", "checkout.session.completed", at: 1_799_999_003, StripeFixture.session(3)),
      ])
      try await shop.route()
      func replay(_ body: JSONValue) async throws -> Int64? {
        try await backend.admin("POST", "events/replay?\(backend.named)", body).data?["replayed"]?.integer
      }
      let dry = try await backend.admin("POST", "events/replay?\(backend.named)", ["state": "failed", "dry_run": true])
      #expect(dry.data?["items"]?.array?.compactMap { $0["id"]?.string } == ["evt_1"])
      #expect(try await replay(["state": "failed"]) == 1)
      #expect(try await replay(["state": "new"]) == 1)
      try await shop.route()
      #expect(try await replay(["type": "checkout.session.completed"]) == 2)
      try await shop.route()
      #expect(try await replay(["state": "ignored", "type": "invoice.payment_succeeded"]) == 1)
      try await shop.route()
      #expect(try await replay(["from": "2027-01-15T07:43:22Z", "to": "2027-01-15T07:43:23Z"]) == 1)
    }
  }

  @Test("a replay of everything, or with a filter that cannot be read, is refused")
  func refuses() async throws {
    try await Backend.open { backend in
      for (path, body, status) in [
        ("fulfillments", [:], 422), ("fulfillments", ["status": "odd"], 422), ("events", [:], 422),
        ("fulfillments", ["object": "a b"], 422), ("fulfillments", ["reason_contains": ""], 422),
        ("fulfillments", ["status": "failed", "dry_run": true, "cursor": "x"], 422), ("events", ["odd": 1], 400),
      ] as [(String, JSONValue, Int)] {
        let reply = try await backend.admin("POST", "\(path)/replay?\(backend.named)", body)
        #expect(reply.status == status, "\(body): \(reply.text)")
      }
    }
  }
}
