public import Foundation

/// The folder of the package, found from this source file, so that tests run from any working directory.
public enum PackageRoot {
  public static let url: URL = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  public static var path: String { url.path }
}

public enum Resources {
  public static var packageRoot: String { PackageRoot.path }
}
