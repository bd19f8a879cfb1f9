import Foundation
import Synchronization

/// A mail server that says what a test wants it to say, and remembers what it was told.
final class ScriptedSMTPServer: Sendable {
  /// What to answer instead of the usual; nil for the usual. An answer of "" closes the connection.
  typealias Script = @Sendable (_ command: String) -> String?

  struct Message: Sendable, Hashable {
    var from: String
    var to: [String]
    /// With dots as they came over the wire.
    var lines: [String]
  }

  let port: Int
  private let listener: Int32
  private let taken = Mutex<[Message]>([])
  private let commands = Mutex<[String]>([])

  var messages: [Message] { taken.withLock { $0 } }
  var heard: [String] { commands.withLock { $0 } }

  init(extensions: [String] = ["8BITMIME"], _ script: @escaping Script = { _ in nil }) throws {
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let failed = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, length) != 0 || listen(listener, 64) != 0 || getsockname(listener, $0, &length) != 0
      }
    }
    guard listener >= 0, !failed else { throw POSIXError(.EADDRINUSE) }
    self.listener = listener
    port = Int(UInt16(bigEndian: address.sin_port))
    Thread.detachNewThread { [weak self] in
      while true {
        let descriptor = accept(listener, nil, nil)
        guard descriptor >= 0 else {
          close(listener)
          return
        }
        guard let self else {
          close(descriptor)
          continue
        }
        Thread.detachNewThread {
          self.serve(RawServer.Connection(descriptor: descriptor), extensions, script)
          close(descriptor)
        }
      }
    }
  }

  deinit { shutdown(listener, Int32(SHUT_RDWR)) }

  private func serve(_ connection: RawServer.Connection, _ extensions: [String], _ script: Script) {
    var bytes: [UInt8] = []
    func line() -> String? {
      while true {
        if let end = bytes.firstRange(of: [0x0D, 0x0A]) {
          defer { bytes.removeFirst(end.upperBound) }
          return String(decoding: bytes[..<end.lowerBound], as: UTF8.self)
        }
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = recv(connection.descriptor, &buffer, buffer.count, 0)
        guard count > 0 else { return nil }
        bytes += buffer[..<count]
      }
    }
    func say(_ command: String, _ usual: String) -> Bool {
      let text = script(command) ?? usual
      guard !text.isEmpty else { return false }
      connection.write(text + "\r\n")
      return true
    }
    guard say("CONNECT", "220 test") else { return }
    var message = Message(from: "", to: [], lines: [])
    while let command = line() {
      commands.withLock { $0.append(command) }
      let verb = command.prefix { $0 != " " && $0 != ":" }.uppercased()
      switch verb {
      case "EHLO":
        let lines = ["test"] + extensions
        let usual = lines.enumerated().map { "250\($0.offset == lines.count - 1 ? " " : "-")\($0.element)" }
        guard say(command, usual.joined(separator: "\r\n")) else { return }
      case "MAIL":
        message = Message(from: command, to: [], lines: [])
        guard say(command, "250 ok") else { return }
      case "RCPT":
        message.to.append(command)
        guard say(command, "250 ok") else { return }
      case "DATA":
        let answer = script(command) ?? "354 go on"
        connection.write(answer + "\r\n")
        guard answer.hasPrefix("354") else { continue }
        while let next = line(), next != "." {
          message.lines.append(next)
          if script("LINE") == "" { return }
        }
        let end = script("END") ?? "250 taken"
        if end.hasPrefix("250") { taken.withLock { $0.append(message) } }
        guard !end.isEmpty else { return }
        connection.write(end + "\r\n")
      case "QUIT":
        _ = say(command, "221 bye")
        return
      default: guard say(command, "250 ok") else { return }
      }
    }
  }
}
