/// Where a server listens: a host and a port. Port 0 lets the system choose.
public struct ServerAddress: Sendable, Hashable, CustomStringConvertible {
  /// A name or an IP address, IPv6 without brackets.
  public var host: String
  /// 0 to 65535.
  public var port: Int

  /// An address from its parts.
  public init(host: String, port: Int) {
    self.host = host
    self.port = port
  }

  /// Loopback with a port of the system's choice.
  public static let anyLoopbackPort = ServerAddress(host: "127.0.0.1", port: 0)

  /// Reads `127.0.0.1:8080`, `[::1]:8080`, `localhost:0`. Nil for anything else; the host must be named.
  public init?(parsing text: String) {
    guard let colon = text.lastIndex(of: ":") else { return nil }
    let digits = text[text.index(after: colon)...]
    guard digits.allSatisfy({ $0.isASCII && $0.isNumber }), let port = Int(digits), (0...65535).contains(port) else {
      return nil
    }
    var host = text[..<colon]
    if host.hasPrefix("["), host.hasSuffix("]") {
      host = host.dropFirst().dropLast()
    } else if host.contains(":") {
      return nil
    }
    guard !host.isEmpty, !host.contains(where: { $0.isWhitespace || $0 == "/" || $0 == "[" || $0 == "]" }) else {
      return nil
    }
    self.init(host: String(host), port: port)
  }

  public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

  /// The address as the start of an HTTP URL, without a trailing slash.
  public var url: String { "http://\(self)" }

  /// Whether a host name or address means this machine.
  public static func isLoopback(_ host: String) -> Bool {
    let host = host.lowercased()
    if host == "localhost" || host == "::1" || host == "[::1]" || host.hasSuffix(".localhost") { return true }
    let parts = host.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
  }
}
