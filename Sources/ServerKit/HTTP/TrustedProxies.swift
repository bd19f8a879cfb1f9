import HTTPTypes
public import Networks

/// Networks of the proxies in front of this server. Only their information about a client's address is believed: anybody else
/// can write any address into a header.
public struct TrustedProxies: Sendable, Hashable {
  /// The networks.
  public var networks: [NetworkBlock]

  /// Proxies in these networks.
  public init(_ networks: [NetworkBlock]) { self.networks = networks }

  /// No proxy: the connection's peer is the client, whatever the headers say.
  public static let none = TrustedProxies([])

  /// The address of the client.
  ///
  /// Each proxy appends the address of its caller. So the chain is followed back from the peer while each next address is
  /// trusted, and the first untrusted one is the client. If an entry cannot be read, the client is the last address before
  /// it.
  ///
  /// - Parameter peer: the peer of the connection.
  func client(of peer: IPAddress?, _ headers: HTTPFields) -> IPAddress? {
    guard let peer, trusts(peer) else { return peer }
    var client = peer
    for hop in ForwardedFor.hops(in: headers).reversed() {
      guard let hop else { return client }
      client = hop
      guard trusts(hop) else { return client }
    }
    return client
  }

  private func trusts(_ address: IPAddress) -> Bool { networks.contains { $0.contains(address) } }
}

/// What proxies report about the path of a request.
enum ForwardedFor {
  /// The chain of callers, from the client on; nil for an entry that is no address. `X-Forwarded-For` is used if present,
  /// else `Forwarded` (RFC 7239): a proxy that writes one of them passes the other one on as the client sent it.
  static func hops(in headers: HTTPFields) -> [IPAddress?] {
    let plain = headers[values: .xForwardedFor]
    if !plain.isEmpty {
      return plain.flatMap { $0.split(separator: ",") }.filter { !$0.trimmed.isEmpty }.map { address(in: $0) }
    }
    return headers[values: .forwarded].flatMap { hops(inForwarded: $0) }
  }

  /// One header line of RFC 7239: elements separated by commas, each with pairs separated by semicolons. A line in another
  /// form gives nothing.
  static func hops(inForwarded line: String) -> [IPAddress?] {
    guard let elements = ForwardedLine.elements(in: line) else { return [nil] }
    return elements.map { pairs in pairs["for"].flatMap { address(in: $0) } }
  }

  /// Reads `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:4711`; nil for `unknown`, names
  /// that hide an address (`_gateway`), and anything else.
  static func address(in text: some StringProtocol) -> IPAddress? {
    let text = text.trimmed
    let host: Substring
    let port: Substring
    if text.hasPrefix("[") {
      guard let end = text.firstIndex(of: "]") else { return nil }
      host = text[text.index(after: text.startIndex)..<end]
      port = text[text.index(after: end)...]
      guard host.contains(":") else { return nil }
    } else if let colon = text.firstIndex(of: ":"), text.lastIndex(of: ":") == colon {
      host = text[..<colon]
      port = text[colon...]
    } else {
      host = text[...]
      port = ""
    }
    guard isPort(port), let address = IPAddress(String(host)) else { return nil }
    return address.mappedIPv4 ?? address
  }

  /// Nothing, or a colon with a port or a name that hides one.
  private static func isPort(_ text: Substring) -> Bool {
    guard !text.isEmpty else { return true }
    let port = text.dropFirst()
    guard text.first == ":", !port.isEmpty else { return false }
    if port.first == "_" { return port.dropFirst().utf8.allSatisfy { isNameByte($0) } }
    return port.utf8.count <= 5 && port.utf8.allSatisfy { (0x30...0x39).contains($0) }
  }

  private static func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
      true
    default: false
    }
  }
}

/// The grammar of `Forwarded` (RFC 7239, section 4).
private enum ForwardedLine {
  /// The pairs of each element, with lower-case names; nil if the line does not follow the grammar. An element may be empty,
  /// and then gives nothing.
  static func elements(in line: String) -> [[String: String]]? {
    var elements: [[String: String]] = [[:]]
    var rest = line.unicodeScalars[...]
    while true {
      skipBlanks(&rest)
      if let name = token(&rest) {
        guard rest.popFirst() == "=", let value = token(&rest) ?? quoted(&rest),
          elements[elements.count - 1].updateValue(value, forKey: name.lowercased()) == nil
        else { return nil }
        skipBlanks(&rest)
      }
      switch rest.popFirst() {
      case nil: return elements.filter { !$0.isEmpty }
      case ";": continue
      case ",": elements.append([:])
      default: return nil
      }
    }
  }

  private static func skipBlanks(_ rest: inout Substring.UnicodeScalarView) {
    rest = rest.drop { $0 == " " || $0 == "\t" }
  }

  /// One or more characters of a token (RFC 9110, section 5.6.2), or of an address without quotes, as lenient proxies write
  /// it.
  private static func token(_ rest: inout Substring.UnicodeScalarView) -> String? {
    let token = rest.prefix { isTokenCharacter($0) }
    rest = rest[token.endIndex...]
    return token.isEmpty ? nil : String(token)
  }

  private static func quoted(_ rest: inout Substring.UnicodeScalarView) -> String? {
    guard rest.first == "\"" else { return nil }
    rest.removeFirst()
    var text = String.UnicodeScalarView()
    while let next = rest.popFirst() {
      switch next {
      case "\"": return String(text)
      case "\\":
        guard let escaped = rest.popFirst() else { return nil }
        text.append(escaped)
      default: text.append(next)
      }
    }
    return nil
  }

  private static func isTokenCharacter(_ scalar: Unicode.Scalar) -> Bool {
    guard scalar.isASCII else { return false }
    if scalar.properties.isAlphabetic || scalar.properties.numericType != nil { return true }
    return "!#$%&'*+-.^_`|~:[]".unicodeScalars.contains(scalar)
  }
}

extension HTTPField.Name {
  static let xForwardedFor = constant("X-Forwarded-For")
  static let forwarded = constant("Forwarded")
}
