// The framework alone, with one route that answers nothing: what a load test compares with. Writes its port to the file named
// by PORT_FILE.
import Foundation
import Hummingbird
import NIOCore

let portFile = ProcessInfo.processInfo.environment["PORT_FILE"] ?? "/dev/stdout"
let router = Router()
router.post("/") { _, _ in HTTPResponse.Status.ok }
let application = Application(
  router: router, configuration: .init(address: .hostname("127.0.0.1", port: 0)),
  onServerRunning: { channel in
    try? "\(channel.localAddress?.port ?? 0)\n".write(toFile: portFile, atomically: true, encoding: .utf8)
  })
try await application.runService()
