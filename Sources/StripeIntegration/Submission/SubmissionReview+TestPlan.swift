import JSON

/// What a reviewer does with the app, and who offers the app.
extension SubmissionReview {
  private var steps: [JSONValue] { listing["test_plan"]?["steps"]?.array ?? [] }

  var testPlanTexts: [(place: String, text: String)] {
    steps.enumerated().flatMap { number, step in
      ["do", "see"].compactMap { field in step[field]?.string.map { ("step \(number + 1)", $0) } }
    }
  }

  var testPlan: [SubmissionFinding] {
    [
      SubmissionFinding("Test plan", "there are steps that a reviewer can follow, each with its result") {
        guard steps.count >= 3 else { return "there are \(steps.count) steps" }
        let bare = steps.firstIndex { ($0["do"]?.string ?? "").isEmpty || ($0["see"]?.string ?? "").isEmpty }
        return bare.map { "step \($0 + 1) lacks \"do\" or \"see\"" }
      },
      SubmissionFinding("Test plan", "each step has one main act") {
        steps.firstIndex { step in step["do"]?.string.map { !Self.isOneAct($0) } ?? true }
          .map { "step \($0 + 1) has more than one, or none" }
      },
      SubmissionFinding("Test plan", "a test account with every role is named, with the way to sign in") {
        length(listing["test_plan"]?["account"], atMost: 500)
      },
    ]
  }

  /// Whether it is one sentence with one action.
  private static func isOneAct(_ text: String) -> Bool {
    let sentences = text.split { ".!;".contains($0) }.filter { $0.contains(where: \.isLetter) }
    return sentences.count == 1 && !ListingText(text).contains("then")
  }

  var account: [SubmissionFinding] {
    [
      SubmissionFinding("Account", "the account that owns the app publishes no other") {
        listing["only_published_app"]?.bool == true
          ? nil : "only the owner knows this: check it, then set only_published_app in listing.json to true"
      },
      SubmissionFinding("Account", "the manifest is of the app whose installations the service follows") {
        manifest["id"]?.string == configuration.appID
          ? nil : "its id is \(manifest["id"]?.string ?? "missing"), the service follows \(configuration.appID)"
      },
      SubmissionFinding("Account", "the manifests of the extension are of one app") {
        let others = folder.texts.filter { $0.hasPrefix("stripe-app") && !$0.contains("/") }.filter { path in
          let other = folder.bytes(path).flatMap { try? JSONValue(parsing: $0) }?["id"]?.string
          return other != nil && other != manifest["id"]?.string
        }
        return others.isEmpty ? nil : "of another app: \(others.joined(separator: ", "))"
      },
    ]
  }
}
