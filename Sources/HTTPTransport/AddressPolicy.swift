internal import CCurl
public import Networks

/// Which addresses a request may be sent to.
public struct AddressPolicy: Sendable, Hashable {
  private let isRestricted: Bool
  private let exceptions: [NetworkBlock]

  /// No restriction: for addresses from this program's own configuration.
  public static let anywhere = AddressPolicy(isRestricted: false, exceptions: [])

  /// Public addresses and the given blocks: for addresses from other people, who must not use this machine to reach what is
  /// behind its firewall.
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

extension IPAddress {
  /// The address that libcurl is about to connect to.
  init?(_ address: curl_sockaddr) {
    var address = address
    var bytes = [UInt8](repeating: 0, count: 16)
    let count = Int(ccurl_address_bytes(&address, &bytes))
    self.init(bytes: bytes.prefix(count))
  }
}
