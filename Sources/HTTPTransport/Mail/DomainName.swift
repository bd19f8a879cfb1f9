internal import Foundation

/// Domain names in the form that people write and in the form that systems accept.
enum DomainName {
  /// The ASCII form of a domain (RFC 5891, with the mappings of UTS 46): `bücher.example` is `xn--bcher-kva.example`. A
  /// domain that is ASCII already stays as it is.
  /// - Returns: nil for one that has no such form.
  static func ascii(_ domain: Substring) -> String? {
    if domain.utf8.allSatisfy({ $0 < 0x80 }) { return String(domain) }
    // What ends a host in a URL must not end it here.
    let isHost = domain.unicodeScalars.allSatisfy { scalar in
      switch scalar {
      case "a"..."z", "A"..."Z", "0"..."9", "-", ".": true
      default: !scalar.isASCII
      }
    }
    let scheme = "http://"
    guard isHost, let url = URL(string: scheme + domain)?.absoluteString, url.hasPrefix(scheme) else { return nil }
    return String(url.dropFirst(scheme.count))
  }
}
