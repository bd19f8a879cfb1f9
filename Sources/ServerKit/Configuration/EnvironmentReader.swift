public import Configuration
public import Networks

/// Reads the configuration of a program from typed environment variables, and collects every problem instead of stopping at
/// the first. Read all values, then call ``finish()``: until that has returned without an error, required values may be
/// stand-ins.
///
///     var environment = EnvironmentReader()
///     let address = environment.address("HTTP_ADDRESS", default: ServerAddress(host: "127.0.0.1", port: 8080))
///     let database = environment.required("DATABASE_URL", expected: "a URL", example: "postgres://…", isSecret: true)
///     try environment.finish()
///
/// White space around a value is dropped, and an empty value counts as not set, because that is what a name without a value
/// in a file of variables means.
public struct EnvironmentReader {
  private let configuration: ConfigReader
  private var problems: [ConfigurationProblem] = []

  /// Reads from this process's environment.
  public init() { self.init(provider: EnvironmentVariablesProvider()) }

  /// Reads from the given variables, as tests do.
  public init(_ variables: [String: String]) {
    self.init(provider: EnvironmentVariablesProvider(environmentVariables: variables))
  }

  /// Reads from any provider whose keys are the names of variables.
  public init(provider: some ConfigProvider) { configuration = ConfigReader(provider: provider) }

  /// - Throws: every problem met so far, in the order of reading.
  public func finish() throws(ConfigurationProblems) {
    if !problems.isEmpty { throw ConfigurationProblems(problems) }
  }

  /// Records a problem that a caller found, such as two variables that contradict each other. Only the first problem of a
  /// variable is reported.
  public mutating func report(
    _ name: String, expected: String, example: String, found: ConfigurationProblem.Found = .nothing
  ) {
    guard !problems.contains(where: { $0.name == name }) else { return }
    problems.append(ConfigurationProblem(name: name, expected: expected, example: example, found: found))
  }

  // MARK: Text

  /// The value, or nil when it is not set.
  public func optional(_ name: String, isSecret: Bool = false) -> String? {
    let value = configuration.string(forKey: ConfigKey([name]), isSecret: isSecret)?.trimmed
    return value.flatMap { $0.isEmpty ? nil : $0 }
  }

  /// The value; a problem when it is not set.
  public mutating func required(
    _ name: String, expected: String, example: String, isSecret: Bool = false
  ) -> String {
    guard let value = optional(name, isSecret: isSecret) else {
      report(name, expected: expected, example: example)
      return ""
    }
    return value
  }

  /// A value of any type: `read` returns nil for text that it cannot use.
  public mutating func value<T>(
    _ name: String, expected: String, example: String, isSecret: Bool = false, read: (String) -> T?
  ) -> T? {
    guard let text = optional(name, isSecret: isSecret) else { return nil }
    if let value = read(text) { return value }
    report(name, expected: expected, example: example, found: isSecret ? .secret("it is something else") : .value(text))
    return nil
  }

  /// The same for a required value.
  ///
  /// - Parameter standIn: returned if there is a problem, so that reading can continue.
  public mutating func requiredValue<T>(
    _ name: String, expected: String, example: String, isSecret: Bool = false, standIn: T, read: (String) -> T?
  ) -> T {
    if optional(name, isSecret: isSecret) == nil { report(name, expected: expected, example: example) }
    return value(name, expected: expected, example: example, isSecret: isSecret, read: read) ?? standIn
  }

  // MARK: Numbers, switches, choices

  /// A whole number within a range.
  public mutating func int(_ name: String, in range: ClosedRange<Int>, default fallback: Int) -> Int {
    optionalInt(name, in: range, example: String(fallback)) ?? fallback
  }

  /// A whole number within a range, or nil.
  public mutating func optionalInt(_ name: String, in range: ClosedRange<Int>, example: String) -> Int? {
    value(name, expected: "a whole number from \(range.lowerBound) to \(range.upperBound)", example: example) { text in
      Int(text).flatMap { range.contains($0) ? $0 : nil }
    }
  }

