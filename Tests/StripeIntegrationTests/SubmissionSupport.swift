import Cryptography
import Foundation
import JSON
import StripeHTTP
import TestSupport

@testable import StripeIntegration

/// A review of this project's own app, with some of what is reviewed changed.
struct Reviewed {
  static let base = "https://stripe.licensekit.dev"
  static let folder = PackageRoot.path + "/integrations/stripe-app"

  var manifest: JSONObject
  var listing: JSONObject
  /// Texts in the place of those of the extension, or besides them.
  var sources: [String: String] = [:]
  var base = Self.base
  var live: IntegrationConfiguration.Mode? = .init(clientID: "ca_live", secretKeys: ["sk_live_1"])
  var test: IntegrationConfiguration.Mode? = .init(clientID: "ca_test", secretKeys: ["sk_test_1"])
  var sandbox: IntegrationConfiguration.Mode?
  var webhookSecrets = IntegrationConfiguration.SigningSecrets(live: ["whsec_1"])
  var appSigningSecrets = IntegrationConfiguration.SigningSecrets(live: ["absec_1"])
  var origins = IntegrationConfiguration.defaultAllowedOrigins
  var stripeAPIBaseURL = StripeClient.defaultBaseURL
  var endsConnection: @Sendable (String) -> Bool = { _ in true }

  /// As it is in the repository.
  init() throws {
    manifest = try Self.json("stripe-app.json")
    listing = try Self.json("listing.json")
    sandbox =
      manifest["sandbox_install_compatible"] == true ? .init(clientID: "ca_box", secretKeys: ["sk_test_2"]) : nil
  }

  /// With what only the operator knows.
  static func complete() throws -> Reviewed {
    var reviewed = try Reviewed()
    for name in ["documentation_url", "privacy_policy_url", "terms_of_service_url"] {
      reviewed.listing[name] = .string("https://licensekit.dev/\(name)")
    }
    reviewed.listing["support_email"] = "help@licensekit.dev"
    reviewed.listing["support_response_time"] = "One business day"
    reviewed.listing["pricing"] = "As at licensekit.dev"
    reviewed.listing["only_published_app"] = true
    var plan = reviewed.listing["test_plan"]?.object ?? [:]
    plan["account"] = "review@example.com"
    reviewed.listing["test_plan"] = .object(plan)
    return reviewed
  }

  func configuration() throws -> IntegrationConfiguration {
    IntegrationConfiguration(
      live: live, test: test, sandbox: sandbox, webhookSecrets: webhookSecrets, appSigningSecrets: appSigningSecrets,
      publicBaseURL: base, stripeAPIBaseURL: stripeAPIBaseURL, allowedOrigins: origins,
      adminToken: "operator-operator", keyRing: try KeyRing(parsing: "k1:\(Base64.encode(Random.bytes(32)))"),
      licenseKit: .init(baseURL: nil, token: "lkm_service"))
  }

  /// - Parameter part: of the review; all of it when nothing is said.
  func findings(
    of part: KeyPath<SubmissionReview, [SubmissionFinding]> = \.findings
  ) throws -> [SubmissionFinding] {
    SubmissionReview(
      manifest: .object(manifest), listing: .object(listing), configuration: try configuration(),
      folder: ExtensionFolder(URL(fileURLWithPath: Self.folder, isDirectory: true)).replacing(sources),
      endsConnection: endsConnection
    )[keyPath: part]
  }

  /// What is wrong, as `area: problem`.
  func problems(in part: KeyPath<SubmissionReview, [SubmissionFinding]> = \.findings) throws -> [String] {
    try findings(of: part).compactMap { finding in finding.problem.map { "\(finding.area): \($0)" } }
  }

  func areas() throws -> [String] { try findings().filter { $0.problem != nil }.map(\.area) }

  /// The problems of the complete app after a change.
  static func problems(
    in part: KeyPath<SubmissionReview, [SubmissionFinding]> = \.findings, _ change: (inout Reviewed) -> Void
  ) throws -> [String] {
    var reviewed = try complete()
    change(&reviewed)
    return try reviewed.problems(in: part)
  }

  static func json(_ name: String) throws -> JSONObject {
    try JSONValue(parsing: [UInt8](try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(name)")))).object ?? [:]
  }

  static func source(_ path: String) throws -> String {
    try String(contentsOfFile: "\(folder)/\(path)", encoding: .utf8)
  }
}
