import Foundation
import Identity
import JSON
import LicenseKitAPI
import LicenseKitHTTP
import Postgres
import TestSupport
import Testing

@testable import LicenseServer

@Suite("Seats, machines and containers")
struct SeatTests {
  static let container = #"{"is_container":true,"cluster_id":"c","namespace":"n","pod_name":"p1"}"#

  @Test("fifty activations of one binding at once take one seat and count once")
  func oneBinding() async throws {
    try await withLicenseServer { fixture in
      let made = try await fixture.admin.issue(fixture.admin.makeCatalog())
      let replies = try await concurrently(0..<50) { number in
        try await fixture.runtime("activate", key: made.licenseKey, idempotencyKey: "k\(number)")
      }
      #expect(replies.allSatisfy { $0.status == 200 })
      #expect(Set(replies.map { $0.data?["device_id"]?.string }).count == 1)
      let license = try await fixture.admin.getLicense(made.license.id)
      #expect(license.activeDeviceCount == 1)
      #expect(license.timesActivated == 1)
      #expect(try await fixture.eventTypes(of: made.license.id).count { $0 == "license.activated" } == 1)
    }
  }

  @Test("a device that lets go and comes back keeps its id, and each activation counts")
  func again() async throws {
    try await withLicenseServer { fixture in
      let made = try await fixture.admin.issue(fixture.admin.makeCatalog())
      let key = made.licenseKey
      var devices: Set<String?> = []
      for round in 1...3 {
        let reply = try await fixture.runtime("activate", key: key, idempotencyKey: "a\(round)")
        devices.insert(reply.data?["device_id"]?.string)
        #expect(try await fixture.runtime("deactivate", key: key, idempotencyKey: "d\(round)").status == 200)
        let twice = try await fixture.runtime("deactivate", key: key, idempotencyKey: "e\(round)")
        #expect(twice.outcome == "404 NOT_FOUND")
      }
      #expect(devices.count == 1)
      #expect(try await fixture.admin.getLicense(made.license.id).timesActivated == 3)
      // The key of an earlier activation tells what was, and takes no seat.
      #expect(try await fixture.runtime("activate", key: key, idempotencyKey: "a1").status == 200)
      #expect(try await fixture.admin.getLicense(made.license.id).activeDeviceCount == 0)
    }
  }

