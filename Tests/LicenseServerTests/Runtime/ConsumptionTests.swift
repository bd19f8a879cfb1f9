import Foundation
import Identity
import JSON
import LicenseKitAPI
import LicenseKitHTTP
import Postgres
import TestSupport
import Testing

@testable import LicenseServer

@Suite("Metered use, all at once")
struct ConsumptionTests {
  /// A license with a quota and an activated machine.
  static func metered(_ fixture: Fixture, quota: Int64?) async throws -> LicenseCreateResponse {
    let catalog = try await fixture.admin.makeCatalog()
    let made = try await fixture.admin.issue(catalog)
    _ = try await fixture.admin.assignLicenseFeature(
      made.license.id, LicenseFeatureAssignRequest(featureID: catalog.feature.id, maxConsumptions: quota))
    #expect(try await fixture.runtime("activate", key: made.licenseKey, idempotencyKey: "a").status == 200)
    return made
  }

  @Sendable static func consume(
    _ fixture: Fixture, _ key: String, event: String, amount: Int, idempotencyKey: String
  ) async throws -> Reply {
    try await fixture.patiently {
      try await fixture.runtime(
        "consume", key: key,
        #"{"fingerprint":"machine-1","feature_code":"api_calls","event_id":"\#(event)","amount":\#(amount)}"#,
        idempotencyKey: idempotencyKey)
    }
  }

  @Test("a thousand uses at once of a quota of five hundred, at two replicas, count five hundred")
  func quota() async throws {
    try await withLicenseServer { fixture in
      let made = try await Self.metered(fixture, quota: 500)
      let replies = try await fixture.withReplica { replica in
        try await concurrently(0..<1_000) { number in
          try await Self.consume(
            number.isMultiple(of: 2) ? fixture : replica, made.licenseKey, event: "e\(number)", amount: 1,
            idempotencyKey: "k\(number)")
        }
      }
      #expect(replies.count { $0.status == 200 } == 500)
      #expect(replies.count { $0.outcome == "403 FEATURE_QUOTA_EXCEEDED" } == 500)
      let told = replies.compactMap { $0.data?["features"]?.array?.first?["consumed"] }
      #expect(Set(told).count == 500, "each answer tells another total")
      let license = try await fixture.admin.getLicense(made.license.id)
      #expect(license.totalConsumptions == 500)
      #expect(license.activeDeviceCount == 1)
      let rows = try await fixture.database.client.query(
        "SELECT count(*) AS n, sum(amount)::bigint AS total FROM license_server.usage_events")
      #expect(try rows.first?.get("n", as: Int.self) == 500)
      #expect(try rows.first?.get("total", as: Int64.self) == 500)
    }
  }

  @Test("many licenses are used side by side, each with its own total")
  func manyLicenses() async throws {
    try await withLicenseServer { fixture in
      var keys: [LicenseCreateResponse] = []
      for _ in 0..<20 { keys.append(try await Self.metered(fixture, quota: nil)) }
      let licenses = keys
      let replies = try await concurrently(0..<1_000) { number in
        try await Self.consume(
          fixture, licenses[number % 20].licenseKey, event: "e\(number)", amount: 1, idempotencyKey: "k\(number)")
      }
      #expect(replies.allSatisfy { $0.status == 200 })
      for made in licenses { #expect(try await fixture.admin.getLicense(made.license.id).totalConsumptions == 50) }
    }
  }

  @Test("one event sent by many at once counts once, whatever idempotency keys they use")
  func repeatedEvents() async throws {
    try await withLicenseServer { fixture in
      let made = try await Self.metered(fixture, quota: 10)
      let replies = try await concurrently(0..<60) { number in
        try await Self.consume(
          fixture, made.licenseKey, event: "e\(number % 3)", amount: 2, idempotencyKey: "k\(number)")
      }
      #expect(replies.allSatisfy { $0.status == 200 })
      #expect(try await fixture.admin.getLicense(made.license.id).totalConsumptions == 6)
    }
  }

  @Test("one request sent by many at once under one key gets one answer")
  func repeatedKeys() async throws {
    try await withLicenseServer { fixture in
      let made = try await Self.metered(fixture, quota: 10)
      let replies = try await concurrently(0..<30) { _ in
        try await Self.consume(fixture, made.licenseKey, event: "e", amount: 2, idempotencyKey: "k")
      }
      #expect(Set(replies.map { $0.rawData(before: "meta") }).count == 1)
      #expect(try await fixture.admin.getLicense(made.license.id).totalConsumptions == 2)
    }
  }

  @Test("amounts of any size never exceed the quota together, and the total is what was answered with 200")
  func mixedAmounts() async throws {
    try await withLicenseServer { fixture in
      let made = try await Self.metered(fixture, quota: 100)
      let replies = try await concurrently(0..<120) { number in
        let amount = number % 7 + 1
        let reply = try await Self.consume(
          fixture, made.licenseKey, event: "e\(number)", amount: amount, idempotencyKey: "k\(number)")
        return (amount, reply.status)
      }
      let counted = replies.filter { $0.1 == 200 }.map(\.0).reduce(0, +)
      #expect(counted <= 100)
      #expect(counted > 93, "what is left is less than the largest amount")
      #expect(try await fixture.admin.getLicense(made.license.id).totalConsumptions == Int64(counted))
    }
  }

  @Test("an amount beyond what can be signed is refused, and so is a total that would become so")
  func bounds() async throws {
    try await withLicenseServer { fixture in
      let made = try await Self.metered(fixture, quota: nil)
      let most = Int(Checks.maximumInteger)
      func outcome(_ amount: Int, _ event: String) async throws -> String {
        try await Self.consume(
          fixture, made.licenseKey, event: event, amount: amount, idempotencyKey: unique("k")
        ).outcome
      }
      #expect(try await outcome(0, "a") == "422 VALIDATION_ERROR")
      #expect(try await outcome(most + 1, "b") == "422 VALIDATION_ERROR")
      #expect(try await outcome(most, "c") == "200")
      #expect(try await outcome(1, "d") == "422 VALIDATION_ERROR")
    }
  }
}
