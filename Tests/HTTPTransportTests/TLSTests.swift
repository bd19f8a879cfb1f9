import Foundation
import HTTPTransport
import Testing

/// A program that speaks TLS with a certificate made for the test, and prints where it listens.
private final class TLSServer {
  let folder: URL
  let port: Int
  private let process = Process()

  var certificate: String { folder.appendingPathComponent("cert.pem").path }

  /// `arguments` get the paths of certificate and key; the port is the number behind the colon in what it prints.
  init(_ program: String, _ arguments: (_ certificate: String, _ key: String) -> [String]) throws {
    folder = FileManager.default.temporaryDirectory.appendingPathComponent("tls-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let key = folder.appendingPathComponent("key.pem").path
    let certificate = folder.appendingPathComponent("cert.pem").path
    let request = Process()
    request.executableURL = URL(fileURLWithPath: openssl)
    request.arguments = [
      "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
      "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate,
    ]
    request.standardError = FileHandle.nullDevice
    try request.run()
    request.waitUntilExit()

    let output = Pipe()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments(certificate, key)
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    process.standardInput = Pipe()
    try process.run()
    var text = ""
    var port: Int?
    while port == nil, case let data = output.fileHandleForReading.availableData, !data.isEmpty {
      text += String(decoding: data, as: UTF8.self)
      guard let line = text.split(separator: "ACCEPT ").last, line.contains("\n") else { continue }
      port = line.split(separator: ":").last.flatMap { Int($0.prefix(while: \.isNumber)) }
    }
    self.port = port ?? 0
  }

  deinit {
    process.terminate()
    try? FileManager.default.removeItem(at: folder)
  }
}

private let openssl = "/usr/bin/openssl"
private let node = "/usr/bin/node"

@Suite("TLS", .enabled(if: FileManager.default.isExecutableFile(atPath: openssl)))
struct TLSTests {
  @Test("Only a trusted certificate with the right name is spoken to, and nothing is sent before")
  func trust() async throws {
    let server = try TLSServer(openssl) { ["s_server", "-www", "-accept", "127.0.0.1:0", "-cert", $0, "-key", $1] }
    try #require(server.port > 0)
    let trusting = makeTransport(.init(certificateAuthorityFile: server.certificate))

    let response = try await trusting.send(.init(url: "https://localhost:\(server.port)/"))
    #expect(response.status == 200)

    for (transport, host) in [(makeTransport(), "localhost"), (trusting, "127.0.0.1")] {
      let error = await failure { () throws(HTTPTransportError) in
        try await transport.send(.init(url: "https://\(host):\(server.port)/"))
      }
      guard case .tls = error else {
        Issue.record("expected a TLS error, got \(String(describing: error))")
        continue
      }
      #expect(error?.requestMayHaveBeenSent == false)
    }
  }

  @Test(
    "Where the server offers HTTP/2, many requests at once share one connection",
    .enabled(if: FileManager.default.isExecutableFile(atPath: node)))
  func http2() async throws {
    let program = """
      let ports = new Set()
      const server = require('http2').createSecureServer({
        cert: require('fs').readFileSync(process.argv[1]), key: require('fs').readFileSync(process.argv[2])
      })
      server.on('stream', (stream) => {
        ports.add(stream.session.socket.remotePort)
        const parts = []
        stream.on('data', (part) => parts.push(part))
        stream.on('end', () => {
          stream.respond({ ':status': 200, 'x-connections': ports.size })
          stream.end(Buffer.concat(parts))
        })
      })
      server.listen(0, '127.0.0.1', () => console.log('ACCEPT 127.0.0.1:' + server.address().port))
      """
    let server = try TLSServer(node) { ["-e", program, $0, $1] }
    try #require(server.port > 0)
    let transport = makeTransport(.init(certificateAuthorityFile: server.certificate))
    let url = "https://localhost:\(server.port)/"
    let responses = try await withThrowingTaskGroup(of: HTTPTransportResponse.self) { group in
      for index in 0..<90 {
        group.addTask {
          try await transport.send(.init(method: "POST", url: url, body: [UInt8](repeating: 7, count: index * 10)))
        }
      }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(responses.allSatisfy { $0.status == 200 && $0.httpVersion == .http2 })
    #expect(Set(responses.map(\.body.count)) == Set((0..<90).map { $0 * 10 }))
    let last = try await transport.send(.init(url: url))
    // Beyond 100 streams libcurl opens further connections.
    let connections = try #require(last.headers["x-connections"].flatMap { Int($0) })
    #expect(connections == 1)
  }
}