  @Test("the line end of a file, blanks and invisible characters around a fingerprint are no other machine")
  func sameMachine() async throws {
    try await withLicenseServer { fixture in
      let made = try await fixture.admin.issue(fixture.admin.makeCatalog())
      var devices: Set<String?> = []
      for (number, end) in ["\\n", "", "\\r\\n", " ", "\\t", "\u{A0}", "\u{200B}", "\u{FEFF}"].enumerated() {
        let body = #"{"fingerprint":"\#(end)4c4c4544\#(end)","hostname":"m\#(end)"}"#
        let reply = try await fixture.runtime("activate", key: made.licenseKey, body, idempotencyKey: "k\(number)")
        #expect(reply.status == 200, "\(body)")
        devices.insert(reply.data?["device_id"]?.string)
        for operation in ["validate", "check"] {
          #expect(try await fixture.runtime(operation, key: made.licenseKey, body).status == 200, "\(body)")
        }
      }
      #expect(devices.count == 1)
      let device = try #require(try await fixture.admin.listLicenseDevices(made.license.id, limit: nil).first)
      #expect(device.fingerprint == "4c4c4544" && device.hostname == "m" && device.bindingKey == "hardware:4c4c4544")
      let other = try await fixture.runtime(
        "validate", key: made.licenseKey, #"{"fingerprint":"4c4c\n4544"}"#)
      #expect(other.outcome == "404 NOT_FOUND")
      let blank = try await fixture.runtime("validate", key: made.licenseKey, "{\"fingerprint\":\"\u{200B}\"}")
      #expect(blank.status == 422)
    }
  }

  @Test("a container's place neither")
  func sameContainer() async throws {
    try await withLicenseServer { fixture in
      let made = try await fixture.admin.issue(fixture.admin.makeCatalog())
      for (number, end) in ["\\n", "", " "].enumerated() {
        let body = #"{"is_container":true,"cluster_id":"c\#(end)","pod_name":"p\#(end)"}"#
        let reply = try await fixture.runtime("activate", key: made.licenseKey, body, idempotencyKey: "k\(number)")
        #expect(reply.status == 200)
      }
      #expect(try await fixture.admin.listLicenseDevices(made.license.id, limit: nil).count == 1)
    }
  }

  @Test("a device that was bound with its line end is found by it, and without it takes no second seat")
  func boundBefore() async throws {
    try await withLicenseServer { fixture in
      let made = try await fixture.admin.issue(fixture.admin.makeCatalog())
      let key = made.licenseKey
      #expect(
        try await fixture.runtime("activate", key: key, #"{"fingerprint":"m"}"#, idempotencyKey: "1").status == 200)
      try await fixture.database.client.query("UPDATE license_server.devices SET binding_key = E'hardware:m\\n'")

      for operation in ["validate", "check"] {
        #expect(try await fixture.runtime(operation, key: key, #"{"fingerprint":"m\n"}"#).status == 200)
      }
      let again = try await fixture.runtime("activate", key: key, #"{"fingerprint":"m"}"#, idempotencyKey: "2")
      #expect(again.status == 200)
      for body in [#"{"fingerprint":"m\n"}"#, #"{"fingerprint":"m"}"#] {
        #expect(try await fixture.runtime("validate", key: key, body).status == 200)
      }
      #expect(try await fixture.admin.listLicenseDevices(made.license.id, limit: nil).count == 1)
    }
  }

  @Test("a seat given up and taken at once by many is never taken twice")
  func handOver() async throws {
    try await withLicenseServer { fixture in
      let made = try await fixture.admin.issue(fixture.admin.makeCatalog())
      let key = made.licenseKey
      #expect(try await fixture.runtime("activate", key: key, idempotencyKey: "0").status == 200)
      let replies = try await concurrently(0..<20) { number in
        number == 0
          ? try await fixture.runtime("deactivate", key: key, idempotencyKey: "d")
          : try await fixture.runtime(
            "activate", key: key, #"{"fingerprint":"m\#(number)"}"#, idempotencyKey: "k\(number)")
      }
      #expect(replies.count { $0.status == 200 } <= 2, "the one that let go, and at most one that took over")
      #expect(try await fixture.admin.getLicense(made.license.id).activeDeviceCount <= 1)
    }
  }

  @Test(
    "what runs in a virtual machine or a container is refused where the policy says so, by every operation that binds or asks"
  )
  func places() async throws {
    try await withLicenseServer { fixture in
      let (catalog, made) = try await fixture.makePool(of: 5)
      let key = made.licenseKey
      let vm = #"{"fingerprint":"v","is_vm":true}"#
      try await fixture.setLimits(of: catalog.policy.id) {
        ($0.maxActivations, $0.allowOfflineActivation) = (10, true)
      }
      for (body, key_) in [(vm, "v"), (Self.container, "c")] {
        #expect(try await fixture.runtime("activate", key: key, body, idempotencyKey: key_).status == 200)
      }
      try await fixture.setLimits(of: catalog.policy.id) { ($0.allowVM, $0.allowContainer) = (false, false) }
      for operation in ["activate", "validate", "check", "offline", "floating/checkout"] {
        let machine = try await fixture.runtime(operation, key: key, vm, idempotencyKey: "v-\(operation)")
        #expect(machine.outcome == "403 VM_NOT_ALLOWED", "\(operation)")
        let pod = try await fixture.runtime(operation, key: key, Self.container, idempotencyKey: "c-\(operation)")
        #expect(pod.outcome == "403 CONTAINER_NOT_ALLOWED", "\(operation)")
      }
      // An application may always let go.
      for (body, key_) in [(vm, "dv"), (Self.container, "dc")] {
        #expect(try await fixture.runtime("deactivate", key: key, body, idempotencyKey: key_).status == 200)
      }
    }
  }

  @Test("containers take seats as machines do, until the policy gives them a number of their own")
  func containers() async throws {
    try await withLicenseServer { fixture in
      let catalog = try await fixture.admin.makeCatalog()
      let made = try await fixture.admin.issue(catalog)
      @Sendable func pod(_ number: Int) async throws -> Reply {
        try await fixture.runtime(
          "activate", key: made.licenseKey, #"{"is_container":true,"pod_name":"p\#(number)"}"#,
          idempotencyKey: "p\(number)")
      }
      #expect(try await fixture.runtime("activate", key: made.licenseKey, idempotencyKey: "m").status == 200)
      #expect(try await pod(0).outcome == "403 ACTIVATION_LIMIT_EXCEEDED")
      try await fixture.setLimits(of: catalog.policy.id) { $0.maxContainerInstances = 3 }
      let replies = try await concurrently(1..<21) { try await pod($0) }
      #expect(replies.count { $0.status == 200 } == 3)
      #expect(try await fixture.admin.getLicense(made.license.id).activeDeviceCount == 4)
      let machine = try await fixture.runtime(
        "activate", key: made.licenseKey, #"{"fingerprint":"other"}"#, idempotencyKey: "o")
      #expect(machine.outcome == "403 ACTIVATION_LIMIT_EXCEEDED", "their number is not the machines'")
    }
  }

  @Test("a blocked binding is refused by every operation that names it")
  func blocked() async throws {
    try await withLicenseServer { fixture in
      let (catalog, made) = try await fixture.makePool(of: 5)
      try await fixture.setLimits(of: catalog.policy.id) { $0.allowOfflineActivation = true }
      _ = try await fixture.admin.assignLicenseFeature(
        made.license.id, LicenseFeatureAssignRequest(featureID: catalog.feature.id))
      let first = try await fixture.runtime("activate", key: made.licenseKey, idempotencyKey: "1")
      _ = try await fixture.admin.blacklistLicenseDevice(
        made.license.id, DeviceID(first.data?["device_id"]?.string ?? ""))
      for operation in ["activate", "validate", "check", "consume", "offline", "deactivate", "floating/checkout"] {
        let body =
          operation == "consume"
          ? #"{"fingerprint":"machine-1","feature_code":"api_calls","event_id":"e"}"# : #"{"fingerprint":"machine-1"}"#
        let reply = try await fixture.runtime(operation, key: made.licenseKey, body, idempotencyKey: "b")
        #expect(reply.outcome == "403 DEVICE_BLACKLISTED", "\(operation)")
      }
      #expect(try await fixture.admin.getLicense(made.license.id).activeDeviceCount == 0)
    }
  }

  @Test("a license changes hands as often as the policy says, and at once it is still no oftener")
  func transfers() async throws {
    try await withLicenseServer { fixture in
      let catalog = try await fixture.admin.makeCatalog()
      try await fixture.setLimits(of: catalog.policy.id) { $0.maxTransfers = 2 }
      let license = try await fixture.admin.issue(catalog).license
      let replies = try await concurrently(0..<10) { number in
        try await fixture.send(
          "POST", "/api/v1/licenses/\(license.id)/transfer", #"{"customer_name":"n\#(number)"}"#,
          headers: [("Idempotency-Key", "t\(number)")])
      }
      #expect(replies.count { $0.status == 200 } == 2)
      #expect(replies.count { $0.outcome == "409 TRANSFER_LIMIT_EXCEEDED" } == 8)
      #expect(try await fixture.admin.getLicense(license.id).timesTransferred == 2)
    }
  }
}
