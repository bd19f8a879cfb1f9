/// The complete answer of a server.
public struct HTTPTransportResponse: Sendable {
  /// The status code, for example 200. Informational (1xx) answers are skipped.
  public var status: Int
  /// The header fields of the final answer. Trailers are not kept.
  public var headers: HTTPHeaderList
  /// The body as sent: no content coding is asked for and none is undone.
  public var body: [UInt8]
  /// The protocol version that carried the answer.
  public var httpVersion: HTTPProtocolVersion

  /// An answer; also what a fake `HTTPSending` returns in a test.
  public init(
    status: Int,
    headers: HTTPHeaderList = [],
    body: [UInt8] = [],
    httpVersion: HTTPProtocolVersion = .http11
  ) {
    self.status = status
    self.headers = headers
    self.body = body
    self.httpVersion = httpVersion
  }

  /// Whether the status is one of 200 to 299.
  public var isSuccess: Bool { (200..<300).contains(status) }

  /// The body as text; bytes that are not UTF-8 become U+FFFD.
  public var text: String { String(decoding: body, as: UTF8.self) }
}

/// The version of HTTP that an answer came with.
public enum HTTPProtocolVersion: String, Sendable, Hashable {
  case http10 = "1.0"
  case http11 = "1.1"
  case http2 = "2"
  case http3 = "3"
}

/// Header fields in the order they came. Names compare without regard to (ASCII) case, RFC 9110 section 5.1.
public struct HTTPHeaderList: Sendable, RandomAccessCollection, ExpressibleByArrayLiteral {
  /// One field: its name as sent, and its value without surrounding white space.
  public typealias Element = (name: String, value: String)

  private var fields: [Element]

  /// A list of the given fields.
  public init(_ fields: [(String, String)] = []) {
    self.fields = fields.map { (name: $0.0, value: $0.1) }
  }

  public init(arrayLiteral elements: Element...) {
    fields = elements
  }

  /// The value of the first field of this name.
  public subscript(name: String) -> String? {
    fields.first { asciiCaseInsensitiveEqual($0.name, name) }?.value
  }

  /// The values of all fields of this name, in order.
  public func all(_ name: String) -> [String] {
    fields.filter { asciiCaseInsensitiveEqual($0.name, name) }.map(\.value)
  }

  /// Adds a field at the end.
  public mutating func append(name: String, value: String) {
    fields.append((name: name, value: value))
  }

  public var startIndex: Int { fields.startIndex }
  public var endIndex: Int { fields.endIndex }
  public subscript(position: Int) -> Element { fields[position] }
}

/// ASCII letters compare without case, every other byte exactly.
func asciiCaseInsensitiveEqual(_ a: String, _ b: String) -> Bool {
  a.utf8.count == b.utf8.count && zip(a.utf8, b.utf8).allSatisfy { asciiLowercased($0) == asciiLowercased($1) }
}

private func asciiLowercased(_ byte: UInt8) -> UInt8 {
  (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
}
