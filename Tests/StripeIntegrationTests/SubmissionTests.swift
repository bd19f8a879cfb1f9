import Foundation
import HTTPTransport
import JSON
import ServerKit
import Synchronization
import TestSupport
import Testing

@testable import StripeIntegration

@Suite("Review before a submission to the marketplace")
struct SubmissionTests {
  private static let folder = PackageRoot.path + "/integrations/stripe-app"
  private static let base = "https://stripe.licensekit.dev"

  private static func json(_ name: String) throws -> JSONValue {
    try JSONValue(parsing: [UInt8](try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(name)"))))
  }

  private static func review(
    manifest: (inout JSONObject) -> Void = { _ in }, listing: (inout JSONObject) -> Void = { _ in },
    base: String = base, hasLiveMode: Bool = true
  ) throws -> [SubmissionFinding] {
    var (app, page) = (try json("stripe-app.json").object ?? [:], try json("listing.json").object ?? [:])
    manifest(&app)
    listing(&page)
    return SubmissionReview(
      manifest: .object(app), listing: .object(page), publicBaseURL: base, hasLiveMode: hasLiveMode, usesOAuth: true
    ) { path in (try? Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(path)"))).map { [UInt8]($0) } }.findings
  }

  private static func problems(_ findings: [SubmissionFinding]) -> [String] {
    findings.filter { $0.problem != nil }.map(\.area)
  }

  /// What only the operator knows.
  private static func complete(_ listing: inout JSONObject) {
    for name in ["documentation_url", "privacy_policy_url", "terms_of_service_url"] {
      listing[name] = .string("https://licensekit.dev/\(name)")
    }
    listing["support_email"] = "help@licensekit.dev"
    listing["support_response_time"] = "One business day"
    listing["pricing"] = "As at licensekit.dev"
    var plan = listing["test_plan"]?.object ?? [:]
    plan["account"] = "review@example.com"
    listing["test_plan"] = .object(plan)
  }

  @Test("this project's own manifest and listing pass, once the operator has filled in what is his to say")
  func ownApp() throws {
    let complete = try Self.review(listing: Self.complete)
    #expect(complete.filter { $0.problem != nil } == [])
    #expect(Set(Self.problems(try Self.review())) == ["Privacy", "Support", "Pricing", "Test plan"])
  }

  @Test("another address, another mode and a lax manifest are found")
  func wrongOnes() throws {
    let moved = try Self.review(listing: Self.complete, base: "http://localhost:8080", hasLiveMode: false)
    #expect(Set(Self.problems(moved)) == ["OAuth", "Endpoints"])
    func problems(_ change: (inout JSONObject) -> Void) throws -> [String] {
      Self.problems(try Self.review(manifest: change, listing: Self.complete))
    }
    #expect(try problems { $0["stripe_api_access_type"] = "platform" } == ["OAuth"])
    #expect(try problems { $0["sandbox_install_compatible"] = nil } == ["Sandbox"])
    #expect(try problems { $0["name"] = "Stripe Licenses" } == ["Listing", "Listing"])
    #expect(try problems { $0["icon"] = "./none.png" } == ["Listing"])
    #expect(try problems { $0["post_install_action"] = nil } == ["Settings"])
    #expect(
      try problems { manifest in
        manifest["permissions"] = .array(
          (manifest["permissions"]?.array ?? []) + [["permission": "payout_write", "purpose": ""]])
      } == ["Permissions", "Permissions"])
    #expect(
      try problems { manifest in
        manifest["permissions"] = .array(Array((manifest["permissions"]?.array ?? []).dropFirst()))
      } == ["Permissions"])
  }

  @Test("the size of a picture is read, and what is no picture is none")
  func pictures() {
    let header: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52]
    #expect(PNGSize(header + [0, 0, 6, 64, 0, 0, 1, 0]) == PNGSize(width: 1_600, height: 256))
    #expect(PNGSize(header) == nil)
    #expect(PNGSize(Array(repeating: 0, count: 40)) == nil)
  }

  @Test("a service that does not answer fails every probe, and says so")
  func probeOfNobody() async throws {
    let probe = SubmissionProbe(publicBaseURL: "http://127.0.0.1:1", origins: ["null"], transport: Silence())
    let findings = await probe.findings()
    #expect(findings.count == 5)
    #expect(findings.allSatisfy { $0.problem?.contains("does not answer") == true })
  }

  private struct Silence: HTTPSending {
    func send(_ request: HTTPTransportRequest) async throws(HTTPTransportError) -> HTTPTransportResponse {
      throw .connectionLost("nobody is there")
    }
  }
}
