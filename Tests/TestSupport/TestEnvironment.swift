import Foundation

/// A service that the tests need is not named in the environment.
public struct MissingTestService: Error, CustomStringConvertible {
  public let variable: String
  public var description: String {
    "\(variable) is not set: these tests need real services. Run script/test, which starts them."
  }
}

enum TestEnvironment {
  static func value(_ variable: String) throws -> String {
    guard let value = ProcessInfo.processInfo.environment[variable], !value.isEmpty else {
      throw MissingTestService(variable: variable)
    }
    return value
  }

  /// Lower-case letters and digits, different on every call.
  static func uniqueSuffix() -> String {
    let characters = Array("abcdefghijklmnopqrstuvwxyz0123456789")
    return String((0..<12).map { _ in characters[Int.random(in: characters.indices)] })
  }
}
