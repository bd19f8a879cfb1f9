import Foundation

/// A Redis server of its own on a Unix socket, which a test may stop, kill and start again.
final class PrivateServer {
  let folder: URL
  private var process = Process()

  var url: String { "unix://\(socket)" }
  private var socket: String { folder.appendingPathComponent("s").path }

  static let executable = ["/usr/bin/redis-server", "/usr/local/bin/redis-server", "/opt/homebrew/bin/redis-server"]
    .first { FileManager.default.isExecutableFile(atPath: $0) }

  /// Does not start it yet.
  init() throws {
    folder = FileManager.default.temporaryDirectory.appendingPathComponent("r-\(UUID().uuidString.prefix(8))")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  }

  /// Returns when it is ready.
  func start(_ more: [String] = []) throws {
    process = Process()
    process.executableURL = URL(fileURLWithPath: Self.executable ?? "")
    process.arguments = ["--port", "0", "--unixsocket", socket, "--save", "", "--dir", folder.path] + more
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    var text = ""
    while !text.contains("eady to accept connections") {
      let data = output.fileHandleForReading.availableData
      guard !data.isEmpty else { throw CocoaError(.executableLoad) }
      text += String(decoding: data, as: UTF8.self)
    }
  }

  /// Tells the server something beside the client under test.
  func command(_ words: String...) throws {
    let cli = Process()
    cli.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    cli.arguments = ["redis-cli", "-s", socket] + words
    cli.standardOutput = Pipe()
    try cli.run()
    cli.waitUntilExit()
    guard cli.terminationStatus == 0 else { throw CocoaError(.executableLoad) }
  }

  func send(signal: Int32) { kill(process.processIdentifier, signal) }

  func killNow() {
    send(signal: SIGKILL)
    process.waitUntilExit()
  }

  deinit {
    if process.isRunning { killNow() }
    try? FileManager.default.removeItem(at: folder)
  }
}
