public import Logging
import Synchronization

/// How lines of the log look.
public enum LogFormat: String, Sendable, CaseIterable {
  /// For people.
  case text
  /// For programs: one JSON object per line.
  case json
}

private let isBootstrapped = Mutex(false)

/// Sets up swift-log for the process: all logs of `level` and above go to standard error, a line each.
///
/// Call it once, first of all. A second call changes nothing.
public func bootstrapLogging(level: Logger.Level, format: LogFormat) {
  let isFirst = isBootstrapped.withLock { done in
    defer { done = true }
    return !done
  }
  guard isFirst else { return }
  LoggingSystem.bootstrap { label in
    LineLogHandler(label: label, level: level, format: format)
  }
}

/// The first characters of a secret, enough to tell two apart and too few to use: `whse…`. At most four, and at most
/// a quarter of the whole.
public func redacted(_ secret: String) -> String {
  "\(secret.prefix(min(4, secret.count / 4)))…"
}
