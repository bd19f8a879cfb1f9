import Foundation
import HTTPTransport
import Identity
import JSON
import LicenseKitAPI
import LicenseKitHTTP
import LicenseServer
import Testing

extension Fixture {
  /// A license under a policy with a pool of `places`.
  func makePool(
    of places: Int, timeoutMinutes: Int = 60, requireHeartbeat: Bool = true, type: LicenseType = .subscription,
    expiresAt: Date? = nil
  ) async throws -> (catalog: Catalog, made: LicenseCreateResponse) {
    let catalog = try await admin.makeCatalog(type)
    _ = try await admin.updatePolicy(
      catalog.policy.id,
      PolicyUpdateRequest(
        maxFloatingUsers: places, floatingTimeoutMinutes: timeoutMinutes, requireHeartbeat: requireHeartbeat))
    return (catalog, try await admin.issue(catalog, expiresAt: expiresAt))
  }

  func setLimits(of policy: PolicyID, _ change: (inout PolicyLimits) -> Void) async throws {
    var limits = PolicyLimits()
    change(&limits)
    try await server.administration.setLimits(limits, of: policy, tenant: .defaultTenant)
  }

  func checkout(_ key: String, _ machine: String, idempotencyKey: String? = nil) async throws -> Reply {
    try await runtime(
      "floating/checkout", key: key, #"{"fingerprint":"\#(machine)"}"#, idempotencyKey: idempotencyKey ?? unique("k"))
  }

  func checkin(_ key: String, _ token: String?, idempotencyKey: String? = nil) async throws -> Reply {
    try await runtime(
      "floating/checkin", key: key, #"{"lease_token":"\#(token ?? "")"}"#,
      idempotencyKey: idempotencyKey ?? unique("k"))
  }

  func heartbeat(_ key: String, _ token: String?) async throws -> Reply {
    try await runtime("floating/heartbeat", key: key, #"{"lease_token":"\#(token ?? "")"}"#)
  }

  /// Sends again, as a client does, what the server was too busy for. The idempotency key makes that safe.
  func patiently(_ send: () async throws -> Reply) async throws -> Reply {
    for _ in 0..<100 {
      let reply = try await send()
      if reply.status != 503 { return reply }
      try await Task.sleep(for: .milliseconds(50))
    }
    return try await send()
  }

  /// The types of a license's events, oldest first.
  func eventTypes(of license: LicenseID) async throws -> [String] {
    try await admin.listEvents(EventFilter(limit: 200, resourceID: license.rawValue)).events.map(\.eventType).reversed()
  }
}

/// Runs `body` for each number at once.
func concurrently<T: Sendable>(
  _ numbers: Range<Int>, _ body: @escaping @Sendable (Int) async throws -> T
) async throws -> [T] {
  try await withThrowingTaskGroup(of: T.self) { group in
    for number in numbers { group.addTask { try await body(number) } }
    return try await group.reduce(into: []) { $0.append($1) }
  }
}

extension Reply {
  var leaseToken: String? { data?["lease_token"]?.string }
  func date(_ member: String) -> Date? { data?[member]?.string.flatMap(RFC3339.date(from:)) }
  /// Status and code, to compare with a table.
  var outcome: String { code.map { "\(status) \($0)" } ?? "\(status)" }
}
