/// The source of a view: its own file and, through imports, the extension files that it uses. They are read as text; what
/// shows only at run time is left to the extension's own tests.
struct ViewSource: Sendable {
  struct File: Sendable {
    let path: String
    let script: Script
  }

  /// The name that the manifest gives it.
  let component: String
  /// All files, the component's own first.
  let files: [File]

  /// Reads the existing views. A file that several of them use is read once.
  static func read(_ components: [String], in folder: ExtensionFolder) -> [String: ViewSource] {
    var known: [String: File] = [:]
    var views: [String: ViewSource] = [:]
    for component in components {
      views[component] = ViewSource(component, in: folder, &known)
    }
    return views
  }

  private init?(_ component: String, in folder: ExtensionFolder, _ known: inout [String: File]) {
    func file(_ path: String, _ known: inout [String: File]) -> File? {
      if let file = known[path] { return file }
      guard let text = folder.text(path) else { return nil }
      let file = File(path: path, script: Script(text))
      known[path] = file
      return file
    }
    guard let own = file(Self.path(of: component), &known) else { return nil }
    var found = [own]
    var next = 0
    while next < found.count {
      for candidates in Self.imports(of: found[next]) {
        for path in candidates {
          guard let imported = file(path, &known) else { continue }
          if !found.contains(where: { $0.path == path }) { found.append(imported) }
          break
        }
      }
      next += 1
    }
    self.component = component
    files = found
  }

  static func path(of component: String) -> String { "src/views/\(component).tsx" }

  /// For each relative import, the paths that it may mean.
  private static func imports(of file: File) -> [[String]] {
    let place = file.path.split(separator: "/").dropLast().map(String.init)
    return file.script.imports.map { path in
      var parts = place
      for part in path.split(separator: "/") where part != "." {
        if part == ".." { parts = parts.dropLast() } else { parts.append(String(part)) }
      }
      let path = parts.joined(separator: "/")
      return [".tsx", ".ts", "/index.tsx", "/index.ts", ""].map { path + $0 }
    }
  }

  var path: String { Self.path(of: component) }

  private var own: Script? { files.first?.script }

  var isExported: Bool { own?.contains(.word("export"), .word("default"), .word(component)) ?? false }

  /// Whether a shown file contains this name or text; the declarations of the backend contain all of them.
  func mentions(_ phrase: String) -> Bool {
    files.contains { !$0.path.hasPrefix("src/backend/") && $0.script.mentions(phrase) }
  }

  /// Whether a file reads the object that the view belongs to.
  var readsObject: Bool { files.contains { $0.script.contains(.word("objectContext")) } }

  /// The Dashboard objects that the component's own file names, as a property or as an object's page.
  var namedObjects: [String] {
    guard let own else { return [] }
    let kinds = own.places(of: [.word("kind")]).compactMap { index -> String? in
      guard [.sign("="), .sign(":")].contains(own.token(index + 1)) else { return nil }
      let value = own.token(index + 2) == .sign("{") ? own.token(index + 3) : own.token(index + 2)
      guard case .text(let kind)? = value else { return nil }
      return kind
    }
    let pages = own.tokens.compactMap { token -> String? in
      guard case .text(let text) = token else { return nil }
      return Self.object(of: text)
    }
    return kinds + pages
  }

  /// The object that a viewport's page is about; nil if there is none.
  static func object(of viewport: String) -> String? {
    let parts = viewport.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count >= 4, parts[0] == "stripe", parts[1] == "dashboard", parts[3] == "detail" else { return nil }
    return String(parts[2])
  }

  /// Where a value is expected that Stripe leaves out on some pages: the file and the expression.
  var unguardedReads: [String] {
    files.flatMap { file in file.script.unguardedReads.map { "\(file.path): \($0)" } }
  }

  /// How many buttons and links each step of a task list has.
  var actsOfSteps: [Int] { own?.acts(inEach: "TaskListItem") ?? [] }
}
