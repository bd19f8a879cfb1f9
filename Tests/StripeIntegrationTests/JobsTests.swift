import Foundation
import Identity
import JSON
import Logging
import Postgres
import StripeAPI
import StripeHTTP
import Tenancy
import Testing

@testable import Queue
@testable import StripeIntegration

@Suite("Long work is done in pieces, by whoever comes to it")
struct JobsTests {
  @Test("a job runs piece by piece, counts what it did, and ends")
  func counts() async throws {
    try await Shop.open { shop in
      let job = try await shop.create(.backfill, ["what": "all"], counting: ["steps", "errors"])
      #expect(job.state == .queued)
      try await shop.work([.backfill: ScriptedWork.counting(to: 5)])
      let done = try #require(try await shop.job(job.id))
      #expect(done.state == .succeeded)
      #expect(done.progress.object == ["steps": 5, "errors": 0])
      #expect(done.progress.object.keys == ["steps", "errors"])
      #expect(done.parameters == ["what": "all"])
      #expect(done.startedAt != nil && done.finishedAt != nil)
    }
  }

  @Test("of one kind and subject a tenant has one open job at a time")
  func oneAtATime() async throws {
    try await Shop.open { shop in
      let first = try await shop.create(.mappingApply, subject: "map_1")
      await #expect { try await shop.create(.mappingApply, subject: "map_1") } throws: {
        ($0 as? JobStore.AlreadyOpen)?.job == first.id
      }
      try await shop.create(.mappingApply, subject: "map_2")
      try await shop.work([.mappingApply: ScriptedWork.counting(to: 1)])
      #expect(try await shop.create(.mappingApply, subject: "map_1").id != first.id)
    }
  }

  @Test("two replicas share the work and do no piece twice")
  func replicas() async throws {
    try await Shop.open { shop in
      let job = try await shop.create(.backfill)
      let work = ScriptedWork.counting(to: 40)
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<4 { group.addTask { try await shop.work([.backfill: work]) } }
        try await group.waitForAll()
      }
      try await shop.work([.backfill: work])
      #expect(work.ran.count == 40)
      #expect(try await shop.job(job.id)?.progress["steps"] == 40)
    }
  }

  @Test("a piece whose replica died runs again on another, and what the dead one records is refused")
  func takeover() async throws {
    try await Shop.open { shop in
      let job = try await shop.create(.backfill)
      let dead = try #require(try await JobLease.take([.backfill], of: shop.tenant, in: shop.database))
      #expect(try await JobLease.take([.backfill], of: shop.tenant, in: shop.database) == nil)
      try await shop.makeJobsDue()
      try await shop.work([.backfill: ScriptedWork.counting(to: 3)])
      await #expect(throws: LeaseLost.self) {
        try await shop.database.transaction(for: shop.tenant) { try await dead.succeed(["steps": 100], in: $0) }
      }
      #expect(try await shop.job(job.id)?.progress["steps"] == 3)
    }
  }

  @Test("passing trouble is waited out; the job goes on where it was")
  func retries() async throws {
    try await Shop.open { shop in
      let job = try await shop.create(.backfill)
      let work = ScriptedWork { job, number in
        // Longer than any machine takes from here to the look at what became of it.
        if number == 2 { throw StripeError(message: "away", retry: .retry(after: .seconds(600))) }
        return number < 4 ? .more(cursor: .integer(Int64(number)), counts: ["steps": 1]) : .done(counts: ["steps": 1])
      }
      try await shop.work([.backfill: work])
      let waiting = try #require(try await shop.job(job.id))
      #expect(waiting.state == .running)
      #expect(waiting.attempts == 1)
      #expect(waiting.reason?.contains("away") == true)
      #expect(waiting.cursor == 1)
      try await shop.makeJobsDue()
      try await shop.work([.backfill: work])
      let done = try #require(try await shop.job(job.id))
      #expect(done.state == .succeeded && done.reason == nil && done.progress["steps"] == 3)
    }
  }

  @Test("what cannot be done fails with a reason")
  func fails() async throws {
    try await Shop.open { shop in
      let job = try await shop.create(.eventSync)
      try await shop.work([.eventSync: ScriptedWork { _, _ in throw JobFailure(reason: "Stripe says no.") }])
      #expect(try await shop.job(job.id)?.state == .failed)
      #expect(try await shop.job(job.id)?.reason == "Stripe says no.")
    }
  }

  @Test("a refused credential blocks the tenant; its jobs wait and go on when it is mended")
  func parked() async throws {
    try await Shop.open { shop in
      let job = try await shop.create(.backfill)
      let work = ScriptedWork { _, number in
        if number == 1 { throw StripeError(status: 401, message: "expired", retry: .credential) }
        return .done(counts: [:])
      }
      try await shop.work([.backfill: work])
      #expect(try await shop.connections.connection(of: shop.tenant)?.blockedReason == "stripe_credential")
      #expect(try await shop.job(job.id)?.reason?.hasPrefix("Waiting: stripe_credential") == true)
      try await shop.makeJobsDue()
      try await shop.work([.backfill: work])
      #expect(work.ran.count == 1, "a parked tenant's jobs are left alone")
      try await shop.connections.unblock(shop.tenant)
      try await shop.work([.backfill: work])
      #expect(try await shop.job(job.id)?.state == .succeeded)
    }
  }

  @Test("a cancelled job stops at its next piece, and nothing records over the cancellation")
  func cancel() async throws {
    try await Shop.open { shop in
      let job = try await shop.create(.backfill)
      let work = ScriptedWork { job, number in
        if number == 2 {
          try await shop.database.transaction(for: shop.tenant) { transaction in
            _ = try await JobStore(tenant: shop.tenant, transaction: transaction).cancel(job.id, by: "operator")
          }
        }
        return .more(cursor: .integer(Int64(number)), counts: ["steps": 1])
      }
      try await shop.work([.backfill: work])
      let cancelled = try #require(try await shop.job(job.id))
      #expect(cancelled.state == .cancelled)
      #expect(cancelled.reason == "Cancelled by operator.")
      #expect(cancelled.progress["steps"] == 1)
      #expect(work.ran.count == 2)
    }
  }

  @Test("tenants take turns: a long job of one does not keep another waiting")
  func fairness() async throws {
    try await Shop.open { shop in
      let other = Tenant(account: "acct_2", livemode: false)
      try await shop.connections.connect(
        TokenGrant(accessToken: "a", refreshToken: "r", livemode: false, account: other.account))
      let long = try await shop.create(.backfill)
      let short = try await shop.create(.backfill, for: other)
      let work = ScriptedWork { job, number in
        job.id == long.id && number < 3
          ? .later(cursor: .integer(Int64(number)), counts: [:], after: .zero) : .done(counts: [:])
      }
      try await shop.work([.backfill: work])
      #expect(work.ran == [long.id, short.id, long.id, long.id])
    }
  }

  @Test("a kind that only a newer replica knows is left to it")
  func unknownKind() async throws {
    try await Shop.open { shop in
      let job = try await shop.create(.mappingApply)
      try await shop.work([.backfill: ScriptedWork.counting(to: 1)])
      #expect(try await shop.job(job.id)?.state == .queued)
      try await shop.makeJobsDue()
      try await shop.work([.mappingApply: ScriptedWork.counting(to: 1)])
      #expect(try await shop.job(job.id)?.state == .succeeded)
    }
  }

  @Test("jobs that ended 90 days ago are removed with their reports")
  func retention() async throws {
    try await Shop.open { shop in
      let (old, recent) = (try await shop.create(.backfill), try await shop.create(.eventSync))
      try await shop.work([.backfill: ScriptedWork.counting(to: 1), .eventSync: ScriptedWork.counting(to: 1)])
      try await shop.database.transaction(for: shop.tenant) { transaction in
        try await JobReport(tenant: shop.tenant, job: old.id, transaction: transaction)
          .add((0..<1_200).map { .init(stripeID: "sub_\($0)", outcome: "known", detail: JSONObject()) })
        try await transaction.query(
          "UPDATE stripe_integration.jobs SET finished_at = now() - interval '91 days' WHERE job_id = \(old.id)")
      }
      let retention = JobRetention(database: shop.database)
      #expect(try await retention.prune() == 1)
      #expect(try await shop.job(old.id) == nil)
      #expect(try await shop.job(recent.id) != nil)
      let left = try await shop.database.transaction(for: shop.tenant) { transaction in
        try await transaction.query("SELECT FROM stripe_integration.job_reports").count
      }
      #expect(left == 0)
    }
  }
}

