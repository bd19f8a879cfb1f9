/// One variable that cannot be used.
public struct ConfigurationProblem: Sendable, Hashable, CustomStringConvertible {
  /// What the environment contains for the variable.
  public enum Found: Sendable, Hashable {
    /// Not set, or empty.
    case nothing
    /// A value that may be shown.
    case value(String)
    /// A value that may not be shown, and what is wrong with it.
    case secret(String)
  }

  /// The name of the variable.
  public let name: String
  /// What was expected, such as `a whole number from 1 to 65535`.
  public let expected: String
  /// A value that would be accepted.
  public let example: String
  /// What was found instead.
  public let found: Found

  /// A problem from its parts.
  public init(name: String, expected: String, example: String, found: Found) {
    self.name = name
    self.expected = expected
    self.example = example
    self.found = found
  }

  public var description: String {
    let came =
      switch found {
      case .nothing: "it is not set"
      case .value(let value): "found \"\(value.prefix(200))\""
      case .secret(let problem): "\(problem) (the value is secret and not shown)"
      }
    return "\(name): expected \(expected), for example \(example); \(came)"
  }
}

/// Everything that is wrong with the configuration, so that it can be corrected at once.
public struct ConfigurationProblems: Error, Sendable, CustomStringConvertible {
  /// In the order of reading.
  public let problems: [ConfigurationProblem]

  /// Bundles problems; at least one is needed.
  public init(_ problems: [ConfigurationProblem]) { self.problems = problems }

  public var description: String {
    (["The configuration cannot be used:"] + problems.map { "  \($0)" }).joined(separator: "\n")
  }
}
