internal import CCurl
import Networks

/// The server that a URL leads to, in one spelling, and parsed as the transport parses it. Two URLs of one server are equal
/// here, whatever their scheme, path, case and spelling of an address. All names and addresses of this machine are equal.
public struct HTTPOrigin: Hashable, Sendable {
  /// In lower-case letters, without a full stop at the end; an address in its usual form, without brackets.
  public let host: String
  /// The scheme's default if the URL names none.
  public let port: Int

  /// - Returns: nil for what is not an absolute URL of HTTP.
  public init?(_ url: String) {
    var text = url[...]
    while let first = text.first, first.isWhitespace { text.removeFirst() }
    while let last = text.last, last.isWhitespace { text.removeLast() }
    guard let parser = curl_url() else { return nil }
    defer { curl_url_cleanup(parser) }
    guard !text.utf8.contains(0), curl_url_set(parser, CURLUPART_URL, String(text), 0) == CURLUE_OK,
      let scheme = RequestCheck.part(CURLUPART_SCHEME, of: parser), scheme == "https" || scheme == "http",
      let name = RequestCheck.part(CURLUPART_HOST, of: parser, flags: UInt32(CURLU_URLDECODE)),
      let port = RequestCheck.part(CURLUPART_PORT, of: parser, flags: UInt32(CURLU_DEFAULT_PORT)).flatMap({ Int($0) })
    else { return nil }
    var host = name.lowercased()[...]
    while host.hasSuffix(".") { host.removeLast() }
    guard !host.isEmpty else { return nil }
    self.host = IPAddress(String(host))?.description ?? String(host)
    self.port = port
  }

  public static func == (left: HTTPOrigin, right: HTTPOrigin) -> Bool {
    left.port == right.port && left.machine == right.machine
  }

  public func hash(into hasher: inout Hasher) {
    hasher.combine(port)
    hasher.combine(machine)
  }

  /// Whether it is the machine that this program runs on, as far as that is known without a name server.
  public var isThisMachine: Bool {
    guard let address = IPAddress(host) else { return host == "localhost" || host.hasSuffix(".localhost") }
    let bytes = (address.embeddedIPv4 ?? address).bytes
    // 0.0.0.0 and :: lead here too.
    if bytes.count == 4 { return bytes[0] == 127 || bytes.allSatisfy { $0 == 0 } }
    return bytes.dropLast().allSatisfy { $0 == 0 } && bytes[15] <= 1
  }

  private var machine: String {
    if isThisMachine { return "localhost" }
    return IPAddress(host).map { ($0.embeddedIPv4 ?? $0).description } ?? host
  }
}
