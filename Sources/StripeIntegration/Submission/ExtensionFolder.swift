package import Foundation

/// The Dashboard extension as it is submitted: manifests, listing and sources. Read-only; pictures and documents that the
/// listing names may be outside it.
package struct ExtensionFolder: Sendable {
  private let read: @Sendable (String) -> [UInt8]?
  /// The manifests, the listing and the sources, by their path in the folder.
  let texts: [String]

  /// A folder on disk.
  package init(_ folder: URL) {
    read = { path in (try? Data(contentsOf: folder.appendingPathComponent(path))).map { [UInt8]($0) } }
    let top = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    let sources = FileManager.default.enumerator(atPath: folder.appendingPathComponent("src").path)
    texts =
      top.filter { $0.hasSuffix(".json") && $0 != "package-lock.json" }.sorted()
      + (sources?.compactMap { $0 as? String } ?? []).filter(Self.isSource).sorted().map { "src/" + $0 }
  }

  /// The same folder with some texts replaced or added.
  func replacing(_ others: [String: String]) -> ExtensionFolder {
    ExtensionFolder(texts: Set(texts).union(others.keys).sorted()) { path in
      others[path].map { [UInt8]($0.utf8) } ?? read(path)
    }
  }

  private init(texts: [String], read: @escaping @Sendable (String) -> [UInt8]?) {
    self.texts = texts
    self.read = read
  }

  /// The file at a path relative to the folder; nil if it does not exist.
  package func bytes(_ path: String) -> [UInt8]? { read(path) }

  func text(_ path: String) -> String? { read(path).map { String(decoding: $0, as: UTF8.self) } }

  private static func isSource(_ path: String) -> Bool {
    [".ts", ".tsx", ".js", ".jsx", ".json", ".html"].contains { path.hasSuffix($0) }
  }
}
