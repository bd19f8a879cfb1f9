import Foundation
import JSON
import Postgres
import TestSupport
import Testing

@testable import LicenseServer

@Suite("The health of webhooks")
struct WebhookHealthTests {
  @Test("counts, ages, rate and latency of each endpoint within a time, and failures grouped by what they say")
  func report() async throws {
    try await WebhookBench.open { bench in
      let dead = try await bench.endpoint("/dead")
      let well = try await bench.endpoint("/well")
      bench.receiver.answerAlways("/dead", 503)
      for _ in 0..<4 { try await bench.product() }
      try await bench.work()
      try await bench.sql(
        """
        UPDATE license_server.webhook_deliveries SET created_at = now() - interval '90 seconds' WHERE state = 'pending'
        """)
      // The fixture's clock stands still; the database's does not.
      let (from, to) = ("2026-01-01T00:00:00Z", "2026-01-31T00:00:00Z")
      try await bench.sql("UPDATE license_server.webhook_attempts   SET at          = '2026-01-10T00:00:00Z'")
      try await bench.sql(
        "UPDATE license_server.webhook_deliveries SET finished_at = '2026-01-10T00:00:00Z' WHERE finished_at IS NOT NULL"
      )
      let path = "/api/v1/ops/webhook-health?from=\(from)&to=\(to)"
      let reply = try await bench.fixture.send("GET", path)
      #expect(reply.status == 200, "\(reply.text)")
      let data = try #require(reply.data)
      #expect(data["from"]?.string == from && data["to"]?.string == to)
      #expect(data["pending"] == 4 && data["delivered"] == 4 && data["failed"] == 0)
      let first = try #require(data["webhooks"]?.array?.first { $0["webhook_id"]?.string == well.id })
      #expect(first["delivered"] == 4 && first["pending"] == 0 && first["success_rate"]?.double == 1)
      #expect(first["latency_p95_ms"] != nil && first["last_success_at"] != nil && first["is_capped"] == false)
      #expect(first["oldest_pending_age_seconds"] == nil && first["consecutive_failures"] == 0)
      let second = try #require(data["webhooks"]?.array?.first { $0["webhook_id"]?.string == dead.id })
      // On a busy machine the first retry, seconds later, can come before the question.
      #expect(second["pending"] == 4 && second["success_rate"]?.double == 0)
      #expect((second["consecutive_failures"]?.integer ?? 0) >= 1)
      #expect((second["oldest_pending_age_seconds"]?.integer ?? 0) >= 90)
      #expect(second["last_failure_at"] != nil && second["last_success_at"] == nil)
      let failures = try #require(data["failures"]?.array)
      #expect(failures.count == 1 && failures[0]["error"] == "HTTP 503" && (failures[0]["count"]?.integer ?? 0) >= 1)
      #expect(failures[0]["webhook_id"]?.string == dead.id)

      let one = try await bench.fixture.send("GET", "\(path)&endpoint_id=\(well.id)")
      #expect(one.data?["webhooks"]?.array?.count == 1 && one.data?["failures"]?.array == [])
      let none = try await bench.fixture.send("GET", "\(path)&endpoint_id=whe_none")
      #expect(none.status == 200 && none.data?["webhooks"]?.array == [])
      let elsewhen = try await bench.fixture.send("GET", "/api/v1/ops/webhook-health")
      #expect(elsewhen.status == 200 && elsewhen.data?["delivered"] == 0 && elsewhen.data?["pending"] == 4)
    }
  }

  @Test(
    "a time that cannot be used is 400 and named",
    arguments: [
      ("from=soon", "from"), ("to=1", "to"), ("from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "from"),
      ("from=2025-01-01T00:00:00Z&to=2026-01-01T00:00:00Z", "from"), ("limit=0", "limit"),
    ])
  func badQueries(_ query: String, _ field: String) async throws {
    try await withLicenseServer { fixture in
      let reply = try await fixture.send("GET", "/api/v1/ops/webhook-health?\(query)")
      #expect(reply.status == 400 && reply.code == "INVALID_QUERY", "\(reply.text)")
      #expect(reply.detail?.contains(field) == true, "\(reply.text)")
    }
  }
}
