import Foundation
import HTTPTransport
import Identity
import JSON
import LicenseKitAPI
import LicenseKitHTTP
import LicenseServer
import Testing

/// Each operation of the contract as its table says: the status, the envelope, and the members of `data` with their types
/// and in the order of the schema.
@Suite("The contract, operation by operation")
struct OperationTests {
  @Test("the copy of the contract has all 87 operations, each with an example that succeeds")
  func isComplete() {
    #expect(Contract.operations.count == 87)
    #expect(Set(Contract.operations.map(\.id)).count == 87)
    let examples = Set(ContractStep.all.map(\.operation))
    #expect(examples == Set(Contract.operations.map(\.id)))
    for operation in Contract.operations where operation.authorization == .management {
      #expect(Contract.words(of: "ManagementScope")?.contains(operation.scope ?? "") == true, "\(operation)")
    }
  }

  @Test("every operation answers with its own status and envelope, and data as its schema says, and knows no strangers")
  func everyOperation() async throws {
    try await withLicenseServer { fixture in
      var walk = Walk(fixture: fixture)
      for (number, step) in ContractStep.all.enumerated() {
        try await walk.expectUnknownIDsAreNotFound(step, number)
        try await walk.succeed(step, number)
      }
    }
  }

  /// The walk through the steps, with what the answers so far have put down.
  struct Walk {
    let fixture: Fixture
    private var known: [String: String] = [:]

    init(fixture: Fixture) { self.fixture = fixture }

    private func filled(_ text: String) -> String {
      known.reduce(text) { $0.replacing("{\($1.key)}", with: $1.value) }
    }

    private func send(_ step: ContractStep, ids: [String], key: String) async throws -> Reply {
      let operation = Contract.operation(step.operation)
      let authorization: String? =
        switch operation.authorization {
        case .management: "Bearer \(Fixture.adminToken)"
        case .license: "License \(known["\(step.license).key"] ?? "missing")"
        case .none: nil
        }
      return try await fixture.send(
        operation.method, operation.path(ids) + (step.query.isEmpty ? "" : "?\(filled(step.query))"),
        step.body.map(filled), authorization: authorization,
        headers: operation.needsIdempotencyKey ? [("Idempotency-Key", key)] : [])
    }

    mutating func succeed(_ step: ContractStep, _ number: Int) async throws {
      let operation = Contract.operation(step.operation)
      let reply = try await send(step, ids: step.ids.map { known[$0] ?? "missing" }, key: "key-\(number)")
      let expected = step.status.map { [$0] } ?? operation.success.filter { $0 != 503 }
      guard expected.contains(reply.status) else {
        Issue.record("\(operation): \(reply.status) instead of \(expected): \(reply.text)")
        return
      }
      check(reply, of: operation, step)
      if let name = step.keep {
        let data = reply.data
        known[name] =
          (data?["lease_token"] ?? data?["license"]?["id"] ?? data?["webhook"]?["id"] ?? data?["device_id"]
          ?? data?["id"])?.string ?? "missing"
        known["\(name).key"] = data?["license_key"]?.string
        if name == "policy" { try await allowOffline(PolicyID(known[name] ?? "")) }
      }
    }

    /// The contract leaves this to the operator.
    private func allowOffline(_ policy: PolicyID) async throws {
      var limits = PolicyLimits()
      limits.allowOfflineActivation = true
      limits.offlineGraceDays = 7
      try await fixture.server.administration.setLimits(limits, of: policy, tenant: .defaultTenant)
    }

