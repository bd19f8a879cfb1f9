import ArgumentParser
import Foundation
import JSON
import StripeIntegration

extension Doctor {
  /// Checks what the marketplace asks for, and says what is still missing.
  /// - Returns: whether nothing is.
  func checkSubmission(_ parts: Parts, _ settings: ServerSettings) async throws -> Bool {
    guard let configuration = settings.integration else {
      throw ValidationError("--submission needs the Stripe integration; set STRIPE_INTEGRATION_ENABLED=true")
    }
    let folder = URL(fileURLWithPath: extensionFolder, isDirectory: true)
    let review = SubmissionReview(
      manifest: try Self.json(folder.appendingPathComponent("stripe-app.json")),
      listing: try Self.json(folder.appendingPathComponent("listing.json")), configuration: configuration
    ) { path in (try? Data(contentsOf: folder.appendingPathComponent(path))).map { [UInt8]($0) } }
    let probe = SubmissionProbe(configuration: configuration, transport: parts.transport)
    let findings = review.findings + (await probe.findings())
    for finding in findings {
      let what = "\(finding.area): \(finding.requirement)"
      print(finding.problem.map { "missing  \(what): \($0)" } ?? "ok       \(what)")
    }
    let missing = findings.count { $0.problem != nil }
    print(missing == 0 ? "Ready to be submitted." : "\(missing) of \(findings.count) are still missing.")
    return missing == 0
  }

  private static func json(_ file: URL) throws -> JSONValue {
    do {
      return try JSONValue(parsing: [UInt8](try Data(contentsOf: file)))
    } catch {
      throw ValidationError("\(file.path) cannot be read: \(error)")
    }
  }
}
