package import JSON
import Foundation

/// Reviews the manifest, the future listing, the extension's sources and pictures, and the service's configuration. Pure;
/// ``SubmissionProbe`` asks the running service.
///
/// It checks above all the points for which real apps were rejected; `docs/stripe-app.md` lists them.
package struct SubmissionReview: Sendable {
  /// `stripe-app.json`
  let manifest: JSONValue
  /// `listing.json`: the texts for the Dashboard's submission form.
  let listing: JSONValue
  let configuration: IntegrationConfiguration
  let folder: ExtensionFolder
  /// Whether an event of this type ends a connection.
  let endsConnection: @Sendable (String) -> Bool

  package init(
    manifest: JSONValue, listing: JSONValue, configuration: IntegrationConfiguration, folder: ExtensionFolder
  ) {
    self.init(
      manifest: manifest, listing: listing, configuration: configuration, folder: folder,
      endsConnection: { Self.uninstalls($0) })
  }

  init(
    manifest: JSONValue, listing: JSONValue, configuration: IntegrationConfiguration, folder: ExtensionFolder,
    endsConnection: @escaping @Sendable (String) -> Bool
  ) {
    self.manifest = manifest
    self.listing = listing
    self.configuration = configuration
    self.folder = folder
    self.endsConnection = endsConnection
  }

  /// The results of all checks, in the order of the review.
  package var findings: [SubmissionFinding] {
    access + channelLinks + endpoints + defaults + uninstalling + views + permissions + name + texts + features
      + people + pricing + testPlan + account
  }

  var publicBaseURL: String { configuration.publicBaseURL }

  /// The views that the manifest names.
  var namedViews: [(viewport: String, component: String)] {
    (manifest["ui_extension"]?["views"]?.array ?? []).map {
      ($0["viewport"]?.string ?? "", $0["component"]?.string ?? "")
    }
  }

  func length(_ value: JSONValue?, atMost longest: Int) -> String? {
    guard let text = value?.string, !text.isEmpty else { return "it is missing in listing.json" }
    return text.count <= longest ? nil : "it has \(text.count) characters"
  }

  func address(_ value: JSONValue?) -> String? {
    guard let text = value?.string, !text.isEmpty else { return "it is missing in listing.json" }
    return text.hasPrefix("https://") ? nil : "\(text) is not an HTTPS address"
  }

  /// The host of an address; nil if it has none.
  static func host(_ address: String?) -> String? {
    address.flatMap { URLComponents(string: $0)?.host?.lowercased() }
  }
}
