import Foundation

/// Addresses of services this program talks to.
public enum ServiceURL {
  static let expected = "an https URL (http only on loopback)"

  /// The URL without trailing slashes, or nil when it is not HTTPS (HTTP is accepted on loopback), has no host, or
  /// carries a user, a password or a fragment.
  public static func normalized(_ text: String) -> String? {
    var text = text.trimmed
    while text.hasSuffix("/") { text.removeLast() }
    guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }), let parts = URLComponents(string: text),
      let host = parts.host, !host.isEmpty, parts.user == nil, parts.password == nil, parts.fragment == nil
    else { return nil }
    if let port = parts.port, !(1...65535).contains(port) { return nil }
    switch parts.scheme?.lowercased() {
    case "https": return text
    case "http": return ServerAddress.isLoopback(host) ? text : nil
    default: return nil
    }
  }
}

/// Lengths of time as people write them.
enum DurationText {
  static func parse(_ text: String) -> Duration? {
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    guard let count = Int64(digits), count <= 1_000_000_000 else { return nil }
    return switch text.dropFirst(digits.count).lowercased() {
    case "ms": .milliseconds(count)
    case "s": .seconds(count)
    case "m": .seconds(count * 60)
    case "h": .seconds(count * 3_600)
    case "d": .seconds(count * 86_400)
    default: nil
    }
  }
}
