import Foundation

/// An IPv4 or IPv6 address.
public struct IPAddress: Sendable, Hashable, CustomStringConvertible {
  /// 4 or 16, in network order.
  public let bytes: [UInt8]

  /// Reads `192.0.2.1` or `2001:db8::1`, also in brackets; nil for anything else, names included.
  public init?(_ text: String) {
    var text = text
    if text.hasPrefix("["), text.hasSuffix("]") { text = String(text.dropFirst().dropLast()) }
    // The system's reader would take what stands before a NUL for the whole.
    guard !text.utf8.contains(0) else { return nil }
    var four = in_addr()
    var sixteen = in6_addr()
    if inet_pton(AF_INET, text, &four) == 1 {
      bytes = withUnsafeBytes(of: four) { Array($0) }
    } else if inet_pton(AF_INET6, text, &sixteen) == 1 {
      bytes = withUnsafeBytes(of: sixteen) { Array($0) }
    } else {
      return nil
    }
  }

  /// An address from its bytes in network order; nil unless there are 4 or 16.
  public init?(bytes: some Collection<UInt8>) {
    guard bytes.count == 4 || bytes.count == 16 else { return nil }
    self.bytes = Array(bytes)
  }

  /// As people write it: `192.0.2.1`, `2001:db8::1` (RFC 5952).
  public var description: String {
    if bytes.count == 4 { return bytes.map { String($0) }.joined(separator: ".") }
    var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
    guard inet_ntop(AF_INET6, bytes, &text, socklen_t(text.count)) != nil else { return "" }
    return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// The IPv4 address that an IPv6 address stands for: mapped (RFC 4291, 2.5.5.2) or translated (RFC 6052, 64:ff9b::/96).
  public var embeddedIPv4: IPAddress? {
    mappedIPv4 ?? (NetworkBlock.translatedIPv4.contains(self) ? IPAddress(bytes: bytes.suffix(4)) : nil)
  }

  /// The IPv4 address that is mapped into this IPv6 address (RFC 4291, 2.5.5.2): how a socket for both kinds shows the
  /// address of an IPv4 peer.
  public var mappedIPv4: IPAddress? {
    guard bytes.count == 16, bytes[..<10].allSatisfy({ $0 == 0 }), bytes[10] == 0xFF, bytes[11] == 0xFF else {
      return nil
    }
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
