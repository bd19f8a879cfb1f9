import Foundation
import Testing

/// What the documentation promises, against the code.
@Suite("The documentation")
struct DocumentationTests {
  // MARK: Events

  /// The names in the first column of the tables under a heading.
  private func firstColumn(of document: String, under heading: String) throws -> Set<String> {
    var names: Set<String> = []
    var isUnder = false
    for line in try SourceTree.text(document).split(separator: "\n") {
      if line.hasPrefix("## ") { isUnder = line.dropFirst(3) == heading }
      guard isUnder, line.hasPrefix("| `") else { continue }
      let cell = line.dropFirst(2).prefix { $0 != "|" }
      names.formUnion(cell.matches(of: /`([^`]+)`/).map { String($0.1) })
    }
    return names
  }

  @Test("every event type of the license server is in docs/webhooks.md, and no other")
  func licenseServerEvents() throws {
    let code = try SourceTree.File(path: "Sources/LicenseServer/Trail/EventLog.swift").code
    let kinds = Set(code.matches(of: /case \w+ = "([a-z_]+\.[a-z_]+)"/).map { String($0.1) })
    #expect(kinds.count > 20)
    expectEqual(kinds, try firstColumn(of: "docs/webhooks.md", under: "Events"))
  }

  // MARK: Configuration

  /// The variables that the two services read, out of the files that read an environment.
  private func variablesRead() throws -> Set<String> {
    var names: Set<String> = []
    let modules = [
      "ServerKit", "LicenseServer", "StripeIntegration", "IntegrationCommands", "licensekit", "stripe-integration",
    ]
    for module in modules {
      for file in try SourceTree.files(in: "Sources/\(module)")
      where file.code.contains(/EnvironmentReader|environmentOverride|ProcessInfo/) {
        names.formUnion(file.code.matches(of: /"([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)"/).map { String($0.1) })
        // Those that exist once for each environment of Stripe.
        for list in file.code.matches(of: /\[([^\]]*)\]\.flatMap\(StripeEnvironment\.variables\)/) {
          names.formUnion(list.1.matches(of: /"([A-Z_]+)"/).flatMap { ["\($0.1)_TEST", "\($0.1)_SANDBOX"] })
        }
      }
    }
    return names
  }

  private static let sections = ["Server", "Stripe", "LicenseKit", "Delivery", "Secrets at rest"]
  /// Not for a service in production, so not in the example of one.
  private static let toolSection = "For tools"

  @Test("every environment variable that is read is in docs/configuration.md, and no other")
  func variables() throws {
    let read = try variablesRead()
    #expect(read.count > 20)
    var documented: Set<String> = []
    for section in Self.sections + [Self.toolSection] {
      documented.formUnion(try firstColumn(of: "docs/configuration.md", under: section))
    }
    expectEqual(read, documented)
  }

  @Test("the example of a deployment has every variable of a service, and no other")
  func exampleOfDeployment() throws {
    let example = try SourceTree.text("deploy/example.env").matches(of: /(?m)^#?([A-Z][A-Z0-9_]+)=/).map {
      String($0.1)
    }
    #expect(example.count == Set(example).count, "a variable stands there twice")
    var documented: Set<String> = []
    for section in Self.sections { documented.formUnion(try firstColumn(of: "docs/configuration.md", under: section)) }
    // These are set by the container file and the compose file.
    let elsewhere = try SourceTree.text("deploy/compose.yaml") + SourceTree.text("deploy/Containerfile")
    let given = documented.filter { elsewhere.contains("\($0): ") || elsewhere.contains("\($0)=") }
    #expect(Set(example).isSubset(of: documented), "\(Set(example).subtracting(documented).sorted())")
    #expect(
      documented.subtracting(given).isSubset(of: example),
      "\(documented.subtracting(given).subtracting(example).sorted())")
  }

  // MARK: Documents

  /// Every document, from the package's root: those beside the manifest, and those in these folders.
  private static func documents() throws -> [String] {
    let files = FileManager.default
    var found = try files.contentsOfDirectory(atPath: SourceTree.root.path)
    for folder in ["docs", "examples", "loadtest"] {
      let walk = files.enumerator(atPath: SourceTree.root.appendingPathComponent(folder).path)
      while let name = walk?.nextObject() as? String {
        // What was built beside an example.
        if name.hasSuffix(".build") { walk?.skipDescendants() }
        found.append("\(folder)/\(name)")
      }
    }
    return found.filter { $0.hasSuffix(".md") }.sorted()
  }

  @Test("a link between documents leads to a file", arguments: try documents())
  func links(_ document: String) throws {
    let folder = (document as NSString).deletingLastPathComponent
    for link in try SourceTree.text(document).matches(of: /\]\(([^)#:]+)(?:#[^)]*)?\)/) {
      let target = SourceTree.root.appendingPathComponent(folder).appendingPathComponent(String(link.1))
      #expect(FileManager.default.fileExists(atPath: target.path), "\(document) links to \(link.1)")
    }
  }

  @Test("every document is found, in whatever folder it lies")
  func documentsAreFound() throws {
    let found = try Self.documents()
    #expect(found.contains("README.md"))
    #expect(found.contains("docs/decisions/README.md"))
    #expect(found.contains("examples/webhook-receiver/README.md"))
  }

  @Test("the glossary stays under thirty words, in the order of the alphabet")
  func glossary() throws {
    let lines = try SourceTree.text("docs/glossary.md").split(separator: "\n")
    let words = lines.compactMap { $0.firstMatch(of: /^\| \*\*(.+?)\*\* \|/).map { String($0.1) } }
    #expect((10..<30).contains(words.count))
    #expect(words == words.sorted { $0.lowercased() < $1.lowercased() })
  }

  private func expectEqual(
    _ code: Set<String>, _ document: Set<String>, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let missing = code.subtracting(document).sorted()
    let surplus = document.subtracting(code).sorted()
    #expect(missing.isEmpty, "in the code and not in the document", sourceLocation: sourceLocation)
    #expect(surplus.isEmpty, "in the document and not in the code", sourceLocation: sourceLocation)
  }
}
