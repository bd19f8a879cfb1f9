import Cryptography
import Foundation
import Identity
import JSON
import LicenseKitAPI
import ServerKit
import TestSupport
import Testing

@testable import LicenseServer

@Suite("Rules without a database")
struct SmallRulesTests {
  @Test(
    "a key that was pasted with what stood around it in a mail is that key",
    arguments: [
      "License lsk_Ab-9_", "license lsk_Ab-9_", "License   lsk_Ab-9_  ", "License\tlsk_Ab-9_\t",
      "License \u{A0}lsk_Ab-9_\u{A0}",
      "License lsk_Ab-9_\u{200B}", "License \u{FEFF}lsk_Ab-9_", "License \u{200D}lsk_Ab-9_\u{200D}",
      "License\u{A0}lsk_Ab-9_",
      "License lsk_\u{AD}Ab\u{200B}-9_", "License lsk_Ab-9_\r\n", "License \u{FFFD}lsk_Ab-9_\u{FFFD}",
    ])
  func pastedKeys(_ header: String) {
    #expect(Credential.pasted(header, after: "License") == "lsk_Ab-9_")
  }

  @Test(
    "what is no key stays none",
    arguments: ["", "License", "License ", "License \u{200B}", "Bearer lsk_Ab-9_", "lsk_Ab-9_", "Licenselsk_Ab-9_"])
  func noKeys(_ header: String) {
    #expect(Credential.pasted(header, after: "License") == nil)
    #expect(Credential.pasted("License \(String(repeating: "a", count: 1_025))", after: "License") == nil)
  }

  @Test("host names are compared in lower case, without port or root dot")
  func hostNames() {
    #expect(HostName.normalized("Acme.Example:8080") == "acme.example")
    #expect(HostName.normalized("acme.example.") == "acme.example")
    #expect(HostName.normalized("[::1]:80") == "[::1]")
    #expect(HostName.normalized("a b") == nil)
    #expect(HostName.normalized("") == nil)
  }

  @Test("containers share the seats unless the policy gives them their own")
  func seats() {
    var policy = Policy(
      id: "pol_1", productID: "prod_1", name: "n", code: "c", licenseType: .perpetual, maxActivations: 2,
      floatingTimeoutMinutes: 60, gracePeriodDays: 0, validationIntervalMinutes: 60, requireHeartbeat: false,
      allowOfflineActivation: false, offlineGraceDays: 0, allowVM: true, allowContainer: true, maxTransfers: 0,
      metadata: [:],
      createdAt: Date(), updatedAt: Date())
    #expect(Seats.limitReached(by: .hardware, hardware: 1, containers: 1, policy: policy) == 2)
    #expect(Seats.limitReached(by: .container, hardware: 1, containers: 0, policy: policy) == nil)
    policy.maxContainerInstances = 1
    #expect(Seats.limitReached(by: .hardware, hardware: 1, containers: 1, policy: policy) == nil)
    #expect(Seats.limitReached(by: .container, hardware: 0, containers: 1, policy: policy) == 1)
  }

  @Test("a version counts as covered by when it was released, an unknown one as released now")
  func versions() {
    let now = Date(timeIntervalSince1970: 1_000_000)
    func isEntitled(_ released: Date?, through: Date?, catalog: Bool = true) -> Bool {
      VersionGate.eligibility(of: "1", hasCatalog: catalog, releasedAt: released, eligibleThrough: through, now: now)
        .isEntitled
    }
    #expect(isEntitled(now - 10, through: now - 10))
    #expect(!isEntitled(now - 9, through: now - 10))
    #expect(!isEntitled(nil, through: now - 1))
    #expect(isEntitled(nil, through: nil))
    #expect(isEntitled(now, through: now - 10, catalog: false))
  }

  @Test("a quota is set first and then raised; what cannot be is refused")
  func quotas() throws {
    let given = LicenseFeature(
      licenseID: "l", featureID: "f", featureCode: "c", featureName: "n", enabled: true, maxConsumptions: 10,
      totalConsumptions: 4, metadata: [:])
    let changed = try UsageReset.apply(
      .init(featureID: "f", addCredits: 5, maxConsumptions: 20, resetConsumed: true), to: given)
    #expect(changed == (25, 0))
    var unlimited = given
    unlimited.maxConsumptions = nil
    #expect(throws: APIFailure.self) { try UsageReset.apply(.init(featureID: "f", addCredits: 5), to: unlimited) }
    let bodies: [LicenseFeatureUsageResetRequest] = [
      .init(resetConsumed: true), .init(featureID: "f", featureCode: "c", resetConsumed: true), .init(featureID: "f"),
      .init(featureID: "f", addCredits: 0), .init(featureID: "f", totalConsumptions: 1, resetConsumed: true),
    ]
    for body in bodies { #expect(throws: APIFailure.self) { try UsageReset.check(body) } }
  }

  @Test("after resealing, the old encryption key can go: answers are still signed and replayed")
  func reencryption() async throws {
    try await withDatabase(migrations: ["migrations/server"]) { database in
      let (old, new) = (try KeyRing.newEntry(id: "old"), try KeyRing.newEntry(id: "new"))
      func server(_ keys: String) throws -> LicenseServer {
        LicenseServer(client: database.client, keyRing: try KeyRing(parsing: keys), logger: Fixture.logger)
      }
      let first = try server(old)
      try await first.bootstrap(adminToken: nil)
      let catalog = try await first.inProcessClient(tenant: .defaultTenant).makeCatalog()
      let body = LicenseCreateRequest(productID: catalog.product.id, policyID: catalog.policy.id)
      let made = try await first.inProcessClient(tenant: .defaultTenant).createLicense(body, idempotencyKey: "k")

      #expect(try await server("\(new),\(old)").administration.reencrypt() == 2)
      #expect(try await server("\(new),\(old)").administration.reencrypt() == 0)
      let last = try server(new)
      #expect(try await last.inProcessClient(tenant: .defaultTenant).createLicense(body, idempotencyKey: "k") == made)
      let caller = Caller(tenant: .defaultTenant, actor: .license(made.license.id), scopes: [], address: nil)
      _ = try await last.services.runtime.activate(
        made.license.id, RuntimeBindingRequest(fingerprint: "m"), idempotencyKey: "1", for: caller)
    }
  }
}
