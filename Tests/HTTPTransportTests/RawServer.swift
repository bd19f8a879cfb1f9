import Foundation
import Synchronization

/// A small HTTP/1.1 server on raw sockets, with a thread per connection, so that a test decides on every byte and
/// counts every connection. Ends when released.
final class RawServer: Sendable {
  struct Request: Sendable {
    var head: String
    var body: [UInt8]
    var path: String { head.split(separator: " ").dropFirst().first.map(String.init) ?? "" }

    func header(_ name: String) -> String? {
      head.split(separator: "\r\n").dropFirst().compactMap { line -> String? in
        let halves = line.split(separator: ":", maxSplits: 1)
        guard halves.count == 2, halves[0].lowercased() == name.lowercased() else { return nil }
        return halves[1].trimmingCharacters(in: .whitespaces)
      }.first
    }
  }

  struct Connection: Sendable {
    let descriptor: Int32

    func write(_ text: String) { write(Array(text.utf8)) }

    func write(_ bytes: [UInt8]) {
      var rest = bytes[...]
      while !rest.isEmpty {
        let written = rest.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        guard written > 0 else { return }
        rest = rest.dropFirst(written)
      }
    }

    func answer(_ status: String = "200 OK", headers: [String] = [], body: [UInt8] = []) {
      let lines = ["HTTP/1.1 \(status)", "Content-Length: \(body.count)"] + headers
      write(Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8) + body)
    }

    /// Returns when the client has closed its side.
    func waitForClose() {
      var buffer = [UInt8](repeating: 0, count: 1024)
      while recv(descriptor, &buffer, buffer.count, 0) > 0 {}
    }
  }

  typealias Handler = @Sendable (Request, Connection) -> Void

  let port: Int
  private let listener: Int32
  private let counts: Counts

  private final class Counts: Sendable {
    let accepted = Atomic(0)
    let requests = Atomic(0)
  }

  /// How many connections came.
  var accepted: Int { counts.accepted.load(ordering: .relaxed) }
  /// How many complete requests came.
  var requests: Int { counts.requests.load(ordering: .relaxed) }

  func url(_ path: String = "/") -> String { "http://127.0.0.1:\(port)\(path)" }

  init(_ handler: @escaping Handler) throws {
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let failed = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, length) != 0 || listen(listener, 1024) != 0 || getsockname(listener, $0, &length) != 0
      }
    }
    guard listener >= 0, !failed else { throw POSIXError(.EADDRINUSE) }
    self.listener = listener
    port = Int(UInt16(bigEndian: address.sin_port))
    let counts = Counts()
    self.counts = counts
    Thread.detachNewThread {
      while true {
        let descriptor = accept(listener, nil, nil)
        guard descriptor >= 0 else {
          // Closed by the thread that uses it: the number may belong to another server a moment later.
          close(listener)
          return
        }
        counts.accepted.add(1, ordering: .relaxed)
        Thread.detachNewThread {
          Self.serve(Connection(descriptor: descriptor), counts, handler)
          close(descriptor)
        }
      }
    }
  }

  /// From here on connections are refused.
  deinit { shutdown(listener, Int32(SHUT_RDWR)) }

  private static func serve(_ connection: Connection, _ counts: Counts, _ handler: Handler) {
    var bytes: [UInt8] = []
    while let request = nextRequest(connection, &bytes) {
      counts.requests.add(1, ordering: .relaxed)
      handler(request, connection)
    }
  }

  private static func nextRequest(_ connection: Connection, _ bytes: inout [UInt8]) -> Request? {
    func more() -> Bool {
      var buffer = [UInt8](repeating: 0, count: 65_536)
      let count = recv(connection.descriptor, &buffer, buffer.count, 0)
      guard count > 0 else { return false }
      bytes += buffer[..<count]
      return true
    }
    var end = bytes.firstRange(of: Array("\r\n\r\n".utf8))
    while end == nil {
      guard more() else { return nil }
      end = bytes.firstRange(of: Array("\r\n\r\n".utf8))
    }
    guard let end else { return nil }
    var request = Request(head: String(decoding: bytes[..<end.lowerBound], as: UTF8.self), body: [])
    bytes.removeFirst(end.upperBound)
    let length = request.header("Content-Length").flatMap { Int($0) } ?? 0
    while bytes.count < length { guard more() else { return nil } }
    request.body = Array(bytes.prefix(length))
    bytes.removeFirst(length)
    return request
  }
}
