import Foundation
import JSON
import Logging
import ServiceLifecycle

/// The file that keeps the state.
struct SnapshotFile: Sendable {
  let path: String

  /// Nil when there is no file yet.
  func read() throws -> Fields? {
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    let bytes = try Data(contentsOf: URL(fileURLWithPath: path))
    return try JSONValue(parsing: [UInt8](bytes)).asObject
  }

  /// Replaces the file in one step, so that a crash leaves the old or the new one.
  func write(_ bytes: [UInt8]) throws {
    try Data(bytes).write(to: URL(fileURLWithPath: path), options: .atomic)
  }
}

/// Writes the state a second after it changed, and once more at the end.
struct SnapshotWriter: Service {
  let simulator: Simulator
  let file: SnapshotFile
  let logger: Logger

  func run() async throws {
    // A large world takes longer to write, so it is written less often: never more than a tenth of the time.
    await cancelWhenGracefulShutdown {
      var last: UInt64?
      while !Task.isCancelled {
        let start = ContinuousClock.now
        last = await save(after: last)
        let spent = ContinuousClock.now - start
        do { try await Task.sleep(for: max(.seconds(1), spent * 10)) } catch { return }
      }
    }
    _ = await save(after: nil)
  }

  private func save(after last: UInt64?) async -> UInt64 {
    let count = await simulator.changeCount
    guard count != last else { return count }
    let state = await simulator.read { Snapshot.fields(of: $0) }
    do {
      try file.write(JSONValue.object(state).encoded())
    } catch {
      logger.error("The state could not be written", metadata: ["error": "\(error)"])
    }
    return count
  }
}