  /// `true`, `1` or `yes`; `false`, `0` or `no`; in any case.
  public mutating func bool(_ name: String, default fallback: Bool) -> Bool { optionalBool(name) ?? fallback }

  /// The same, or nil when it is not set.
  public mutating func optionalBool(_ name: String) -> Bool? {
    value(name, expected: "true or false", example: "true") { text in
      switch text.lowercased() {
      case "true", "1", "yes": true
      case "false", "0", "no": false
      default: nil
      }
    }
  }

  /// One of the values of an enumeration, in any case.
  public mutating func choice<T: RawRepresentable<String> & CaseIterable>(_ name: String, default fallback: T) -> T {
    let choices = T.allCases.map(\.rawValue)
    let read = value(name, expected: "one of " + choices.joined(separator: ", "), example: fallback.rawValue) { text in
      T(rawValue: text) ?? T(rawValue: text.lowercased())
    }
    return read ?? fallback
  }

  /// A length of time with its unit: `250ms`, `30s`, `5m`, `2h`, `7d`.
  public mutating func duration(
    _ name: String, in range: ClosedRange<Duration> = .zero ... .seconds(366 * 86_400), default fallback: Duration
  ) -> Duration {
    let read = value(name, expected: "a length of time with its unit (ms, s, m, h or d)", example: "30s") { text in
      DurationText.parse(text).flatMap { range.contains($0) ? $0 : nil }
    }
    return read ?? fallback
  }

  // MARK: Lists

  /// Values separated by commas, each trimmed. An empty entry is a problem.
  public mutating func list(
    _ name: String, default fallback: [String] = [], expected: String = "a list separated by commas",
    example: String = "one,two"
  ) -> [String] {
    entries(name, expected: expected, example: example, isSecret: false) ?? fallback
  }

  /// Secrets separated by commas, for example while one is being replaced. White space and newlines around each are dropped,
  /// because files and shells like to add them. An empty entry is a problem: anybody can sign with an empty key.
  public mutating func secrets(
    _ name: String, expected: String, example: String, isRequired: Bool = false
  ) -> [String] {
    if let entries = entries(name, expected: expected, example: example, isSecret: true) { return entries }
    if isRequired, optional(name, isSecret: true) == nil { report(name, expected: expected, example: example) }
    return []
  }

  private mutating func entries(_ name: String, expected: String, example: String, isSecret: Bool) -> [String]? {
    guard let text = optional(name, isSecret: isSecret) else { return nil }
    let entries = text.split(separator: ",", omittingEmptySubsequences: false).map(\.trimmed)
    guard !entries.contains("") else {
      report(
        name, expected: expected, example: example,
        found: isSecret ? .secret("one of its entries is empty") : .value(text))
      return nil
    }
    return entries
  }

  // MARK: Addresses

  /// Blocks of IP addresses, and single ones, separated by commas.
  public mutating func networks(_ name: String, example: String) -> [NetworkBlock] {
    let expected = "blocks of IP addresses separated by commas"
    let texts = list(name, expected: expected, example: example)
    let blocks = texts.compactMap { NetworkBlock($0) }
    if blocks.count < texts.count {
      report(name, expected: expected, example: example, found: .value(texts.joined(separator: ",")))
    }
    return blocks
  }

  /// A host and a port to listen on.
  public mutating func address(_ name: String, default fallback: ServerAddress) -> ServerAddress {
    value(name, expected: "a host and a port", example: "127.0.0.1:8080") { ServerAddress(parsing: $0) } ?? fallback
  }

  /// The address of a service: HTTPS, or HTTP on this machine. Without a trailing slash, so that a path can be added.
  public mutating func url(_ name: String, example: String) -> String? {
    value(name, expected: ServiceURL.expected, example: example, read: ServiceURL.normalized)
  }

  /// The same with a default.
  public mutating func url(_ name: String, default fallback: String) -> String {
    url(name, example: fallback) ?? fallback
  }

  /// The same for an address that must be given.
  public mutating func requiredURL(_ name: String, example: String) -> String {
    if optional(name) == nil { report(name, expected: ServiceURL.expected, example: example) }
    return url(name, example: example) ?? ""
  }
}
