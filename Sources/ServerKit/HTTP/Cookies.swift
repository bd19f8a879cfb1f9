import HTTPTypes
public import Hummingbird

/// A cookie to be set in a browser (RFC 6265, section 4.1). Hidden from scripts, and bound to the host that sets it,
/// unless said otherwise.
public struct SetCookie: Sendable, Hashable {
  /// When a browser sends the cookie along with a request that another site started.
  public enum SameSite: String, Sendable {
    /// Never.
    case strict = "Strict"
    /// With a top-level navigation by GET, such as coming back from another site.
    case lax = "Lax"
    /// Always; browsers demand `Secure` with it.
    case none = "None"
  }

  /// A token.
  public var name: String
  /// Cookie octets only.
  public var value: String
  /// Sent with requests for this path and below.
  public var path: String
  /// Nil: until the browser is closed.
  public var maximumAge: Duration?
  /// Sent over HTTPS only. False is for development on loopback.
  public var isSecure: Bool
  /// Hidden from scripts.
  public var isHTTPOnly: Bool
  /// Whether other sites can make a browser send it.
  public var sameSite: SameSite

  /// - Precondition: the name is a token and the value has only the characters a cookie may have (no space, quote,
  ///   comma, semicolon, backslash or control character); both are chosen by the program, not by a visitor.
  public init(
    _ name: String, _ value: String, path: String = "/", maximumAge: Duration? = nil, isSecure: Bool = true,
    isHTTPOnly: Bool = true, sameSite: SameSite = .lax
  ) {
    precondition(HTTPField.Name(name) != nil, "the name of a cookie is a token")
    precondition(value.utf8.allSatisfy(Self.isCookieOctet), "the value of a cookie has only cookie octets")
    precondition(path.utf8.allSatisfy { Self.isCookieOctet($0) }, "the path of a cookie has no separators")
    self.name = name
    self.value = value
    self.path = path
    self.maximumAge = maximumAge
    self.isSecure = isSecure
    self.isHTTPOnly = isHTTPOnly
    self.sameSite = sameSite
  }

  /// A cookie that makes the browser forget the one of this name and path.
  public static func expired(_ name: String, path: String = "/", isSecure: Bool = true) -> SetCookie {
    SetCookie(name, "", path: path, maximumAge: .zero, isSecure: isSecure)
  }

  /// The value of the `Set-Cookie` header.
  public var headerValue: String {
    var text = "\(name)=\(value); Path=\(path)"
    if let maximumAge { text += "; Max-Age=\(maximumAge.components.seconds)" }
    if isHTTPOnly { text += "; HttpOnly" }
    if isSecure { text += "; Secure" }
    return text + "; SameSite=\(sameSite.rawValue)"
  }

  // RFC 6265: %x21 / %x23-2B / %x2D-3A / %x3C-5B / %x5D-7E
  private static func isCookieOctet(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x21, 0x23...0x2B, 0x2D...0x3A, 0x3C...0x5B, 0x5D...0x7E: true
    default: false
    }
  }
}

extension Response {
  /// Adds a `Set-Cookie` header; each cookie has its own.
  public mutating func set(_ cookie: SetCookie) {
    headers.append(HTTPField(name: .setCookie, value: cookie.headerValue))
  }
}

extension Request {
  /// The value of the cookie, or nil. When a name comes twice the first counts: browsers send the more specific first.
  public func cookie(_ name: String) -> String? {
    RequestCookies.value(of: name, in: headers[values: .cookie])
  }
}

enum RequestCookies {
  /// Reads `Cookie` headers (RFC 6265, section 4.2): `name=value; name="value"`.
  static func value(of name: String, in headers: [String]) -> String? {
    for header in headers {
      for pair in header.split(separator: ";") {
        guard let equals = pair.firstIndex(of: "="), pair[..<equals].trimmed == name else { continue }
        let value = pair[pair.index(after: equals)...].trimmed
        let isQuoted = value.count >= 2 && value.first == "\"" && value.last == "\""
        return isQuoted ? String(value.dropFirst().dropLast()) : value
      }
    }
    return nil
  }
}
