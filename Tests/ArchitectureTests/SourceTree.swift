import Foundation

/// The files of the package, as text.
enum SourceTree {
  struct File {
    /// From the package's root.
    let path: String
    let text: String
    /// The text without its comments, line by line as it was.
    let code: String

    init(path: String) throws {
      self.path = path
      text = try SourceTree.text(path)
      code = Comments.removed(from: text)
      imports = Self.imports(code)
    }

    /// The modules it imports.
    let imports: Set<String>

    /// The last word of an import declaration names the module, but for `import struct Module.Name`.
    private static func imports(_ code: String) -> Set<String> {
      let kinds: Set<Substring> = ["struct", "class", "enum", "protocol", "typealias", "func", "var", "let"]
      var modules: Set<String> = []
      for line in code.split(separator: "\n") where line.contains("import ") {
        let words = line.split(separator: " ")
        guard let position = words.firstIndex(of: "import"), position < 3, position + 1 < words.count else { continue }
        let name = words[(position + 1)...].first { !kinds.contains($0) } ?? ""
        modules.insert(String(name.prefix { $0 != "." }))
      }
      return modules
    }
  }

  static let root = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  static func text(_ path: String) throws -> String {
    try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)
  }

  /// The names of the folders directly under one.
  static func folders(in path: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(
      at: root.appendingPathComponent(path), includingPropertiesForKeys: [.isDirectoryKey]
    ).filter { try $0.resourceValues(forKeys: [.isDirectoryKey]).isDirectory ?? false }
      .map(\.lastPathComponent).sorted()
  }

  /// Swift files under a folder, at any depth; each is read once.
  static func files(in folder: String) throws -> [File] {
    let all = try folder.hasPrefix("Tests") ? tests.get() : sources.get()
    return all.filter { $0.path.hasPrefix(folder + "/") }
  }

  private static let sources = Result { try files(in: "Sources", kinds: ["swift"]) }
  private static let tests = Result { try files(in: "Tests", kinds: ["swift"]) }

  /// The files of these kinds under a folder, at any depth.
  static func files(in folder: String, kinds: Set<String>) throws -> [File] {
    let directory = root.appendingPathComponent(folder)
    guard let walk = FileManager.default.enumerator(atPath: directory.path) else { return [] }
    return try walk.compactMap { $0 as? String }.sorted()
      .filter { kinds.contains(($0 as NSString).pathExtension) }
      .map { try File(path: folder + "/" + $0) }
  }
}

/// Takes comments out of Swift text. Knows strings, so that "https://" is none.
enum Comments {
  static func removed(from text: String) -> String {
    enum State { case code, string, longString, line, block(Int) }
    let bytes = Array(text.utf8)
    let quote = UInt8(ascii: "\"")
    let slash = UInt8(ascii: "/")
    let star = UInt8(ascii: "*")
    let newline = UInt8(ascii: "\n")
    var kept: [UInt8] = []
    var state = State.code
    var index = 0
    func follows(_ first: UInt8, _ second: UInt8) -> Bool {
      bytes[index] == first && index + 1 < bytes.count && bytes[index + 1] == second
    }
    func followsThreeQuotes() -> Bool { follows(quote, quote) && index + 2 < bytes.count && bytes[index + 2] == quote }
    while index < bytes.count {
      let byte = bytes[index]
      var taken = 1
      switch state {
      case .code:
        if follows(slash, slash) { state = .line }
        if follows(slash, star) { (state, taken) = (.block(1), 2) }
        if followsThreeQuotes() { (state, taken) = (.longString, 3) } else if byte == quote { state = .string }
        switch state {
        case .line, .block: break
        default: kept += bytes[index..<index + taken]
        }
      case .string:
        if byte == UInt8(ascii: "\\"), index + 1 < bytes.count { taken = 2 }
        if byte == quote || byte == newline { state = .code }
        kept += bytes[index..<index + taken]
      case .longString:
        if followsThreeQuotes() { (state, taken) = (.code, 3) }
        kept += bytes[index..<index + taken]
      case .line:
        if byte == newline {
          state = .code
          kept.append(byte)
        }
      case .block(let depth):
        if byte == newline { kept.append(byte) }
        if follows(star, slash) { (state, taken) = (depth == 1 ? .code : .block(depth - 1), 2) }
        if follows(slash, star) { (state, taken) = (.block(depth + 1), 2) }
      }
      index += taken
    }
    return String(decoding: kept, as: UTF8.self)
  }
}
