/// Builds a response from header lines and pieces of body, within limits. A plain value: libcurl's callbacks feed it.
struct ResponseCollector {
  let maximumBodyBytes: Int
  let maximumHeaderBytes: Int
  /// The limit that the answer exceeded, if it did.
  private(set) var exceededLimit: Int?

  private var status: Int?
  private var headers = HTTPHeaderList()
  private var headerBytes = 0
  private var headerIsComplete = false
  private var body: [UInt8] = []

  init(maximumBodyBytes: Int, maximumHeaderBytes: Int) {
    self.maximumBodyBytes = maximumBodyBytes
    self.maximumHeaderBytes = maximumHeaderBytes
  }

  /// Reads one line of a header, including its line end: a status line, a field, the empty line, or a trailer.
  /// - Returns: `false` to give the transfer up.
  mutating func takeHeaderLine(_ line: UnsafeRawBufferPointer) -> Bool {
    headerBytes += line.count
    guard headerBytes <= maximumHeaderBytes else {
      exceededLimit = maximumHeaderBytes
      return false
    }
    let text = Self.trimmed(line[...])
    if text.starts(with: "HTTP/".utf8), status == nil || isInformational, let newStatus = Self.status(of: text) {
      // After a 1xx answer the final answer starts again.
      status = newStatus
      headers = []
      headerIsComplete = false
    } else if text.isEmpty {
      headerIsComplete = true
    } else if !headerIsComplete, let colon = text.firstIndex(of: UInt8(ascii: ":")) {
      let value = String(decoding: Self.trimmed(text[(colon + 1)...]), as: UTF8.self)
      let name = String(decoding: text[..<colon], as: UTF8.self)
      headers.append(name: name, value: value)
      if asciiCaseInsensitiveEqual(name, "Content-Length"), let length = Int(value), length >= 0 {
        body.reserveCapacity(min(length, maximumBodyBytes, 1_048_576))
      }
    }
    return true
  }

  /// Takes a piece of the body.
  /// - Returns: `false` to give the transfer up.
  mutating func takeBody(_ chunk: UnsafeRawBufferPointer) -> Bool {
    guard chunk.count <= maximumBodyBytes - body.count else {
      exceededLimit = maximumBodyBytes
      return false
    }
    body.append(contentsOf: chunk)
    return true
  }

  /// The response; `nil` when no final status line came.
  func response(version: HTTPProtocolVersion) -> HTTPTransportResponse? {
    guard let status, !isInformational else { return nil }
    return HTTPTransportResponse(status: status, headers: headers, body: body, httpVersion: version)
  }

  private var isInformational: Bool { status.map { $0 < 200 } ?? false }

  /// `HTTP/1.1 200 OK`, `HTTP/2 200`.
  private static func status(of line: Slice<UnsafeRawBufferPointer>) -> Int? {
    let words = line.split(separator: UInt8(ascii: " "), maxSplits: 2)
    guard words.count >= 2, words[1].count == 3 else { return nil }
    return Int(String(decoding: words[1], as: UTF8.self))
  }

  private static func trimmed(_ bytes: Slice<UnsafeRawBufferPointer>) -> Slice<UnsafeRawBufferPointer> {
    func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0D || byte == 0x0A }
    guard let first = bytes.firstIndex(where: { !isSpace($0) }), let last = bytes.lastIndex(where: { !isSpace($0) })
    else { return bytes[bytes.endIndex...] }
    return bytes[first...last]
  }
}
