import ArgumentParser
import Foundation
import HTTPTransport
import JSON
import StripeAPI
import StripeIntegration

/// The additions of `doctor --submission`: what the marketplace requires, and what is still missing.
struct Submission {
  /// The folder of the Dashboard extension.
  let folder: String

  /// Prints a line for each check.
  /// - Returns: whether nothing is missing.
  func check(_ configuration: IntegrationConfiguration?, transport: HTTPTransport) async throws -> Bool {
    guard let configuration else {
      throw ValidationError("--submission needs the Stripe integration; set STRIPE_INTEGRATION_ENABLED=true")
    }
    let files = ExtensionFolder(URL(fileURLWithPath: folder, isDirectory: true))
    let review = SubmissionReview(
      manifest: try json("stripe-app.json", in: files), listing: try json("listing.json", in: files),
      configuration: configuration, folder: files)
    let probe = SubmissionProbe(configuration: configuration, transport: transport)
    let findings = review.findings + (await probe.findings())
    for finding in findings {
      let what = "\(finding.area): \(finding.requirement)"
      print(finding.problem.map { "missing  \(what): \($0)" } ?? "ok       \(what)")
    }
    let missing = findings.count { $0.problem != nil }
    print(missing == 0 ? "Ready to be submitted." : "\(missing) of \(findings.count) are still missing.")
    return missing == 0
  }

  private func json(_ name: String, in files: ExtensionFolder) throws -> JSONValue {
    guard let bytes = files.bytes(name) else { throw ValidationError("\(folder)/\(name) cannot be read") }
    do {
      return try JSONValue(parsing: bytes)
    } catch {
      throw ValidationError("\(folder)/\(name) cannot be read: \(error)")
    }
  }
}
