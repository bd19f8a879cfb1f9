internal import CCurl

/// The server that accepts mail from this program and forwards it.
public struct MailRelay: Sendable {
  /// How the connection to the relay is encrypted.
  public enum Encryption: String, Sendable, Hashable, CaseIterable {
    /// TLS from the first byte (`smtps`), or after STARTTLS; a relay that offers neither is not used.
    case required
    /// None. Only for a relay on this machine.
    case off
  }

  /// `smtp` or `smtps`, host and port.
  let url: String
  let isTLSFromStart: Bool
  public let encryption: Encryption
  let user: String?
  let password: String?
  /// A PEM file of the certificate authorities to trust instead of the system's.
  public let certificateAuthorityFile: String?

  /// Reads `smtp://user:password@host:port` or `smtps://…`; user and password percent-encoded, the port 587 or 465 when it
  /// is left out.
  ///
  /// - Parameter encryption: nil for required, but off for `smtp` to this machine itself.
  /// - Returns: nil when it is not such a URL, has a path or query, or asks for no encryption to another machine.
  public init?(url text: String, encryption: Encryption? = nil, certificateAuthorityFile: String? = nil) {
    guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }), let parser = curl_url() else { return nil }
    defer { curl_url_cleanup(parser) }
    func part(_ part: CURLUPart, _ flags: Int32 = 0) -> String? {
      var value: UnsafeMutablePointer<CChar>?
      guard curl_url_get(parser, part, &value, UInt32(flags)) == CURLUE_OK, let value else { return nil }
      defer { curl_free(value) }
      return String(cString: value)
    }
    guard curl_url_set(parser, CURLUPART_URL, text, UInt32(CURLU_NON_SUPPORT_SCHEME)) == CURLUE_OK,
      let scheme = part(CURLUPART_SCHEME), scheme == "smtp" || scheme == "smtps",
      let host = part(CURLUPART_HOST), !host.isEmpty, part(CURLUPART_QUERY) == nil, part(CURLUPART_FRAGMENT) == nil,
      part(CURLUPART_PATH) ?? "/" == "/"
    else { return nil }
    isTLSFromStart = scheme == "smtps"
    let port = part(CURLUPART_PORT) ?? (isTLSFromStart ? "465" : "587")
    self.encryption = encryption ?? (RequestCheck.isLoopback(host) && !isTLSFromStart ? .off : .required)
    guard self.encryption == .required || (RequestCheck.isLoopback(host) && !isTLSFromStart) else { return nil }
    url = "\(scheme)://\(host):\(port)"
    user = part(CURLUPART_USER, CURLU_URLDECODE)
    password = part(CURLUPART_PASSWORD, CURLU_URLDECODE)
    self.certificateAuthorityFile = certificateAuthorityFile
  }
}

extension MailRelay: CustomStringConvertible, CustomReflectable {
  /// Without user and password.
  public var description: String { "MailRelay(\(url))" }
  public var customMirror: Mirror { Mirror(self, children: ["url": url]) }
}
