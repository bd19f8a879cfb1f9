public import JSON

/// One thing that Stripe's review looks at (Stripe Apps docs, "App review requirements", "Listing guidelines").
public struct SubmissionFinding: Hashable, Sendable {
  /// The part of the review: `OAuth`, `Permissions`, `Listing`, …
  public let area: String
  /// What is asked for.
  public let requirement: String
  /// What is missing or wrong; nil when it is as it should be.
  public let problem: String?

  init(_ area: String, _ requirement: String, problem: String?) {
    self.area = area
    self.requirement = requirement
    self.problem = problem
  }
}

/// What is reviewed: the manifest, what the listing will say, and the pictures. Pure; the running service is asked by
/// ``SubmissionProbe``.
public struct SubmissionReview: Sendable {
  /// `stripe-app.json`
  let manifest: JSONValue
  /// `listing.json`: what is typed into the Dashboard's submission form.
  let listing: JSONValue
  /// Files that the two name, by that name; nil for one that is not there.
  let files: @Sendable (String) -> [UInt8]?
  let publicBaseURL: String
  let hasLiveMode: Bool
  let usesOAuth: Bool

  /// - Parameter files: reads a file beside the manifest.
  public init(
    manifest: JSONValue, listing: JSONValue, configuration: IntegrationConfiguration,
    files: @escaping @Sendable (String) -> [UInt8]?
  ) {
    self.init(
      manifest: manifest, listing: listing, publicBaseURL: configuration.publicBaseURL,
      hasLiveMode: configuration.live != nil, usesOAuth: configuration.apiAccess == .oauth, files: files)
  }

  init(
    manifest: JSONValue, listing: JSONValue, publicBaseURL: String, hasLiveMode: Bool, usesOAuth: Bool,
    files: @escaping @Sendable (String) -> [UInt8]?
  ) {
    self.manifest = manifest
    self.listing = listing
    self.publicBaseURL = publicBaseURL
    self.hasLiveMode = hasLiveMode
    self.usesOAuth = usesOAuth
    self.files = files
  }

  /// Everything that was looked at, in the order of the review.
  public var findings: [SubmissionFinding] {
    access + views + permissions + name + texts + features + people + pricing + testPlan
  }

  // MARK: The app

  private var access: [SubmissionFinding] {
    let redirects = manifest["allowed_redirect_uris"]?.array?.compactMap(\.string) ?? []
    return [
      finding("OAuth", "the app installs with OAuth") {
        guard manifest["stripe_api_access_type"] == "oauth" else { return "stripe_api_access_type must be oauth" }
        return usesOAuth ? nil : "the service runs with STRIPE_APP_API_ACCESS=platform"
      },
      finding("OAuth", "the service's callback is among the redirect URIs, and all are HTTPS") {
        guard redirects.contains(publicBaseURL + "/stripe/oauth/callback") else {
          return "allowed_redirect_uris lacks \(publicBaseURL)/stripe/oauth/callback"
        }
        return redirects.first { !$0.hasPrefix("https://") }.map { "\($0) is not HTTPS" }
      },
      finding("OAuth", "live mode is configured") {
        hasLiveMode ? nil : "STRIPE_APP_CLIENT_ID and STRIPE_APP_CLIENT_SECRET are not set"
      },
      finding("OAuth", "the app is public") {
        manifest["distribution_type"] == "public" ? nil : "distribution_type must be public"
      },
      finding("Sandbox", "the manifest says whether sandboxes may install it") {
        manifest["sandbox_install_compatible"]?.bool == nil ? "sandbox_install_compatible must be true or false" : nil
      },
      finding("Endpoints", "the backend is hosted, on HTTPS") {
        publicBaseURL.hasPrefix("https://") ? nil : "STRIPE_PUBLIC_BASE_URL is \(publicBaseURL)"
      },
      finding("Endpoints", "the content security policy names the backend, by path, and says why") {
        let policy = manifest["ui_extension"]?["content_security_policy"]
        let sources = policy?["connect-src"]?.array?.compactMap(\.string) ?? []
        guard sources.contains(publicBaseURL + "/stripe/app/") else {
          return "connect-src lacks \(publicBaseURL)/stripe/app/"
        }
        guard sources.allSatisfy({ $0.hasSuffix("/") && $0.hasPrefix("https://") }) else {
          return "every connect-src must be HTTPS and end with a slash"
        }
        return policy?["purpose"]?.string?.isEmpty ?? true ? "its purpose is missing" : nil
      },
      finding("Endpoints", "the views call the same backend") {
        let base = manifest["constants"]?["BASE_URL"]?.string
        return base == publicBaseURL
          ? nil : "constants.BASE_URL is \(base ?? "missing"), the service is \(publicBaseURL)"
      },
    ]
  }

