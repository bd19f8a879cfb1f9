public import Foundation

/// Finds the files that belong to a program: migrations, page templates.
public enum ResourceLocator {
  /// Nothing of that name in any place it could be.
  public struct NotFound: Error, Sendable, CustomStringConvertible {
    /// What was looked for.
    public let name: String
    /// The directories it was looked for in.
    public let places: [String]

    public var description: String {
      "\"\(name)\" was not found in any of: " + places.joined(separator: ", ")
    }
  }

  /// The path of a directory or file, wherever the program is started from.
  ///
  /// Looked for in this order: in the directory that the variable `environmentOverride` names (and then nowhere else);
  /// beside the binary; in `../share/<binary>` from there; in the package the binary was built in; in the package the
  /// working directory is in.
  public static func find(
    _ name: String, environmentOverride: String? = nil,
    environment: [String: String] = ProcessInfo.processInfo.environment
  ) throws(NotFound) -> String {
    if let override = environmentOverride.flatMap({ environment[$0]?.trimmed }), !override.isEmpty {
      return try first(name, in: [override])
    }
    var places: [String] = []
    if let binary = executablePath() {
      let directory = URL(fileURLWithPath: binary).deletingLastPathComponent()
      let program = URL(fileURLWithPath: binary).lastPathComponent
      places.append(directory.path)
      places.append(directory.deletingLastPathComponent().appendingPathComponent("share/\(program)").path)
      if let package = packageRoot(above: directory.path) { places.append(package) }
    }
    if let package = packageRoot(above: FileManager.default.currentDirectoryPath) { places.append(package) }
    return try first(name, in: places)
  }

  private static func first(_ name: String, in places: [String]) throws(NotFound) -> String {
    for place in places {
      let path = URL(fileURLWithPath: place).appendingPathComponent(name).path
      if FileManager.default.fileExists(atPath: path) { return path }
    }
    throw NotFound(name: name, places: places)
  }

  private static func executablePath() -> String? {
    (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? Bundle.main.executablePath
  }

  private static func packageRoot(above path: String) -> String? {
    var directory = URL(fileURLWithPath: path).standardizedFileURL
    while true {
      if FileManager.default.fileExists(atPath: directory.appendingPathComponent("Package.swift").path) {
        return directory.path
      }
      let parent = directory.deletingLastPathComponent()
      if parent.path == directory.path { return nil }
      directory = parent
    }
  }
}
