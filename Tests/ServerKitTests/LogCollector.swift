import Logging
import ServerKit
import Synchronization

/// A logger whose lines a test can read.
final class LogCollector: Sendable {
  private let lines = Mutex<[String]>([])

  var text: String { lines.withLock { $0.joined() } }
  var all: [String] { lines.withLock { $0 } }

  func logger(_ format: LogFormat = .json, level: Logger.Level = .info) -> Logger {
    Logger(label: "test") { label in
      LineLogHandler(label: label, level: level, format: format) { line in
        self.lines.withLock { $0.append(line) }
      }
    }
  }
}
