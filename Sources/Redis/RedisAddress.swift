/// Where a Redis server listens and how to log in, as written in a URL.
public struct RedisAddress: Sendable, Hashable {
  /// A TCP endpoint or a Unix socket.
  public enum Endpoint: Sendable, Hashable {
    case tcp(host: String, port: Int)
    /// TCP with TLS; the certificate must be the host's.
    case tls(host: String, port: Int)
    case unix(path: String)
  }

  /// The place to connect to.
  public let endpoint: Endpoint
  /// The user of an access list; `nil` for the default user.
  public let user: String?
  /// The password, if one is needed.
  let password: String?
  /// The number of the database to select.
  public let database: Int

  /// Reads a `redis:`, `rediss:` or `unix:` URL; see `RedisConfiguration.init`.
  init(url: String) throws(RedisConfigurationError) {
    func problem(_ text: String) -> RedisConfigurationError { RedisConfigurationError(description: text) }

    guard let colon = url.firstRange(of: "://") else {
      throw problem("expected redis://[:password@]host[:port][/database] or unix:///path")
    }
    let scheme = url[..<colon.lowerBound].lowercased()
    var rest = url[colon.upperBound...]
    var user: String?
    var password: String?
    if let at = rest.lastIndex(of: "@") {
      let credentials = rest[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
      rest = rest[rest.index(after: at)...]
      guard credentials.count == 2 else { throw problem("expected [user]:password before the @") }
      guard let name = percentDecoded(credentials[0]), let secret = percentDecoded(credentials[1]) else {
        throw problem("the user or password is not percent-encoded UTF-8")
      }
      user = name.isEmpty ? nil : name
      password = secret.isEmpty ? nil : secret
    }

    var databaseText: Substring = ""
    switch scheme {
    case "redis", "rediss":
      if let slash = rest.firstIndex(of: "/") {
        databaseText = rest[rest.index(after: slash)...]
        rest = rest[..<slash]
      }
      let (host, port) = try Self.hostAndPort(rest)
      endpoint = scheme == "rediss" ? .tls(host: host, port: port) : .tcp(host: host, port: port)
    case "unix":
      if let question = rest.firstRange(of: "?db=") {
        databaseText = rest[question.upperBound...]
        rest = rest[..<question.lowerBound]
      }
      guard let path = percentDecoded(rest), path.hasPrefix("/"), !path.utf8.contains(0) else {
        throw problem("expected the absolute path of a socket after unix://")
      }
      // sockaddr_un has 108 bytes for the path and its final zero.
      guard path.utf8.count <= 107 else { throw problem("the path of a socket has at most 107 bytes") }
      endpoint = .unix(path: path)
    default:
      throw problem("expected the scheme redis, rediss (TLS) or unix")
    }

    guard databaseText.isEmpty || databaseText.allSatisfy({ $0.isASCII && $0.isNumber }),
      let database = databaseText.isEmpty ? 0 : Int(databaseText)
    else { throw problem("expected the number of a database after the host") }
    self.database = database
    self.user = user
    self.password = password
  }

  private static func hostAndPort(_ authority: Substring) throws(RedisConfigurationError) -> (String, Int) {
    let problem = RedisConfigurationError(description: "expected host or host:port, IPv6 addresses in brackets")
    var host = authority
    var portText: Substring?
    if authority.hasPrefix("[") {
      guard let bracket = authority.firstIndex(of: "]") else { throw problem }
      host = authority[authority.index(after: authority.startIndex)..<bracket]
      let tail = authority[authority.index(after: bracket)...]
      guard tail.isEmpty || tail.hasPrefix(":") else { throw problem }
      portText = tail.isEmpty ? nil : tail.dropFirst()
    } else if let colon = authority.firstIndex(of: ":") {
      host = authority[..<colon]
      portText = authority[authority.index(after: colon)...]
    }
    guard !host.isEmpty, host.allSatisfy({ $0.isASCII && !$0.isWhitespace && !"/?#%\0".contains($0) }) else {
      throw problem
    }
    guard let portText else { return (String(host), 6379) }
    guard let port = Int(portText), (1...65_535).contains(port) else { throw problem }
    return (String(host), port)
  }
}

/// The text with `%XX` undone; `nil` when a `%` is not followed by two hexadecimal digits or the result is not UTF-8.
private func percentDecoded(_ text: Substring) -> String? {
  var bytes: [UInt8] = []
  var rest = text.utf8[...]
  while let byte = rest.popFirst() {
    guard byte == UInt8(ascii: "%") else {
      bytes.append(byte)
      continue
    }
    guard let digits = String(rest.prefix(2)), digits.count == 2, digits.allSatisfy(\.isHexDigit),
      let decoded = UInt8(digits, radix: 16)
    else { return nil }
    bytes.append(decoded)
    rest = rest.dropFirst(2)
  }
  return String(validating: bytes, as: UTF8.self)
}
