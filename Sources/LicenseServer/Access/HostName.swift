/// Host names in the form in which they are compared.
enum HostName {
  /// Lower case, without port or the root dot; nil for what cannot be a host name.
  static func normalized(_ authority: String) -> String? {
    var host = authority.lowercased()[...]
    if let colon = host.lastIndex(of: ":"), !host.hasSuffix("]") { host = host[..<colon] }
    if host.hasSuffix(".") { host = host.dropLast() }
    guard !host.isEmpty, host.utf8.count <= 253 else { return nil }
    let allowed = host.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"),
        UInt8(ascii: "."), UInt8(ascii: ":"), UInt8(ascii: "["), UInt8(ascii: "]"):
        true
      default: false
      }
    }
    return allowed ? String(host) : nil
  }
}