  private var views: [SubmissionFinding] {
    let viewports = manifest["ui_extension"]?["views"]?.array?.compactMap { $0["viewport"]?.string } ?? []
    return [
      finding("Settings", "there is a settings page, where the app is authorized again and disconnected") {
        viewports.contains("settings") ? nil : "no view for the viewport settings"
      },
      finding("Settings", "a person is led on after the installation") {
        manifest["post_install_action"]?["type"]?.string == nil ? "post_install_action is missing" : nil
      },
      finding("Functionality", "the views that licenses are shown in are there") {
        let missing = ["customer", "subscription", "invoice", "payment"].filter {
          !viewports.contains("stripe.dashboard.\($0).detail")
        }
        return missing.isEmpty ? nil : "no view beside \(missing.joined(separator: ", "))"
      },
    ]
  }

  /// What the code calls, and no more: the reviewer rejects what is not used.
  static let usedPermissions: Set<String> = [
    "event_read", "checkout_session_read", "customer_read", "subscription_read", "invoice_read", "payment_intent_read",
    "charge_read", "dispute_read", "dispute_write", "file_write", "product_read", "plan_read", "customer_write",
    "subscription_write", "invoice_write", "checkout_session_write", "payment_intent_write",
  ]

  private var permissions: [SubmissionFinding] {
    let listed = manifest["permissions"]?.array ?? []
    let names = listed.compactMap { $0["permission"]?.string }
    return [
      finding("Permissions", "every permission that the service uses is asked for") {
        let missing = Self.usedPermissions.subtracting(names).sorted()
        return missing.isEmpty ? nil : "missing: \(missing.joined(separator: ", "))"
      },
      finding("Permissions", "none is asked for that is not used") {
        let unused = Set(names).subtracting(Self.usedPermissions).sorted()
        return unused.isEmpty ? nil : "not used: \(unused.joined(separator: ", "))"
      },
      finding("Permissions", "each says what it is for") {
        let silent = listed.filter { $0["purpose"]?.string?.isEmpty ?? true }.compactMap { $0["permission"]?.string }
        return silent.isEmpty ? nil : "without a purpose: \(silent.joined(separator: ", "))"
      },
    ]
  }

  // MARK: The listing

  /// Words that a name may not hold.
  static let forbiddenInNames = ["stripe", "app", "rak", "generator", "api key", "authenticator", "free", "paid"]

  private var name: [SubmissionFinding] {
    let name = manifest["name"]?.string ?? ""
    return [
      finding("Listing", "the name is at most 35 characters, and the manifest's") {
        guard (1...35).contains(name.count) else { return "the name has \(name.count) characters" }
        return listing["name"]?.string == name ? nil : "listing.json says \(listing["name"]?.string ?? "nothing")"
      },
      finding("Listing", "the name holds none of the words that are not allowed") {
        Self.forbiddenInNames.first { name.lowercased().contains($0) }.map { "it holds \"\($0)\"" }
      },
      finding("Listing", "the icon is a PNG of 300 by 300") {
        guard let path = manifest["icon"]?.string, let size = files(path).flatMap(PNGSize.init) else {
          return "icon is missing, or no PNG"
        }
        return size == PNGSize(width: 300, height: 300) ? nil : "it is \(size.width) by \(size.height)"
      },
    ]
  }

