internal import CCurl

/// The conditions that a request must meet before it is sent. They are checked in the caller's task, so a refused request
/// causes no traffic.
enum RequestCheck {
  /// The parts of a checked URL that the transfer needs.
  struct Target: Sendable {
    let isTLS: Bool
  }

  static func check(
    _ request: HTTPTransportRequest, allowsPlainHTTP: Bool
  ) throws(HTTPTransportError) -> Target {
    guard isToken(request.method) else { throw .invalidRequest("the method is not a token") }
    guard request.method != "CONNECT", request.method != "TRACE" else {
      throw .invalidRequest("the method is not supported")
    }
    guard request.method != "HEAD" || request.body == nil else {
      throw .invalidRequest("a HEAD request has no body")
    }
    for (name, value) in request.headers { try checkField(name, value) }
    guard request.maximumResponseBytes >= 0 else { throw .invalidRequest("the response limit is negative") }
    return try target(of: request.url, allowsPlainHTTP: allowsPlainHTTP)
  }

  /// RFC 9110 section 5: names are tokens; values hold neither line ends nor zeros, which would let a value add
  /// fields or requests of its own. No control character but the tab is accepted.
  private static func checkField(_ name: String, _ value: String) throws(HTTPTransportError) {
    guard isToken(name) else { throw .invalidRequest("a header name is not a token") }
    guard value.utf8.allSatisfy({ ($0 >= 0x20 && $0 != 0x7F) || $0 == 0x09 }) else {
      throw .invalidRequest("the value of header \(name) holds a control character")
    }
    for reserved in ["Content-Length", "Transfer-Encoding", "Connection", "Expect"]
    where asciiCaseInsensitiveEqual(name, reserved) {
      throw .invalidRequest("the header \(name) is set by the transport")
    }
  }

  /// Reads the URL with libcurl's own parser, so that exactly what will be connected to is checked.
  private static func target(of url: String, allowsPlainHTTP: Bool) throws(HTTPTransportError) -> Target {
    // Visible ASCII only: no zero that would cut the C string, no space or line end that could split the request line.
    guard url.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
      throw .invalidRequest("the URL holds a character that must be percent-encoded")
    }
    guard let parser = curl_url() else { throw .invalidRequest("the URL could not be read") }
    defer { curl_url_cleanup(parser) }
    guard curl_url_set(parser, CURLUPART_URL, url, UInt32(CURLU_NON_SUPPORT_SCHEME)) == CURLUE_OK,
      let scheme = part(CURLUPART_SCHEME, of: parser), let host = part(CURLUPART_HOST, of: parser), !host.isEmpty
    else { throw .invalidRequest("the URL is not an absolute URL") }
    guard part(CURLUPART_USER, of: parser) == nil, part(CURLUPART_PASSWORD, of: parser) == nil else {
      throw .invalidRequest("the URL holds credentials")
    }
    switch scheme {
    case "https": return Target(isTLS: true)
    case "http":
      guard allowsPlainHTTP || isLoopback(host) else {
        throw .invalidRequest("plain http is allowed only to this machine; use https")
      }
      return Target(isTLS: false)
    default: throw .invalidRequest("the scheme of the URL is neither https nor http")
    }
  }

  static func part(_ part: CURLUPart, of parser: OpaquePointer, flags: UInt32 = 0) -> String? {
    var text: UnsafeMutablePointer<CChar>?
    guard curl_url_get(parser, part, &text, flags) == CURLUE_OK, let text else { return nil }
    defer { curl_free(text) }
    return String(cString: text)
  }

  /// 127.0.0.0/8 (RFC 1122 section 3.2.1.3), `::1`, and `localhost`, which libcurl never asks a name server about.
  /// libcurl's parser has already turned other ways of writing an IPv4 address into four decimal numbers.
  static func isLoopback(_ host: String) -> Bool {
    if host == "[::1]" || asciiCaseInsensitiveEqual(host, "localhost") { return true }
    let numbers = host.split(separator: ".", omittingEmptySubsequences: false)
    return numbers.count == 4 && numbers[0] == "127"
      && numbers.allSatisfy { $0.utf8.allSatisfy { (0x30...0x39).contains($0) } && UInt8($0) != nil }
  }

  /// RFC 9110 section 5.6.2.
  private static func isToken(_ text: String) -> Bool {
    !text.isEmpty
      && text.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"):
          true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
      }
  }
}
