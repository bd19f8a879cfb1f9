import JSON

/// The views in the Dashboard, and what the app may do with a vendor's account.
extension SubmissionReview {
  private static let objects = ["customer", "subscription", "invoice", "payment"]

  var views: [SubmissionFinding] {
    let viewports = namedViews.map(\.viewport)
    let sources = ViewSource.read(namedViews.map(\.component), in: folder)
    return [
      SubmissionFinding("Settings", "a settings page lets a person authorize the app again and disconnect it") {
        guard let view = namedViews.first(where: { $0.viewport == "settings" }) else {
          return "no view for the viewport settings"
        }
        let missing = ["install_url", "disconnect"].filter { sources[view.component]?.mentions($0) == false }
        return missing.isEmpty ? nil : "\(view.component) has nothing of \(missing.joined(separator: " and "))"
      },
      SubmissionFinding("Settings", "the app leads a person on after the installation") {
        manifest["post_install_action"]?["type"]?.string == nil ? "post_install_action is missing" : nil
      },
      SubmissionFinding("Functionality", "there are views that show the licenses") {
        let missing = Self.objects.filter { !viewports.contains("stripe.dashboard.\($0).detail") }
        return missing.isEmpty ? nil : "no view beside \(missing.joined(separator: ", "))"
      },
      SubmissionFinding("Views", "each view of the manifest is in the sources") {
        guard !namedViews.isEmpty else { return "the manifest names none" }
        return Self.listed(
          namedViews.compactMap { view in
            guard let source = sources[view.component] else {
              return "\(ViewSource.path(of: view.component)) is not there"
            }
            return source.isExported ? nil : "\(source.path) does not export \(view.component) by default"
          })
      },
      SubmissionFinding("Views", "each view reads only what its page has") {
        if let twice = viewports.first(where: { one in viewports.count { $0 == one } > 1 }) {
          return "\(twice) is registered twice"
        }
        return Self.listed(
          namedViews.compactMap { view in sources[view.component].flatMap { Self.mismatch($0, at: view.viewport) } })
      },
      SubmissionFinding("Views", "no view relies on what a page may lack") {
        Self.listed(Set(sources.values.flatMap(\.unguardedReads)).sorted().map { "\($0) is unguarded" })
      },
      SubmissionFinding("Onboarding", "each step of the setup has one main act") {
        Self.listed(
          namedViews.filter { $0.viewport == "onboarding" }.compactMap { sources[$0.component] }.flatMap { view in
            view.actsOfSteps.filter { $0 > 1 }.map { "a step of \(view.path) has \($0)" }
          })
      },
    ]
  }

  /// Something that a view reads and its page does not have, or the reverse.
  private static func mismatch(_ source: ViewSource, at viewport: String) -> String? {
    guard let object = ViewSource.object(of: viewport) else {
      return source.readsObject ? "\(source.path) reads an object, and \(viewport) has none" : nil
    }
    if let other = source.namedObjects.first(where: { $0 != object }) {
      return "\(source.path) stands beside \(object) and reads \(other)"
    }
    return source.readsObject ? nil : "\(source.path) does not read the \(object) that it stands beside"
  }

  private static func listed(_ problems: [String]) -> String? {
    problems.isEmpty ? nil : problems.joined(separator: "; ")
  }

  // MARK: Permissions

  var permissions: [SubmissionFinding] {
    let listed = manifest["permissions"]?.array ?? []
    let names = listed.compactMap { $0["permission"]?.string }
    return [
      SubmissionFinding("Permissions", "every permission that the service uses is requested") {
        let missing = PermissionTable.used.subtracting(names).sorted()
        return missing.isEmpty ? nil : "missing: \(missing.joined(separator: ", "))"
      },
      SubmissionFinding("Permissions", "no unused permission is requested, and none twice") {
        let unused = Set(names).subtracting(PermissionTable.used).sorted()
        if !unused.isEmpty { return "not used: \(unused.joined(separator: ", "))" }
        return names.first { name in names.count { $0 == name } > 1 }.map { "\($0) stands there twice" }
      },
      SubmissionFinding("Permissions", "each says what it is for") {
        let silent = listed.filter { $0["purpose"]?.string?.isEmpty ?? true }.compactMap { $0["permission"]?.string }
        return silent.isEmpty ? nil : "without a purpose: \(silent.joined(separator: ", "))"
      },
      SubmissionFinding("Permissions", "every permission that the listing and the test plan mention is requested") {
        let text = ListingText((listingTexts + testPlanTexts).map(\.text).joined(separator: ". "))
        let missing = PermissionTable.described.filter { entry in
          !names.contains(entry.permission) && entry.words.contains(where: text.contains)
        }
        return missing.isEmpty
          ? nil
          : missing.map { "\($0.permission) for \"\($0.words[0])\"" }.joined(separator: ", ") + " is not requested"
      },
      SubmissionFinding("Permissions", "the documentation describes the requested permissions and no others") {
        guard let document = folder.text(Self.documentation) else { return nil }
        let names = Set(names)
        // The document puts code between backticks.
        let described = Set(document.split(separator: "`").map(String.init).filter(Self.isPermission))
        let silent = names.subtracting(described).sorted()
        if !silent.isEmpty { return "it does not describe \(silent.joined(separator: ", "))" }
        let surplus = described.subtracting(names).sorted()
        return surplus.isEmpty ? nil : "it describes \(surplus.joined(separator: ", "))"
      },
    ]
  }

  private static func isPermission(_ word: String) -> Bool {
    (word.hasSuffix("_read") || word.hasSuffix("_write"))
      && word.utf8.allSatisfy { $0 == UInt8(ascii: "_") || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) }
  }

  /// The page about the app, if it exists beside the extension.
  private static let documentation = "../../docs/stripe-app.md"
}
