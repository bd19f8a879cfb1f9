import Foundation
import HTTPTransport
import Testing

/// `openssl s_server` with a certificate made for the test.
private final class TLSServer {
  let folder: URL
  let port: Int
  private let process = Process()

  var certificate: String { folder.appendingPathComponent("cert.pem").path }

  init() throws {
    folder = FileManager.default.temporaryDirectory.appendingPathComponent("tls-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let request = Process()
    request.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
    request.arguments = [
      "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
      "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
      "-keyout", folder.appendingPathComponent("key.pem").path, "-out", folder.appendingPathComponent("cert.pem").path,
    ]
    request.standardError = FileHandle.nullDevice
    try request.run()
    request.waitUntilExit()

    let output = Pipe()
    process.executableURL = request.executableURL
    process.arguments = [
      "s_server", "-www", "-accept", "127.0.0.1:0", "-cert", folder.appendingPathComponent("cert.pem").path,
      "-key", folder.appendingPathComponent("key.pem").path,
    ]
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    process.standardInput = Pipe()
    try process.run()
    var text = ""
    while !text.contains("ACCEPT"), case let data = output.fileHandleForReading.availableData, !data.isEmpty {
      text += String(decoding: data, as: UTF8.self)
      while text.contains("ACCEPT"), !(text.split(separator: "ACCEPT").last ?? "").contains("\n"),
        case let data = output.fileHandleForReading.availableData, !data.isEmpty
      {
        text += String(decoding: data, as: UTF8.self)
      }
    }
    let digits = text.split(whereSeparator: \.isNewline).first { $0.hasPrefix("ACCEPT") }?
      .split(separator: ":").last.map { $0.prefix(while: \.isNumber) }
    port = digits.flatMap { Int($0) } ?? 0
  }

  deinit {
    process.terminate()
    try? FileManager.default.removeItem(at: folder)
  }
}

@Suite("TLS", .enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/openssl")))
struct TLSTests {
  @Test("Only a trusted certificate with the right name is spoken to, and nothing is sent before")
  func trust() async throws {
    let server = try TLSServer()
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
}
