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

@Suite("Validations, many with one statement")
struct ValidationTests {
  /// A license with a metered feature, and its key.
  private func sell(_ fixture: Fixture) async throws -> LicenseCreateResponse {
    let catalog = try await fixture.admin.makeCatalog()
    let made = try await fixture.admin.issue(catalog, expiresAt: fixture.clock.now + 30 * 86_400)
    _ = try await fixture.admin.assignLicenseFeature(
      made.license.id, LicenseFeatureAssignRequest(featureID: catalog.feature.id, maxConsumptions: 10))
    return made
  }

  @Test("a hundred licenses asked about at once get their own answers, and each device its stamp")
  func batch() async throws {
    try await withLicenseServer { fixture in
      let catalog = try await fixture.admin.makeCatalog()
      var sold: [LicenseCreateResponse] = []
      for _ in 1...20 {
        let made = try await fixture.admin.issue(catalog)
        let reply = try await fixture.runtime("activate", key: made.licenseKey, idempotencyKey: "1")
        #expect(reply.status == 200)
        sold.append(made)
      }
      fixture.clock.advance(seconds: 60)
      try await withThrowingTaskGroup(of: Void.self) { group in
        for number in 0..<100 {
          let made = sold[number % sold.count]
          let isWrong = number % 7 == 3
          group.addTask {
            let reply = try await fixture.runtime(
              "validate", key: isWrong ? "lsk_nobody_has_\(number)" : made.licenseKey)
            #expect(reply.status == (isWrong ? 401 : 200))
            if !isWrong { #expect(reply.data?["license_id"]?.string == made.license.id.rawValue) }
          }
        }
        try await group.waitForAll()
      }
      for made in sold {
        let device = try #require(try await fixture.admin.listLicenseDevices(made.license.id, limit: nil).first)
        #expect(device.lastValidatedAt == fixture.clock.now)
        #expect(device.lastSeenAt == fixture.clock.now)
        #expect(device.ipAddress == "127.0.0.1")
      }
    }
  }

  @Test("a change is in the very next answer: quota, suspension, reinstatement, a new policy type, a rotated key")
  func freshness() async throws {
    try await withLicenseServer { fixture in
      let made = try await sell(fixture)
      let (id, key) = (made.license.id, made.licenseKey)
      _ = try await fixture.runtime("activate", key: key, idempotencyKey: "1")
      let first = try await fixture.runtime("check", key: key)
      #expect(first.data?["features"]?[0]?["remaining"]?.integer == 10)
      let used = try await fixture.runtime(
        "consume", key: key, #"{"fingerprint":"machine-1","feature_code":"api_calls","amount":4,"event_id":"e"}"#,
        idempotencyKey: "2")
      #expect(used.status == 200)
      #expect(try await fixture.runtime("check", key: key).data?["features"]?[0]?["remaining"]?.integer == 6)
      _ = try await fixture.admin.suspendLicense(id)
      #expect(try await fixture.runtime("validate", key: key).code == "LICENSE_INACTIVE")
      _ = try await fixture.admin.reinstateLicense(id)
      #expect(try await fixture.runtime("validate", key: key).status == 200)
      _ = try await fixture.admin.updatePolicy(made.license.policyID, PolicyUpdateRequest(licenseType: .timeLimited))
      let typed = try await fixture.runtime("validate", key: key)
      #expect(typed.data?["license_type"] == "time_limited")
      let before = try #require(first.data?["entitlement_version"]?.integer)
      #expect(try #require(typed.data?["entitlement_version"]?.integer) == before + 3)
      let new = try await fixture.server.administration.rotateSigningKey(of: .defaultTenant)
      #expect(try await fixture.runtime("validate", key: key).json?["signature"]?["kid"]?.string == new.kid)
    }
  }

  @Test("check leaves no trace, validate one a second")
  func stamps() async throws {
    try await withLicenseServer { fixture in
      let made = try await sell(fixture)
      func device() async throws -> Device {
        try #require(try await fixture.admin.listLicenseDevices(made.license.id, limit: nil).first)
      }
      _ = try await fixture.runtime("activate", key: made.licenseKey, idempotencyKey: "1")
      let bound = try await device()
      fixture.clock.advance(seconds: 5)
      #expect(try await fixture.runtime("check", key: made.licenseKey).status == 200)
      #expect(try await device() == bound)
      for _ in 1...2 {
        fixture.clock.advance(seconds: 1)
        #expect(try await fixture.runtime("validate", key: made.licenseKey).status == 200)
        #expect(try await device().lastValidatedAt == fixture.clock.now)
      }
    }
  }

  @Test("a device that somebody is writing at this moment is answered without waiting for them")
  func lockedDevice() async throws {
    try await withLicenseServer { fixture in
      let made = try await sell(fixture)
      _ = try await fixture.runtime("activate", key: made.licenseKey, idempotencyKey: "1")
      try await fixture.database.client.transaction { transaction in
        try await transaction.query("SELECT FROM license_server.devices FOR UPDATE")
        #expect(try await fixture.runtime("validate", key: made.licenseKey).status == 200)
      }
    }
  }

  @Test("whoever has no valid key learns nothing but that, whatever the body is like")
  func credentialFirst() async throws {
    try await withLicenseServer { fixture in
      let made = try await sell(fixture)
      for operation in ["validate", "check"] {
        for body in [#"{"fingerprint":"machine-1"}"#, #"{"unknown":1}"#, "{", "{}"] {
          #expect(try await fixture.runtime(operation, key: "lsk_nobody", body).status == 401)
        }
        #expect(try await fixture.runtime(operation, key: made.licenseKey, #"{"unknown":1}"#).status == 400)
        #expect(try await fixture.runtime(operation, key: made.licenseKey, "{}").status == 422)
        let nul = try await fixture.runtime(operation, key: made.licenseKey, #"{"fingerprint":"a\u0000b"}"#)
        #expect(nul.status == 422)
        #expect(try await fixture.runtime(operation, key: made.licenseKey).status == 404, "not activated")
        let none = try await fixture.send("POST", "/api/v1/license/\(operation)", "{}", authorization: nil)
        #expect(none.status == 401)
      }
    }
  }

  @Test("a host name that belongs to another tenant knows no key of this one")
  func hosts() async throws {
    try await withLicenseServer { fixture in
      let made = try await sell(fixture)
      _ = try await fixture.runtime("activate", key: made.licenseKey, idempotencyKey: "1")
      try await fixture.server.administration.createTenant("other", name: "Other", hostName: "other.example.com")
      for (host, status) in [("other.example.com", 401), ("OTHER.example.com:443", 401), ("any.example.com", 200)] {
        let reply = try await fixture.send(
          "POST", "/api/v1/license/validate", #"{"fingerprint":"machine-1"}"#,
          authorization: "License \(made.licenseKey)", headers: [("Host", host)])
        #expect(reply.status == status, "\(host)")
      }
    }
  }

  @Test("the role that answers sees no secret and no buyer, and writes nothing but stamps")
  func role() async throws {
    try await withLicenseServer { fixture in
      let made = try await sell(fixture)
      _ = try await fixture.runtime("activate", key: made.licenseKey, idempotencyKey: "1")
      let options = TransactionOptions(role: "license_server_validation")
      for statement: PostgresQuery in [
        "SELECT customer_email FROM license_server.licenses",
        "SELECT fingerprint FROM license_server.devices",
        "SELECT sealed_private_key FROM license_server.signing_keys",
        "SELECT token_hash FROM license_server.api_keys",
        "SELECT sequence FROM license_server.events",
        "UPDATE license_server.devices SET status = 'active'",
        "UPDATE license_server.licenses SET state = 'active'",
        "UPDATE license_server.license_features SET total_consumptions = 0",
        "DELETE FROM license_server.devices",
        "INSERT INTO license_server.tenants VALUES ('x', 'x', NULL, now())",
      ] {
        await #expect(throws: PostgresError.self, "\(statement)") {
          try await fixture.database.client.transaction(options) { try await $0.query(statement) }
        }
      }
    }
  }
}

@Suite("Bodies of bindings, read plainly")
struct PlainBindingTests {
  @Test(
    "what is read plainly is what the decoder reads, and everything else is left to the decoder",
    arguments: [
      #"{"fingerprint":"f","hostname":"h","os":"o","is_vm":true,"is_container":false,"container_id":"c","cluster_id":"k","namespace":"n","pod_name":"p","app_version":"1"}"#,
      #" { "fingerprint" : "\u00e9\n" } "#, "{}", #"{"fingerprint":"a","fingerprint":"b"}"#,
      #"{"fingerprint":null}"#, #"{"fingerprint":1}"#, #"{"is_vm":"true"}"#, #"{"other":1}"#, "[]", "", "{", "1",
    ])
  func same(body: String) throws {
    let bytes = Array(body.utf8)
    let plain = RuntimeBindingRequest(plainly: bytes)
    let decoded = try? JSONBody.decode(RuntimeBindingRequest.self, from: bytes)
    if let plain { #expect(plain == decoded) }
    if decoded == nil { #expect(plain == nil) }
  }

  @Test("every field of a binding is among those read plainly")
  func everyField() throws {
    let full = RuntimeBindingRequest(
      fingerprint: "f", hostname: "h", os: "o", isVM: true, isContainer: true, containerID: "c", clusterID: "k",
      namespace: "n", podName: "p", appVersion: "1")
    #expect(RuntimeBindingRequest(plainly: try JSONCoding.encodedBytes(full)) == full)
    #expect(Mirror(reflecting: full).children.count == 10)
  }
}
