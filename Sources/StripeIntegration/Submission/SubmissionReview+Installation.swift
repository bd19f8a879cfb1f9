import Foundation
import JSON
import Purchases
import StripeAPI
import StripeHTTP

/// How a vendor installs and leaves the app.
extension SubmissionReview {
  var access: [SubmissionFinding] {
    let redirects = manifest["allowed_redirect_uris"]?.array?.compactMap(\.string) ?? []
    return [
      SubmissionFinding("OAuth", "the app installs with OAuth") {
        guard manifest["stripe_api_access_type"] == "oauth" else { return "stripe_api_access_type must be oauth" }
        return configuration.apiAccess == .oauth ? nil : "the service runs with STRIPE_APP_API_ACCESS=platform"
      },
      SubmissionFinding("OAuth", "the service's callback is among the redirect URIs, and all are HTTPS") {
        guard redirects.contains(configuration.redirectURI) else {
          return "allowed_redirect_uris lacks \(configuration.redirectURI)"
        }
        return redirects.first { !$0.hasPrefix("https://") }.map { "\($0) is not HTTPS" }
      },
      SubmissionFinding("OAuth", "live mode is configured") {
        configuration.live == nil ? "STRIPE_APP_CLIENT_ID and STRIPE_APP_CLIENT_SECRET are not set" : nil
      },
      SubmissionFinding("OAuth", "live mode goes through Stripe's public authorize page") {
        guard let link = configuration.live?.authorizeLink else { return nil }
        let address = Self.address(of: link)
        return address.hasPrefix(AuthorizeLink.defaultBase + "?") ? nil : "STRIPE_AUTHORIZE_URL leads to \(address)"
      },
      SubmissionFinding(
        "OAuth", "the marketplace leads to the product itself, where the installation in live mode begins"
      ) {
        wayIn(listing["install_url"]?.string)
      },
      SubmissionFinding("OAuth", "the app is public") {
        manifest["distribution_type"] == "public" ? nil : "distribution_type must be public"
      },
      SubmissionFinding("Sandbox", "the manifest says whether sandboxes may install it, as the service is configured") {
        guard let compatible = manifest["sandbox_install_compatible"]?.bool else {
          return "sandbox_install_compatible must be true or false"
        }
        guard compatible != (configuration.sandbox != nil) else { return nil }
        return compatible
          ? "sandbox_install_compatible is true, and no credentials of the managed sandbox are configured"
          : "sandbox_install_compatible is false, and credentials of the managed sandbox are configured"
      },
    ]
  }

  /// What is wrong with the address to which the marketplace sends vendors.
  private func wayIn(_ address: String?) -> String? {
    guard let address, !address.isEmpty else { return "install_url is missing in listing.json" }
    guard let parts = URLComponents(string: address), parts.scheme == "https", let host = parts.host?.lowercased()
    else {
      return "\(address) is not an HTTPS address"
    }
    if let mark = ChannelLink.mark(in: address) { return "\(address) is a link of a test channel: \(mark)" }
    if host == "stripe.com" || host.hasSuffix(".stripe.com") {
      return "\(address) is a page of Stripe, not of the product"
    }
    guard host == Self.host(publicBaseURL) else {
      return "\(address) is not of the service, \(publicBaseURL)/stripe/oauth/install"
    }
    guard ["/stripe/oauth/install", "/stripe/console", "/stripe/console/"].contains(parts.path) else {
      return "\(parts.path) does not begin an installation; \(publicBaseURL)/stripe/oauth/install does"
    }
    let mode = parts.queryItems?.last { $0.name == "mode" }?.value
    return mode == nil || mode == "live" ? nil : "it installs in \(mode ?? "another") mode"
  }

  /// A test channel's link works only for testers, and for nobody in a review.
  var channelLinks: [SubmissionFinding] {
    func search(_ paths: [String]) -> String? {
      let found = paths.compactMap { path in
        folder.text(path).flatMap(ChannelLink.mark).map { "\(path) has \($0)" }
      }
      return found.isEmpty ? nil : found.joined(separator: "; ")
    }
    let links = [
      ("STRIPE_AUTHORIZE_URL", configuration.live.map { Self.address(of: $0.authorizeLink) }),
      ("STRIPE_AUTHORIZE_URL_TEST", configuration.test.map { Self.address(of: $0.authorizeLink) }),
      ("STRIPE_AUTHORIZE_URL_SANDBOX", configuration.sandbox.map { Self.address(of: $0.authorizeLink) }),
      ("LICENSEKIT_APP_URL", configuration.licenseKit.appURL), ("STRIPE_PUBLIC_BASE_URL", publicBaseURL),
    ]
    return [
      SubmissionFinding("Links", "no link of a test channel is left in the manifest") {
        ChannelLink.mark(in: manifest.text()).map { "it has \($0)" }
      },
      SubmissionFinding("Links", "no link of a test channel is left in the listing") {
        ChannelLink.mark(in: listing.text()).map { "it has \($0)" }
      },
      SubmissionFinding("Links", "no link of a test channel is left in the configuration") {
        let found = links.compactMap { name, address in
          address.flatMap(ChannelLink.mark).map { "\(name) has \($0)" }
        }
        return found.isEmpty ? nil : found.joined(separator: "; ")
      },
      SubmissionFinding("Links", "no link of a test channel is left in the extension") { search(folder.texts) },
    ]
  }

  /// The link that a vendor's browser gets.
  private static func address(of link: AuthorizeLink) -> String {
    link.url(clientID: "ca_", redirectURI: nil, state: "state")
  }

  /// Stripe sends both for one uninstallation, in any order, and one may be missing.
  static let uninstallEvents = ["account.application.deauthorized", "apps.install.deleted"]

  var uninstalling: [SubmissionFinding] {
    Self.uninstallEvents.map { type in
      SubmissionFinding("Uninstall", "\(type) ends the connection") {
        endsConnection(type) ? nil : "the service does nothing at this event"
      }
    }
  }

  /// Asks the event table itself, with a minimal event.
  static func uninstalls(_ type: String) -> Bool {
    let install: JSONValue = [
      "id": "ai_review", "object": "apps.install", "account": "acct_review", "app": "review", "channel": "public",
      "status": "uninstalling", "created": 1, "livemode": true,
    ]
    let event: JSONValue = [
      "id": "evt_review", "object": "event", "type": .string(type), "created": 1, "livemode": true,
      "account": "acct_review", "data": ["object": install],
    ]
    guard let event = try? StripeEvent(event), case .application(let change)? = try? EventTable.effect(of: event) else {
      return false
    }
    return change.endsInstallation
  }
}

/// The marks by which links of an app's test channel are recognised.
enum ChannelLink {
  private static let marks = ["chnlink_", "channel_link", "channellink"]

  /// The first mark in a text.
  static func mark(in text: String) -> String? {
    let text = text.lowercased()
    return marks.first { text.contains($0) }
  }
}
