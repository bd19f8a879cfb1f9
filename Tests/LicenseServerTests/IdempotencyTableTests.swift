import Foundation
import Identity
import JSON
import LicenseKitAPI
import LicenseKitHTTP
import Postgres
import ServerKit
import TestSupport
import Testing

@testable import LicenseServer

/// Every operation that takes an idempotency key, a row each. Another one is another row.
@Suite("Every operation with an idempotency key")
struct IdempotencyTableTests {
  /// A license with whatever its operation needs.
  struct Scene: Sendable {
    var fixture: Fixture
    var catalog: Catalog
    var made: LicenseCreateResponse

    var license: LicenseID { made.license.id }

    func license() async throws -> License { try await fixture.admin.getLicense(license) }
    func events(_ type: String) async throws -> Int {
      try await fixture.admin.listEvents(EventFilter(eventType: type)).events.count
    }
    @discardableResult
    func runtime(_ operation: String, _ body: String, key: String) async throws -> Reply {
      try await fixture.runtime(operation, key: made.licenseKey, body, idempotencyKey: key)
    }
  }

  struct Row: Sendable {
    var operation: String
    /// What follows `/api/v1`; `{license}` stands for the license's id.
    var path: String
    var days: Int
    var success = 200
    /// Gets the scene ready; the body to send, and another one.
    var bodies: @Sendable (Scene) async throws -> (body: String, other: String)
    /// Whether the operation took effect once.
    var tookEffectOnce: @Sendable (Scene) async throws -> Bool

    var isRuntime: Bool { path.hasPrefix("/license/") }
    var isKeyRequired: Bool { operation != "createLicense" }

    func send(_ scene: Scene, through fixture: Fixture, _ body: String, key: String?) async throws -> Reply {
      try await fixture.send(
        "POST", "/api/v1" + path.replacing("{license}", with: scene.license.rawValue), body,
        authorization: isRuntime ? "License \(scene.made.licenseKey)" : "Bearer \(Fixture.adminToken)",
        headers: key.map { [("Idempotency-Key", $0)] } ?? [])
    }
  }

  static let machine = #"{"fingerprint":"m1"}"#
  static let otherMachine = #"{"fingerprint":"m2"}"#

