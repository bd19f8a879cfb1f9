import JSON

/// What the marketplace shows.
extension SubmissionReview {
  /// Words that the name must not contain.
  private static let forbiddenInNames = [
    "stripe", "app", "rak", "generator", "api key", "authenticator", "free", "paid",
  ]

  var name: [SubmissionFinding] {
    let name = manifest["name"]?.string ?? ""
    return [
      SubmissionFinding("Listing", "the name is at most 35 characters and equals the manifest's") {
        guard (1...35).contains(name.count) else { return "the name has \(name.count) characters" }
        return listing["name"]?.string == name ? nil : "listing.json says \(listing["name"]?.string ?? "nothing")"
      },
      SubmissionFinding("Listing", "the name contains no forbidden word") {
        Self.forbiddenInNames.first { name.lowercased().contains($0) }.map { "it holds \"\($0)\"" }
      },
      SubmissionFinding("Listing", "the icon is a PNG of 300 by 300") {
        guard let path = manifest["icon"]?.string, let size = folder.bytes(path).flatMap(PNGSize.init) else {
          return "icon is missing, or not a PNG"
        }
        return size == PNGSize(width: 300, height: 300) ? nil : "it is \(size.width) by \(size.height)"
      },
    ]
  }

  /// Every text that a vendor reads before installing, with its place.
  var listingTexts: [(place: String, text: String)] {
    let texts = ["name", "built_by", "subtitle", "about", "pricing"].map { ($0, listing[$0]?.string) }
    let features = (listing["features"]?.array ?? []).enumerated().flatMap { number, feature in
      ["title", "description"].map { ("\($0) of feature \(number + 1)", feature[$0]?.string) }
    }
    let purposes = (manifest["permissions"]?.array ?? []).map {
      ("the purpose of \($0["permission"]?.string ?? "a permission")", $0["purpose"]?.string)
    }
    let policy = ("the policy's purpose", manifest["ui_extension"]?["content_security_policy"]?["purpose"]?.string)
    return (texts + features + purposes + [policy]).compactMap { place, text in text.map { (place, $0) } }
  }

  var texts: [SubmissionFinding] {
    [("built_by", 80), ("subtitle", 80), ("about", 1_000)].map { field, longest in
      SubmissionFinding("Listing", "\(field) has 1 to \(longest) characters") {
        length(listing[field], atMost: longest)
      }
    } + [
      SubmissionFinding("Listing", "its texts promise nothing absolute") {
        let found = listingTexts.flatMap { place, text in ListingText(text).absolutes.map { "\"\($0)\" in \(place)" } }
        return found.isEmpty ? nil : found.joined(separator: ", ")
      },
      SubmissionFinding("Listing", "it is in English, and says so") {
        guard listing["language"]?.string == "en" else { return "language in listing.json must be en" }
        return listingTexts.first { !ListingText.isEnglish($0.text) }.map { "\($0.place) does not read as English" }
      },
    ]
  }

  var features: [SubmissionFinding] {
    let features = listing["features"]?.array ?? []
    return [
      SubmissionFinding("Listing", "there are one to three features, each with title, description and picture") {
        guard (1...3).contains(features.count) else { return "there are \(features.count)" }
        for (number, feature) in features.enumerated() {
          if let problem = length(feature["title"], atMost: 80) { return "title of feature \(number + 1): \(problem)" }
          if let problem = length(feature["description"], atMost: 300) {
            return "description of feature \(number + 1): \(problem)"
          }
        }
        return nil
      },
      SubmissionFinding("Screenshots", "each picture is a PNG at least 1600 wide and at most 10 MB") {
        for (number, feature) in features.enumerated() {
          guard let path = feature["image"]?.string, let bytes = folder.bytes(path), let size = PNGSize(bytes) else {
            return "picture of feature \(number + 1): missing, or not a PNG"
          }
          if size.width < 1_600 { return "\(path) is \(size.width) wide" }
          if bytes.count > 10 * 1_048_576 { return "\(path) has \(bytes.count) bytes" }
        }
        return features.isEmpty ? "there is none" : nil
      },
    ]
  }

  var people: [SubmissionFinding] {
    [
      SubmissionFinding("Privacy", "a privacy policy is public") { address(listing["privacy_policy_url"]) },
      SubmissionFinding("Privacy", "terms of service are public") { address(listing["terms_of_service_url"]) },
      SubmissionFinding("Support", "an e-mail address is given, of a role on the product's domain") {
        guard let text = listing["support_email"]?.string else { return "support_email is missing" }
        guard let address = SupportAddress(text) else { return "\(text) is not a mail address" }
        return address.problem(hosts: productHosts)
      },
      SubmissionFinding("Support", "the listing promises a time to answer within") {
        length(listing["support_response_time"], atMost: 200)
      },
      SubmissionFinding("Support", "there is public documentation") { address(listing["documentation_url"]) },
    ]
  }

  /// The hosts on which the product is found.
  private var productHosts: [String] {
    [publicBaseURL, listing["documentation_url"]?.string, listing["privacy_policy_url"]?.string]
      .compactMap(Self.host).reduce(into: []) { hosts, host in
        if !hosts.contains(host) { hosts.append(host) }
      }
  }

  var pricing: [SubmissionFinding] {
    [
      SubmissionFinding("Pricing", "the price is stated, the same as outside") {
        length(listing["pricing"], atMost: 1_000)
      }
    ]
  }
}
