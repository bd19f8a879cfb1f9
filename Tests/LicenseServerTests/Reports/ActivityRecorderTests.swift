import Foundation
import Identity
import LicenseKitAPI
import Logging
import Postgres
import ServerKit
import ServiceLifecycle
import TestSupport
import Testing

@testable import LicenseServer

@Suite("The recorder of the runtime")
struct ActivityRecorderTests {
  private static let clock = ServerClock { Date(timeIntervalSince1970: 1_774_310_400) }

  private static func activity(
    _ endpoint: RuntimeEndpoint = .validate, tenant: TenantID = "default", license: LicenseID = "lic_1",
    _ outcome: RuntimeActivity.Outcome = .failure(status: 403, code: "LICENSE_EXPIRED"), appVersion: String? = nil
  ) -> RuntimeActivity {
    var facts = RuntimeActivity.RequestFacts()
    facts.appVersion = appVersion
    return RuntimeActivity(
      endpoint: endpoint, tenant: tenant, license: license, outcome: outcome, requestID: "req_1", facts: facts)
  }

  @Test("every request is counted exactly, however many note at once")
  func concurrent() async {
    let recorder = ActivityRecorder(clock: Self.clock)
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<8 {
        group.addTask { for _ in 0..<5_000 { recorder.count(.validate, tenant: "default") } }
      }
    }
    let batch = recorder.take()
    #expect(batch.counts.values.reduce(0, +) == 40_000)
    #expect(batch.counts.count == 1)
    #expect(batch.entries.isEmpty)
    #expect(recorder.take().isEmpty)
  }

  @Test("a tenant that floods fills its own share and leaves room for others, and everything is still counted")
  func flood() {
    var limits = ActivityRecorder.Limits()
    (limits.maximumEntries, limits.maximumEntriesOfTenant, limits.maximumCounts) = (10, 6, 3)
    let recorder = ActivityRecorder(clock: Self.clock, limits: limits)
    for _ in 0..<100 { recorder.record(Self.activity(tenant: "loud")) }
    for _ in 0..<3 { recorder.record(Self.activity(tenant: "quiet")) }
    for number in 0..<50 { recorder.count(.check, tenant: TenantID("t\(number)")) }
    let batch = recorder.take()
    #expect(batch.entries.count { $0.activity.tenant == "loud" } == 6)
    #expect(batch.entries.count { $0.activity.tenant == "quiet" } == 3)
    #expect(batch.counts.count == 3)
    #expect(batch.counts.first { $0.key.tenant == "loud" }?.value == 100)
  }

  @Test("what the contract would refuse is not kept: a version or feature that is no such thing")
  func facts() {
    let body = ConsumeLicenseRequest(appVersion: "<script>", featureCode: "a\u{0}b", eventID: "e")
    #expect(
      RuntimeActivity.RequestFacts(body)
        == {
          var facts = RuntimeActivity.RequestFacts(); facts.amount = 1; return facts
        }())
    #expect(RuntimeActivity.RequestFacts(RuntimeBindingRequest(appVersion: "1.4.0+5")).appVersion == "1.4.0+5")
  }

  @Test("each endpoint of the contract is known by its path, and statuses fall into classes")
  func classes() {
    #expect(RuntimeEndpoint(path: "/api/v1/license/floating/checkout") == .floatingCheckout)
    #expect(RuntimeEndpoint(path: "/api/v1/license/validate") == .validate)
    #expect(RuntimeEndpoint(path: "/api/v1/products") == nil)
    let classes = [200, 400, 401, 403, 404, 409, 422, 429, 500, 503].map { ResultClass(status: $0) }
    #expect(
      classes == [.success, .invalid, .denied, .denied, .notFound, .conflict, .invalid, .invalid, .error, .error])
    #expect(RuntimeActivity.Outcome(PostgresError(.timeout, "")) == .failure(status: 500, code: "INTERNAL_ERROR"))
  }

  @Test("while the database is away nothing waits and nothing grows, and afterwards it is written again")
  func away() async throws {
    try await withDatabase(migrations: ["migrations/server"]) { database in
      var configuration = try PostgresConfiguration(url: "postgresql:///nowhere?host=/nonexistent")
      configuration.connectTimeout = .milliseconds(100)
      configuration.acquireTimeout = .milliseconds(200)
      let broken = PostgresClient(configuration, logger: Fixture.logger)
      let recorder = ActivityRecorder(clock: Self.clock)
      recorder.record(Self.activity())
      await ActivityWriter(client: broken, recorder: recorder, logger: Fixture.logger).flush()
      await broken.close()
      #expect(recorder.take().isEmpty)

      let writer = ActivityWriter(client: database.client, recorder: recorder, logger: Fixture.logger)
      recorder.record(Self.activity())
      recorder.record(Self.activity())
      await writer.flush()
      recorder.record(Self.activity())
      await writer.flush()
      let counts = try await database.client.query("SELECT requests FROM license_server.runtime_counts")
      #expect(try counts.all { try $0.get("requests", as: Int64.self) } == [3])
      #expect(try await database.client.query("SELECT FROM license_server.activities").count == 3)
    }
  }

  @Test("an entry that the database refuses is left out, and the others of its batch are kept")
  func refused() async throws {
    try await withDatabase(migrations: ["migrations/server"]) { database in
      try await database.client.query(
        "ALTER TABLE license_server.activities ADD CHECK (app_version IS DISTINCT FROM 'bad')")
      let recorder = ActivityRecorder(clock: Self.clock)
      for number in 0..<9 {
        recorder.record(Self.activity(license: LicenseID("lic_\(number)"), appVersion: number == 4 ? "bad" : "good"))
      }
      await ActivityWriter(client: database.client, recorder: recorder, logger: Fixture.logger).flush()
      let rows = try await database.client.query("SELECT license_id FROM license_server.activities ORDER BY sequence")
      #expect(
        try rows.all { try $0.get("license_id", as: String.self) } == (0..<9).filter { $0 != 4 }.map { "lic_\($0)" })
    }
  }

  @Test("a shutdown writes what is left")
  func shutdown() async throws {
    try await withDatabase(migrations: ["migrations/server"]) { database in
      let recorder = ActivityRecorder(clock: Self.clock)
      let writer = ActivityWriter(client: database.client, recorder: recorder, logger: Fixture.logger)
      let group = ServiceGroup(services: [writer], logger: Fixture.logger)
      try await withThrowingTaskGroup(of: Void.self) { tasks in
        tasks.addTask { try await group.run() }
        recorder.record(Self.activity(.activate, .success))
        await group.triggerGracefulShutdown()
        try await tasks.waitForAll()
      }
      #expect(try await database.client.query("SELECT FROM license_server.activities").count == 1)
    }
  }

  @Test("two replicas that write the same counts in any order add up")
  func replicas() async throws {
    try await withDatabase(migrations: ["migrations/server"]) { database in
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<4 {
          group.addTask {
            for _ in 0..<10 {
              let recorder = ActivityRecorder(clock: Self.clock)
              for endpoint in RuntimeEndpoint.allCases.shuffled() { recorder.count(endpoint, tenant: "default") }
              await ActivityWriter(client: database.client, recorder: recorder, logger: Fixture.logger).flush()
            }
          }
        }
        try await group.waitForAll()
      }
      let rows = try await database.client.query("SELECT requests FROM license_server.runtime_counts")
      #expect(try rows.all { try $0.get("requests", as: Int64.self) } == Array(repeating: 40, count: 9))
    }
  }
}
