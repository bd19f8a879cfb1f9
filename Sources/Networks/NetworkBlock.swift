/// A block of addresses, such as `10.0.0.0/8`.
public struct NetworkBlock: Sendable, Hashable, CustomStringConvertible {
  public let address: IPAddress
  /// How many leading bits are common to the block.
  public let bits: Int

  /// Reads `10.0.0.0/8`, `fd00::/8`, or a single address. A block of IPv4 addresses that is written as IPv6
  /// (`::ffff:10.0.0.0/104`) is the block of IPv4 addresses.
  public init?(_ text: String) {
    let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    guard let address = IPAddress(String(parts[0])) else { return nil }
    let most = address.bytes.count * 8
    guard parts.count == 2 else {
      self.init(address, bits: most)
      return
    }
    guard !parts[1].isEmpty, parts[1].utf8.allSatisfy({ (0x30...0x39).contains($0) }), let bits = Int(parts[1]),
      (0...most).contains(bits)
    else { return nil }
    self.init(address, bits: bits)
  }

  private init(_ address: IPAddress, bits: Int) {
    if bits >= 96, let inner = address.mappedIPv4 {
      self.init(exactly: inner, bits: bits - 96)
    } else {
      self.init(exactly: address, bits: bits)
    }
  }

  private init(exactly address: IPAddress, bits: Int) {
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