  static let rows = [
    Row(operation: "activateLicense", path: "/license/activate", days: 1) { _ in
      (machine, otherMachine)
    } tookEffectOnce: {
      let license = try await $0.license()
      return license.timesActivated == 1 && license.activeDeviceCount == 1
    },
    Row(operation: "consumeLicense", path: "/license/consume", days: 1) { scene in
      try await scene.runtime("activate", machine, key: "before")
      _ = try await scene.fixture.admin.assignLicenseFeature(
        scene.license, LicenseFeatureAssignRequest(featureID: scene.catalog.feature.id, maxConsumptions: 100))
      return (
        #"{"fingerprint":"m1","feature_code":"api_calls","amount":3,"event_id":"e1"}"#,
        #"{"fingerprint":"m1","feature_code":"api_calls","amount":4,"event_id":"e2"}"#
      )
    } tookEffectOnce: {
      try await $0.license().totalConsumptions == 3
    },
    Row(operation: "deactivateLicense", path: "/license/deactivate", days: 1) { scene in
      try await scene.runtime("activate", machine, key: "before")
      return (machine, otherMachine)
    } tookEffectOnce: {
      let count = try await $0.events("license.deactivated")
      return try await $0.license().activeDeviceCount == 0 && count == 1
    },
    Row(operation: "checkoutFloatingLicense", path: "/license/floating/checkout", days: 1) { _ in
      (machine, otherMachine)
    } tookEffectOnce: {
      try await $0.events("floating.checked_out") == 1
    },
    Row(operation: "checkinFloatingLicense", path: "/license/floating/checkin", days: 1) { scene in
      let lease = try await scene.runtime("floating/checkout", machine, key: "before")
      let token = try #require(lease.data?["lease_token"]?.string, "\(lease.text)")
      return (#"{"lease_token":"\#(token)"}"#, #"{"lease_token":"llt_other"}"#)
    } tookEffectOnce: {
      try await $0.events("floating.checked_in") == 1
    },
    Row(operation: "renewLicense", path: "/licenses/{license}/renew", days: 90) { _ in
      (#"{"extend_by_days":30}"#, #"{"extend_by_days":31}"#)
    } tookEffectOnce: {
      try await $0.license().expiresAt == $0.made.license.expiresAt.map { $0 + 30 * 86_400 }
    },
    Row(operation: "transferLicense", path: "/licenses/{license}/transfer", days: 90) { _ in
      (#"{"customer_name":"Ada"}"#, #"{"customer_name":"Bob"}"#)
    } tookEffectOnce: {
      try await $0.license().timesTransferred == 1
    },
    Row(operation: "createLicense", path: "/licenses", days: 1, success: 201) { scene in
      let members = #""product_id":"\#(scene.catalog.product.id)","policy_id":"\#(scene.catalog.policy.id)""#
      return ("{\(members)}", "{\(members),\"customer_name\":\"Bob\"}")
    } tookEffectOnce: {
      try await $0.events("license.created") == 2
    },
  ]

  @Test("the table has the contract's seven, and this server's eighth")
  func complete() {
    #expect(
      Set(Self.rows.map(\.operation)) == [
        "activateLicense", "consumeLicense", "deactivateLicense", "checkoutFloatingLicense", "checkinFloatingLicense",
        "renewLicense", "transferLicense", "createLicense",
      ])
  }

  /// Runs `body` for every row that this server serves, each with a server and a scene of its own.
  static func forEveryRow(_ body: @Sendable (Row, Scene, String, String) async throws -> Void) async throws {
    for row in rows {
      try await withLicenseServer { fixture in
        let services = fixture.server.services
        let served =
          RuntimeRoutes(services: services).all.map { "\($0.path)" }
          + ManagementRoutes(services: services).all.map { "\($0.path)" }
        guard served.contains("/api/v1" + row.path.replacing("{license}", with: "{id}")) else { return }
        let catalog = try await fixture.admin.makeCatalog()
        if row.path.contains("floating") {
          _ = try await fixture.admin.updatePolicy(catalog.policy.id, PolicyUpdateRequest(maxFloatingUsers: 5))
        }
        let made = try await fixture.admin.issue(catalog, expiresAt: fixture.clock.now + 90 * 86_400)
        let scene = Scene(fixture: fixture, catalog: catalog, made: made)
        let (sent, other) = try await row.bodies(scene)
        try await body(row, scene, sent, other)
      }
    }
  }

  @Test("the same request again gets the same status and bytes, also from another process; another body is refused")
  func replay() async throws {
    try await Self.forEveryRow { row, scene, body, other in
      let first = try await row.send(scene, through: scene.fixture, body, key: "k")
      #expect(first.status == row.success, "\(row.operation): \(first.text)")
      scene.fixture.clock.advance(seconds: 90)
      try await scene.fixture.withReplica { replica in
        let again = try await row.send(scene, through: replica, body, key: "k")
        #expect(again.status == first.status, "\(row.operation)")
        #expect(again.rawData(before: "meta") == first.rawData(before: "meta"), "\(row.operation)")
        #expect(again.rawData(before: "meta") != nil)
        let refused = try await row.send(scene, through: replica, other, key: "k")
        #expect(refused.status == 409, "\(row.operation): \(refused.text)")
        #expect(refused.code == "IDEMPOTENCY_CONFLICT", "\(row.operation)")
      }
      #expect(try await row.tookEffectOnce(scene), "\(row.operation)")
    }
  }

  @Test("the same request eight times at once, through two processes, takes effect once and answers the same")
  func atOnce() async throws {
    try await Self.forEveryRow { row, scene, body, _ in
      try await scene.fixture.withReplica { replica in
        let answers = try await withThrowingTaskGroup(of: String.self) { group in
          for number in 0..<8 {
            let fixture = number.isMultiple(of: 2) ? scene.fixture : replica
            group.addTask {
              let reply = try await row.send(scene, through: fixture, body, key: "k")
              return "\(reply.status) \(reply.rawData(before: "meta") ?? reply.text)"
            }
          }
          return try await group.reduce(into: Set()) { $0.insert($1) }
        }
        #expect(answers.count == 1, "\(row.operation): \(answers)")
        #expect(answers.first?.hasPrefix("\(row.success) ") == true, "\(row.operation): \(answers)")
      }
      #expect(try await row.tookEffectOnce(scene), "\(row.operation)")
    }
  }

  @Test("a missing, empty or oversized key is said before anything else of the request is looked at")
  func missingKey() async throws {
    try await Self.forEveryRow { row, scene, body, _ in
      for key in [nil, "", String(repeating: "k", count: 256)] where row.isKeyRequired || key?.isEmpty == false {
        let reply = try await row.send(scene, through: scene.fixture, row.isKeyRequired ? "not json" : body, key: key)
        #expect(reply.status == 400, "\(row.operation): \(reply.text)")
        #expect(reply.code == "IDEMPOTENCY_KEY_REQUIRED", "\(row.operation): \(reply.text)")
      }
      let longest = try await row.send(
        scene, through: scene.fixture, body, key: String(repeating: "k", count: 255))
      #expect(longest.status == row.success, "\(row.operation): \(longest.text)")
    }
  }

  @Test("a key is kept for its time and free after it")
  func retention() async throws {
    try await Self.forEveryRow { row, scene, body, other in
      _ = try await row.send(scene, through: scene.fixture, body, key: "k")
      scene.fixture.clock.advance(days: Double(row.days), seconds: -1)
      #expect(try await row.send(scene, through: scene.fixture, other, key: "k").code == "IDEMPOTENCY_CONFLICT")
      scene.fixture.clock.advance(seconds: 1)
      let free = try await row.send(scene, through: scene.fixture, other, key: "k")
      #expect(free.code != "IDEMPOTENCY_CONFLICT", "\(row.operation): \(free.text)")
    }
  }

  @Test("a refused request leaves its key free: what failed can be put right under the same key")
  func failures() async throws {
    try await withLicenseServer { fixture in
      let license = try await fixture.admin.issue(fixture.admin.makeCatalog()).license.id
      let path = "/api/v1/licenses/\(license)/transfer"
      let refused = try await fixture.send(
        "POST", path, #"{"customer_id":"cust_none"}"#, headers: [("Idempotency-Key", "k")])
      #expect(refused.status == 404)
      let right = try await fixture.send("POST", path, #"{"customer_id":""}"#, headers: [("Idempotency-Key", "k")])
      #expect(right.status == 200)
    }
  }

  // MARK: Clearing away

  static func cleaner(_ fixture: Fixture, batch: Int = 1_000) -> IdempotencyCleaner {
    IdempotencyCleaner(
      client: fixture.database.client, clock: fixture.server.services.clock, logger: Fixture.logger,
      interval: .milliseconds(5), batch: batch)
  }

  static func kept(_ fixture: Fixture) async throws -> Int {
    let rows = try await fixture.database.client.query("SELECT count(*) AS n FROM license_server.idempotency_records")
    return try #require(rows.first).get("n")
  }

  /// Answers of two tenants that call no more: two days old, and new.
  static func fill(_ fixture: Fixture, old: Int, new: Int) async throws {
    try await fixture.database.client.query(
      """
      INSERT INTO license_server.idempotency_records
             (tenant_id, operation, subject, key, request_hash, answer, created_at, expires_at)
      SELECT CASE WHEN n % 2 = 0 THEN 'default' ELSE 'acme' END, 'activateLicense', 'lic_1', 'k' || n, '', '',
             \(fixture.clock.now), \(fixture.clock.now) + CASE WHEN n <= \(old) THEN interval '-1 second' ELSE interval '1 hour' END
        FROM generate_series(1, \(old + new)) n
      """)
  }

  @Test("answers out of time are cleared away for tenants that never call again, in batches; the others stay")
  func prune() async throws {
    try await withLicenseServer { fixture in
      try await Self.fill(fixture, old: 25, new: 5)
      #expect(try await Self.cleaner(fixture, batch: 10).prune() == 25)
      #expect(try await Self.kept(fixture) == 5)
      #expect(try await Self.cleaner(fixture).prune() == 0)
      fixture.clock.advance(seconds: 3_600)
      #expect(try await Self.cleaner(fixture).prune() == 5)
    }
  }

  @Test("replicas that prune at once are in nobody's way, and a key that is used again keeps its answer")
  func prunesAtOnce() async throws {
    try await withLicenseServer { fixture in
      try await Self.fill(fixture, old: 200, new: 0)
      let license = try await fixture.admin.issue(fixture.admin.makeCatalog()).license.id
      func transfer(_ name: String) async throws -> License {
        try await fixture.admin.transferLicense(
          license, LicenseTransferRequest(customerName: name), idempotencyKey: "k")
      }
      _ = try await transfer("Ada")
      fixture.clock.advance(days: 91)
      async let renewed = transfer("Bob")
      let removed = try await withThrowingTaskGroup(of: Int.self) { group in
        for _ in 0..<6 { group.addTask { try await Self.cleaner(fixture, batch: 7).prune() } }
        return try await group.reduce(0, +)
      }
      #expect(try await renewed.customerName == "Bob")
      #expect((1...201).contains(removed))
      _ = try await Self.cleaner(fixture).prune()
      #expect(try await Self.kept(fixture) == 1)
      #expect(try await transfer("Bob").timesTransferred == 2, "replayed")
    }
  }

  @Test("as a service it goes on by itself and ends when it is told to")
  func service() async throws {
    try await withLicenseServer { fixture in
      let running = Task { try await Self.cleaner(fixture).run() }
      try await Self.fill(fixture, old: 3, new: 1)
      while try await Self.kept(fixture) > 1 { try await Task.sleep(for: .milliseconds(5)) }
      running.cancel()
      try await running.value
      #expect(fixture.server.backgroundServices(transport: fixture.transport).contains { $0 is IdempotencyCleaner })
    }
  }

  @Test("the role that clears away can see no answer and touch nothing else")
  func role() async throws {
    try await withLicenseServer { fixture in
      for statement in [
        "SELECT answer FROM license_server.idempotency_records", "SELECT id FROM license_server.licenses",
        "UPDATE license_server.idempotency_records SET expires_at = now()", "DELETE FROM license_server.events",
        "INSERT INTO license_server.idempotency_records DEFAULT VALUES",
      ] {
        await #expect(throws: PostgresError.self, "\(statement)") {
          try await fixture.database.client.transaction(TransactionOptions(role: "license_server_upkeep")) {
            try await $0.query(PostgresQuery(unescaped: statement))
          }
        }
      }
    }
  }
}
