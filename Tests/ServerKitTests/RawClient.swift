import Dispatch
import Foundation
import JSON
import ServerKit

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A client that writes bytes and reads bytes: what it sees is what is on the wire.
final class RawConnection: Sendable {
  struct Closed: Error {}

  /// One answer as it came.
  struct Answer: Sendable {
    let status: Int
    let headers: [(name: String, value: String)]
    let body: [UInt8]

    func header(_ name: String) -> String? { headers.first { $0.name.lowercased() == name.lowercased() }?.value }
    func headers(_ name: String) -> [String] {
      headers.filter { $0.name.lowercased() == name.lowercased() }.map(\.value)
    }
    var text: String { String(decoding: body, as: UTF8.self) }
    func json() throws -> JSONValue { try JSONValue(parsing: body) }
  }

  private let socket: Int32
  private let queue = DispatchQueue(label: "raw-connection")

  init(_ address: ServerAddress) throws {
    socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var timeout = timeval(tv_sec: 20, tv_usec: 0)
    setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    var target = sockaddr_in()
    target.sin_family = sa_family_t(AF_INET)
    target.sin_port = in_port_t(UInt16(address.port).bigEndian)
    target.sin_addr.s_addr = inet_addr(address.host)
    let result = withUnsafePointer(to: &target) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard result == 0 else { throw Closed() }
  }

  deinit { Glibc.close(socket) }

  /// Sends a request and reads its answer.
  func send(
    _ method: String, _ target: String, headers: [(String, String)] = [], body: String? = nil
  ) async throws -> Answer {
    var text = "\(method) \(target) HTTP/1.1\r\nHost: test\r\n"
    for (name, value) in headers { text += "\(name): \(value)\r\n" }
    if let body { text += "Content-Length: \(body.utf8.count)\r\n" }
    text += "\r\n" + (body ?? "")
    return try await exchange(text, isHead: method == "HEAD")
  }

  func exchange(_ text: String, isHead: Bool = false) async throws -> Answer {
    try await onQueue {
      try self.write(Array(text.utf8))
      return try self.read(isHead: isHead)
    }
  }

  /// Sends bytes and waits for no answer.
  ///
  /// - Parameter inTurn: after what was begun before; false beside an answer that is being waited for.
  func write(_ text: String, inTurn: Bool = true) async throws {
    guard inTurn else { return try write(Array(text.utf8)) }
    try await onQueue { try self.write(Array(text.utf8)) }
  }

  /// The next answer, without a body where it has none.
  func answer() async throws -> Answer { try await onQueue { try self.read(isHead: false) } }

  /// Everything until the server closes its side; nil when it does not.
  func everything() async throws -> String? {
    try await onQueue {
      var bytes: [UInt8] = []
      var buffer = [UInt8](repeating: 0, count: 16 * 1024)
      while true {
        let count = recv(self.socket, &buffer, buffer.count, 0)
        guard count >= 0 else { return nil }
        if count == 0 { return String(decoding: bytes, as: UTF8.self) }
        bytes += buffer[..<count]
      }
    }
  }

  /// The blocking calls are on a queue of their own.
  private func onQueue<T: Sendable>(_ work: @escaping @Sendable () throws -> T) async throws -> T {
    try await withCheckedThrowingContinuation { continuation in
      queue.async { continuation.resume(with: Result(catching: work)) }
    }
  }

  private func write(_ bytes: [UInt8]) throws {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
      guard count > 0 else { throw Closed() }
      rest = rest.dropFirst(count)
    }
  }

  private func read(isHead: Bool) throws -> Answer {
    var received: [UInt8] = []
    var end: Int?
    while end == nil {
      received += try readSome()
      end = received.indices.dropLast(3).first { Array(received[$0..<$0 + 4]) == [13, 10, 13, 10] }
    }
    let lines = String(decoding: received[..<end!], as: UTF8.self).components(separatedBy: "\r\n")
    let headers = lines.dropFirst().map { line in
      let parts = line.split(separator: ":", maxSplits: 1)
      return (name: String(parts[0]), value: parts[1].trimmingCharacters(in: .whitespaces))
    }
    var body = Array(received[(end! + 4)...])
    let length = headers.first { $0.name.lowercased() == "content-length" }.flatMap { Int($0.value) } ?? 0
    while !isHead, body.count < length { body += try readSome() }
    let status = Int(lines[0].split(separator: " ")[1])!
    return Answer(status: status, headers: headers, body: body)
  }

  private func readSome() throws -> [UInt8] {
    var buffer = [UInt8](repeating: 0, count: 16 * 1024)
    let count = recv(socket, &buffer, buffer.count, 0)
    guard count > 0 else { throw Closed() }
    return Array(buffer[..<count])
  }
}

extension ServerAddress {
  /// One request on a connection of its own.
  func send(
    _ method: String, _ target: String, headers: [(String, String)] = [], body: String? = nil
  ) async throws -> RawConnection.Answer {
    try await RawConnection(self).send(method, target, headers: headers, body: body)
  }
}

extension JSONValue {
  subscript(path keys: String...) -> JSONValue? {
    var value: JSONValue? = self
    for key in keys { value = value?[key] }
    return value
  }
}