  private var texts: [SubmissionFinding] {
    [("built_by", 80), ("subtitle", 80), ("about", 1_000)].map { field, longest in
      finding("Listing", "\(field) has 1 to \(longest) characters") { length(listing[field], atMost: longest) }
    }
  }

  private var features: [SubmissionFinding] {
    let features = listing["features"]?.array ?? []
    return [
      finding("Listing", "there are one to three features, each with title, description and picture") {
        guard (1...3).contains(features.count) else { return "there are \(features.count)" }
        for (number, feature) in features.enumerated() {
          if let problem = length(feature["title"], atMost: 80) { return "title of feature \(number + 1): \(problem)" }
          if let problem = length(feature["description"], atMost: 300) {
            return "description of feature \(number + 1): \(problem)"
          }
        }
        return nil
      },
      finding("Screenshots", "each picture is a PNG at least 1600 wide and at most 10 MB") {
        for (number, feature) in features.enumerated() {
          guard let path = feature["image"]?.string, let bytes = files(path), let size = PNGSize(bytes) else {
            return "picture of feature \(number + 1): missing, or no PNG"
          }
          if size.width < 1_600 { return "\(path) is \(size.width) wide" }
          if bytes.count > 10 * 1_048_576 { return "\(path) has \(bytes.count) bytes" }
        }
        return features.isEmpty ? "there is none" : nil
      },
    ]
  }

  private var people: [SubmissionFinding] {
    [
      finding("Privacy", "a privacy policy is public") { address(listing["privacy_policy_url"]) },
      finding("Privacy", "terms of service are public") { address(listing["terms_of_service_url"]) },
      finding("Support", "an e-mail address is given") {
        listing["support_email"]?.string?.contains("@") ?? false ? nil : "support_email is missing"
      },
      finding("Support", "a time is promised within which it is answered") {
        length(listing["support_response_time"], atMost: 200)
      },
      finding("Support", "there is public documentation") { address(listing["documentation_url"]) },
      finding("OAuth", "the marketplace leads to a public page that starts the installation") {
        address(listing["install_url"])
      },
    ]
  }

  private var pricing: [SubmissionFinding] {
    [finding("Pricing", "the price is stated, the same as outside") { length(listing["pricing"], atMost: 1_000) }]
  }

  private var testPlan: [SubmissionFinding] {
    [
      finding("Test plan", "there are steps that a reviewer can follow, each with what is to be seen") {
        let steps = listing["test_plan"]?["steps"]?.array ?? []
        guard steps.count >= 3 else { return "there are \(steps.count) steps" }
        let bare = steps.firstIndex { ($0["do"]?.string ?? "").isEmpty || ($0["see"]?.string ?? "").isEmpty }
        return bare.map { "step \($0 + 1) lacks \"do\" or \"see\"" }
      },
      finding("Test plan", "a test account with every role is named, and how to sign in") {
        length(listing["test_plan"]?["account"], atMost: 500)
      },
    ]
  }

  private func finding(_ area: String, _ requirement: String, _ problem: () -> String?) -> SubmissionFinding {
    SubmissionFinding(area, requirement, problem: problem())
  }

  private func length(_ value: JSONValue?, atMost longest: Int) -> String? {
    guard let text = value?.string, !text.isEmpty else { return "it is missing in listing.json" }
    return text.count <= longest ? nil : "it has \(text.count) characters"
  }

  private func address(_ value: JSONValue?) -> String? {
    guard let text = value?.string, !text.isEmpty else { return "it is missing in listing.json" }
    return text.hasPrefix("https://") ? nil : "\(text) is no HTTPS address"
  }
}

/// How large a PNG is: from its header (W3C, "PNG", section 11.2.1).
struct PNGSize: Hashable, Sendable {
  let width: Int
  let height: Int

  init(width: Int, height: Int) {
    self.width = width
    self.height = height
  }

  init?(_ bytes: [UInt8]) {
    guard bytes.count >= 24, bytes.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) else { return nil }
    func number(_ start: Int) -> Int { bytes[start..<start + 4].reduce(0) { $0 << 8 | Int($1) } }
    self.init(width: number(16), height: number(20))
  }
}