@Suite("Jobs over the admin routes")
struct JobRouteTests {
  @Test("jobs are listed, shown, reported and cancelled; another tenant's are not there")
  func routes() async throws {
    try await Backend.open { backend in
      let shop = backend.shop
      let first = try await shop.create(.backfill, ["dry_run": true], counting: ["seen"])
      let second = try await shop.create(.eventSync)
      try await shop.database.transaction(for: shop.tenant) { transaction in
        try await JobReport(tenant: shop.tenant, job: first.id, transaction: transaction).add([
          .init(stripeID: "sub_1", outcome: "known", detail: ["purchase": "ful_1"]),
          .init(stripeID: "sub_2", outcome: "no_mapping", detail: JSONObject()),
          .init(stripeID: "sub_3", outcome: "known", detail: JSONObject()),
        ])
      }
      let page = try await backend.admin("GET", "jobs?\(backend.named)&limit=1")
      #expect(page.items.map { $0["id"]?.string } == [second.id.rawValue])
      let rest = try await backend.admin("GET", "jobs?\(backend.named)&limit=1&cursor=\(page.next ?? "")")
      #expect(rest.items.map { $0["id"]?.string } == [first.id.rawValue])
      #expect(rest.next == nil)
      #expect(try await backend.admin("GET", "jobs?\(backend.named)&kind=sweep&state=succeeded").items.isEmpty)
      #expect(try await backend.admin("GET", "jobs?\(backend.named)&kind=nonsense").code == "INVALID_QUERY")

      let shown = try await backend.admin("GET", "jobs/\(first.id)?\(backend.named)")
      #expect(shown.data?["progress"] == ["seen": 0])
      #expect(shown.data?["parameters"] == ["dry_run": true])
      #expect(shown.data?["state"] == "queued")

      let report = try await backend.admin("GET", "jobs/\(first.id)/report?\(backend.named)&outcome=known&limit=1")
      #expect(report.items == [["stripe_id": "sub_1", "outcome": "known", "detail": ["purchase": "ful_1"]]])
      let next = try await backend.admin(
        "GET", "jobs/\(first.id)/report?\(backend.named)&outcome=known&limit=1&cursor=\(report.next ?? "")")
      #expect(next.items.map { $0["stripe_id"] } == ["sub_3"])

      let cancelled = try await backend.admin("POST", "jobs/\(first.id)/cancel?\(backend.named)")
      #expect(cancelled.data?["state"] == "cancelled")
      #expect(try await backend.admin("POST", "jobs/job_none/cancel?\(backend.named)").status == 404)
      let audit = try await backend.admin("GET", "audit?\(backend.named)")
      #expect(audit.items.first?["action"] == "job.cancel")

      let stranger = try await backend.token(of: Backend.other)
      #expect(try await backend.admin("GET", "jobs/\(first.id)", token: stranger).status == 404)
      #expect(try await backend.admin("GET", "jobs", token: stranger).items.isEmpty)
    }
  }
}
