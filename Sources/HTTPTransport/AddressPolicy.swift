internal import CCurl

/// An IPv4 or IPv6 address.
public struct IPAddress: Sendable, Hashable, CustomStringConvertible {
  /// 4 or 16, in network order.
  public let bytes: [UInt8]

  /// Reads `192.0.2.1` or `2001:db8::1`, also in brackets; nil for anything else, names included.
  public init?(_ text: String) {
    var text = text
    if text.hasPrefix("["), text.hasSuffix("]") { text = String(text.dropFirst().dropLast()) }
    var bytes = [UInt8](repeating: 0, count: 16)
    let count = Int(ccurl_parse_address(text, &bytes))
    guard count > 0 else { return nil }
    self.bytes = Array(bytes.prefix(count))
  }

  init?(_ address: curl_sockaddr) {
    var address = address
    var bytes = [UInt8](repeating: 0, count: 16)
    let count = Int(ccurl_address_bytes(&address, &bytes))
    guard count > 0 else { return nil }
    self.bytes = Array(bytes.prefix(count))
  }

  init(bytes: some Sequence<UInt8>) { self.bytes = Array(bytes) }

  public var description: String {
    if bytes.count == 4 { return bytes.map { String($0) }.joined(separator: ".") }
    return stride(from: 0, to: 16, by: 2).map { String(Int(bytes[$0]) << 8 | Int(bytes[$0 + 1]), radix: 16) }
      .joined(separator: ":")
  }

  /// The IPv4 address that an IPv6 address stands for: mapped (RFC 4291, 2.5.5.2) or translated (RFC 6052, 64:ff9b::/96).
  var embeddedIPv4: IPAddress? {
    guard NetworkBlock.mappedIPv4.contains(self) || NetworkBlock.translatedIPv4.contains(self) else { return nil }
    return IPAddress(bytes: bytes.suffix(4))
  }

  /// Whether anybody on the internet can be reached at it: not this machine, a private or link-local network (cloud
  /// metadata services sit there), nor anything else that the IANA registries of special addresses reserve.
  public var isPublic: Bool {
    if let inner = embeddedIPv4 { return inner.isPublic }
    if bytes.count == 4 { return !NetworkBlock.specialIPv4.contains { $0.contains(self) } }
    // Of IPv6 only 2000::/3 is given out, and parts of that are not for the public.
    return NetworkBlock.globalIPv6.contains(self) && !NetworkBlock.specialIPv6.contains { $0.contains(self) }
  }
}

/// A block of addresses, such as `10.0.0.0/8`.
public struct NetworkBlock: Sendable, Hashable, CustomStringConvertible {
  public let address: IPAddress
  /// How many leading bits are common to the block.
  public let bits: Int

  /// Reads `10.0.0.0/8`, `fd00::/8`, or a single address.
  public init?(_ text: String) {
    let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    guard let address = IPAddress(String(parts[0])) else { return nil }
    let most = address.bytes.count * 8
    guard parts.count == 2 else {
      self.init(address, bits: most)
      return
    }
    guard parts[1].utf8.allSatisfy({ (0x30...0x39).contains($0) }), let bits = Int(parts[1]), (0...most).contains(bits)
    else { return nil }
    self.init(address, bits: bits)
  }

  private init(_ address: IPAddress, bits: Int) {
    self.address = address
    self.bits = bits
  }

  public var description: String { "\(address)/\(bits)" }

  /// Addresses of the other kind are in no block.
  public func contains(_ other: IPAddress) -> Bool {
    guard other.bytes.count == address.bytes.count else { return false }
    let (whole, rest) = (bits / 8, bits % 8)
    guard other.bytes.prefix(whole) == address.bytes.prefix(whole) else { return false }
    guard rest > 0 else { return true }
    let mask = UInt8.max << (8 - rest)
    return other.bytes[whole] & mask == address.bytes[whole] & mask
  }

  static let mappedIPv4 = constant("::ffff:0:0/96")
  static let translatedIPv4 = constant("64:ff9b::/96")
  static let globalIPv6 = constant("2000::/3")
  /// IANA IPv4 Special-Purpose Address Registry, and multicast.
  static let specialIPv4 = [
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
    "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
    "224.0.0.0/4", "240.0.0.0/4",
  ].map(constant)
  /// IANA IPv6 Special-Purpose Address Registry, within 2000::/3. 6to4 addresses (2002::/16) hold any IPv4 address.
  static let specialIPv6 = ["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"].map(constant)

  private static func constant(_ text: String) -> NetworkBlock {
    guard let block = NetworkBlock(text) else { preconditionFailure("\(text) is not a block of addresses") }
    return block
  }
}

/// Which addresses a request may be sent to.
public struct AddressPolicy: Sendable, Hashable {
  private let isRestricted: Bool
  private let exceptions: [NetworkBlock]

  /// No restriction: for addresses that this program's own configuration names.
  public static let anywhere = AddressPolicy(isRestricted: false, exceptions: [])

  /// Public addresses, and the given blocks: for addresses that come from other people, who must not reach what is
  /// behind this machine's firewall with its help.
  public static func publicOnly(besides exceptions: [NetworkBlock] = []) -> AddressPolicy {
    AddressPolicy(isRestricted: true, exceptions: exceptions)
  }

  public func allows(_ address: IPAddress) -> Bool {
    guard isRestricted else { return true }
    let address = address.embeddedIPv4 ?? address
    return address.isPublic || exceptions.contains { $0.contains(address) }
  }

  /// Whether the host of a URL can be refused without asking a name server: it is an address that is not allowed, or this
  /// machine itself.
  public func refuses(host: String) -> Bool {
    if let address = IPAddress(host) { return !allows(address) }
    guard RequestCheck.isLoopback(host) || host.lowercased().hasSuffix(".localhost") else { return false }
    return ["127.0.0.1", "::1"].compactMap { IPAddress($0) }.allSatisfy { !allows($0) }
  }
}