    private func check(_ reply: Reply, of operation: Contract.Operation, _ step: ContractStep) {
      let type = reply.response.headers["Content-Type"]
      switch operation.data {
      case _ where reply.status == 204, nil: #expect(reply.response.body.isEmpty, "\(operation)")
      case "text": #expect(type?.hasPrefix("text/plain") == true, "\(operation)")
      case "bytes":
        #expect(type?.hasPrefix("text/csv") == true, "\(operation): \(type ?? "")")
        #expect(!reply.response.body.isEmpty, "\(operation)")
      case let data?:
        #expect(type == "application/json", "\(operation)")
        let members: [String] =
          switch operation.envelope {
          case .page: ["data", "page_info", "meta"]
          case .signed: ["data", "signature", "meta"]
          default: ["data", "meta"]
          }
        #expect(reply.json?.object?.keys == members, "\(operation)")
        var problems = Contract.problems(reply.data ?? .null, data, at: "data")
        problems += Contract.problems(reply.json?["meta"] ?? .null, "ResponseMeta", at: "meta")
        if operation.envelope == .page {
          problems += Contract.problems(reply.json?["page_info"] ?? .null, "EventPageInfo", at: "page_info")
        }
        if operation.envelope == .signed {
          problems += Contract.problems(reply.json?["signature"] ?? .null, "Signature", at: "signature")
        }
        #expect(problems.isEmpty, "\(operation): \(problems) in \(reply.text)")
        if operation.isList, !step.mayBeEmpty {
          #expect(reply.data?.array?.isEmpty == false, "\(operation): nothing was found")
        }
      }
    }

    /// Where the contract has a 404, an unknown id gets it, whichever id of the path it is; a list without one is empty.
    func expectUnknownIDsAreNotFound(_ step: ContractStep, _ number: Int) async throws {
      let operation = Contract.operation(step.operation)
      for position in step.ids.indices {
        var ids = step.ids.map { known[$0] ?? "missing" }
        ids[position] = "none_0"
        let reply = try await send(step, ids: ids, key: "strange-\(number)-\(position)")
        if operation.isList, !operation.errors.contains(404) {
          #expect(reply.status == 200, "\(operation): \(reply.text)")
          #expect(reply.data?.array?.isEmpty == true, "\(operation): \(reply.text)")
        } else {
          #expect(reply.status == 404, "\(operation): \(reply.text)")
          #expect(reply.code == "NOT_FOUND", "\(operation): \(reply.text)")
        }
      }
    }
  }

  /// Runtime operations find their record by what the application says of itself.
  static let strangers: [(operation: String, body: String)] = [
    ("validateLicense", #"{"fingerprint":"nobody"}"#),
    ("checkLicense", #"{"fingerprint":"nobody"}"#),
    ("consumeLicense", #"{"fingerprint":"nobody","feature_code":"api_calls","event_id":"e"}"#),
    ("issueOfflineLicense", #"{"fingerprint":"nobody"}"#),
    ("deactivateLicense", #"{"fingerprint":"nobody"}"#),
    ("checkinFloatingLicense", #"{"lease_token":"llt_nobody"}"#),
    ("heartbeatFloatingLicense", #"{"lease_token":"llt_nobody"}"#),
  ]

  @Test("a device or lease that nobody knows is not found", arguments: strangers)
  func unknownDevices(_ stranger: (operation: String, body: String)) async throws {
    let operation = Contract.operation(stranger.operation)
    #expect(operation.errors.contains(404))
    try await withLicenseServer { fixture in
      let catalog = try await fixture.admin.makeCatalog()
      var limits = PolicyLimits()
      limits.allowOfflineActivation = true
      try await fixture.server.administration.setLimits(limits, of: catalog.policy.id, tenant: .defaultTenant)
      let made = try await fixture.admin.issue(catalog)
      _ = try await fixture.admin.assignLicenseFeature(
        made.license.id, LicenseFeatureAssignRequest(featureID: catalog.feature.id, maxConsumptions: 5))
      let reply = try await fixture.send(
        "POST", operation.path, stranger.body, authorization: "License \(made.licenseKey)",
        headers: [("Idempotency-Key", "k")])
      #expect(reply.status == 404, "\(operation): \(reply.text)")
    }
  }
}
