/// `application/x-www-form-urlencoded` text (WHATWG URL, section 5): bodies of forms and queries of URLs.
public enum FormEncoding {
  /// The value of the `Content-Type` header of such a body.
  public static let contentType = "application/x-www-form-urlencoded"

  /// The pairs as text, in order: `a=1&b%5Bc%5D=2`. Names are encoded like values.
  public static func encode(_ pairs: [(String, String)], space: PercentEncoding.Space = .plus) -> String {
    String(decoding: bytes(pairs, space: space), as: UTF8.self)
  }

  /// The pairs as the bytes of a body.
  public static func bytes(_ pairs: [(String, String)], space: PercentEncoding.Space = .plus) -> [UInt8] {
    var bytes: [UInt8] = []
    for (index, pair) in pairs.enumerated() {
      if index > 0 { bytes.append(UInt8(ascii: "&")) }
      PercentEncoding.append(pair.0, space: space, to: &bytes)
      bytes.append(UInt8(ascii: "="))
      PercentEncoding.append(pair.1, space: space, to: &bytes)
    }
    return bytes
  }

  /// The pairs of such a text, in order; a name without `=` has an empty value. `nil` when the encoding is broken.
  public static func decode(_ text: some StringProtocol) -> [(String, String)]? {
    var pairs: [(String, String)] = []
    for part in text.split(separator: "&") {
      let halves = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard let name = PercentEncoding.decode(halves[0], space: .plus) else { return nil }
      guard let value = halves.count == 2 ? PercentEncoding.decode(halves[1], space: .plus) : "" else { return nil }
      pairs.append((name, value))
    }
    return pairs
  }
}

/// Builds URLs from parts that come from elsewhere, so that no value can change the URL's shape.
public enum URLBuilder {
  /// `base` with each segment appended behind a `/` and encoded, then the query, if there is one. A `/` or `?` inside a
  /// segment is data. So is a segment of one or two dots: it is encoded, and `HTTPTransport` sends paths as they are.
  ///
  /// - Parameter base: an absolute URL without query; one trailing `/` is ignored.
  public static func url(_ base: String, path segments: [String] = [], query: [(String, String)] = []) -> String {
    var url = segments.isEmpty || !base.hasSuffix("/") ? base : String(base.dropLast())
    for segment in segments {
      let isDots = segment == "." || segment == ".."
      url += "/" + (isDots ? String(repeating: "%2E", count: segment.count) : PercentEncoding.encode(segment))
    }
    return adding(query: query, to: url)
  }

  /// `url` with the pairs added to its query, before a fragment. Spaces are written as `%20`.
  public static func adding(query: [(String, String)], to url: String) -> String {
    guard !query.isEmpty else { return url }
    let halves = url.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
    let address = halves[0]
    let separator = address.contains("?") ? (address.hasSuffix("?") || address.hasSuffix("&") ? "" : "&") : "?"
    let fragment = halves.count == 2 ? "#" + halves[1] : ""
    return address + separator + FormEncoding.encode(query, space: .percent) + fragment
  }
}
