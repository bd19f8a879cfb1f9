/// Where a Redis server is and how long its answers may take.
public struct RedisConfiguration: Sendable {
  /// The server and the credentials.
  public let address: RedisAddress
  /// How many connections, each with a thread of its own.
  public var connections: Int
  /// The longest silence of the server while a reply is awaited. After it the connection is given up.
  public var timeout: Duration
  /// The longest that connecting may take, name look-up included.
  public var connectTimeout: Duration
  /// The longest that one command may wait for its turn, and the longest that one batch of replies may take.
  public var maximumWait: Duration
  /// The most commands waiting for one connection; further calls fail with `.overloaded`.
  public var maximumQueued: Int
  /// The back-off between attempts to reconnect.
  public var backoff: RedisBackoff
  /// The prefix of every key, so that several services can share a server without using each other's keys.
  public var keyPrefix = ""

  /// - Parameter url: `redis://[[user]:password@]host[:port][/database]`, `rediss://…` for TLS, or
  ///   `unix://[[user]:password@]/path/of/socket[?db=database]`. User, password and path are percent-decoded.
  public init(
    url: String,
    connections: Int = 2,
    timeout: Duration = .milliseconds(250),
    connectTimeout: Duration = .milliseconds(250),
    maximumWait: Duration = .seconds(1),
    maximumQueued: Int = 16_384,
    backoff: RedisBackoff = .init()
  ) throws(RedisConfigurationError) {
    address = try RedisAddress(url: url)
    self.connections = max(1, connections)
    self.timeout = timeout
    self.connectTimeout = connectTimeout
    self.maximumWait = maximumWait
    self.maximumQueued = max(1, maximumQueued)
    self.backoff = backoff
  }
}

/// What is wrong with a URL. Never contains the URL, which may hold a password.
public struct RedisConfigurationError: Error, Sendable, Hashable, CustomStringConvertible {
  /// What was expected.
  public let description: String
}

/// The back-off between attempts to reconnect: doubled from the first to the longest, each shortened by up to a quarter
/// at random so that many clients do not come back in step.
public struct RedisBackoff: Sendable, Hashable {
  /// The pause after the first failure.
  public var first: Duration
  /// The longest pause.
  public var longest: Duration

  public init(first: Duration = .milliseconds(50), longest: Duration = .seconds(2)) {
    self.first = first
    self.longest = longest
  }

  /// The pause after this many failures in a row.
  /// - Parameter jitter: 0 for the full pause, up to 1 for the shortest.
  func delay(afterFailures failures: Int, jitter: Double) -> Duration {
    let doubled = first * (1 << min(max(failures, 1) - 1, 20))
    return min(doubled, longest) * (1 - min(max(jitter, 0), 1) / 4)
  }
}
