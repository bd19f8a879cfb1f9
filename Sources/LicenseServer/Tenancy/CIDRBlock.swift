import Foundation

/// A network in CIDR notation, IPv4 or IPv6. A single address is a network of one.
struct CIDRBlock: Hashable, Sendable {
  private var address: [UInt8]
  private var prefixLength: Int

  /// Nil for anything that is not `address` or `address/prefix length`.
  init?(_ text: String) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard let first = parts.first, parts.count <= 2, let address = Self.bytes(of: String(first)) else { return nil }
    let length: Int
    if parts.count == 2 {
      guard !parts[1].isEmpty, parts[1].utf8.allSatisfy({ (48...57).contains($0) }), let number = Int(parts[1]),
        number <= address.count * 8
      else { return nil }
      length = number
    } else {
      length = address.count * 8
    }
    self.address = address
    self.prefixLength = length
  }

  /// Whether an address lies in the network. An IPv4 address that arrives mapped into IPv6 counts as IPv4.
  func contains(_ text: String) -> Bool {
    guard let other = Self.bytes(of: text), other.count == address.count else { return false }
    let whole = prefixLength / 8
    guard other[..<whole] == address[..<whole] else { return false }
    let rest = prefixLength % 8
    guard rest > 0 else { return true }
    let mask = UInt8(truncatingIfNeeded: 0xFF << (8 - rest))
    return other[whole] & mask == address[whole] & mask
  }

  private static func bytes(of text: String) -> [UInt8]? {
    var four = in_addr()
    if inet_pton(AF_INET, text, &four) == 1 { return withUnsafeBytes(of: four) { Array($0) } }
    var sixteen = in6_addr()
    guard inet_pton(AF_INET6, text, &sixteen) == 1 else { return nil }
    let bytes = withUnsafeBytes(of: sixteen) { Array($0) }
    let mapped = bytes[..<10].allSatisfy { $0 == 0 } && bytes[10] == 0xFF && bytes[11] == 0xFF
    return mapped ? Array(bytes[12...]) : bytes
  }
}
