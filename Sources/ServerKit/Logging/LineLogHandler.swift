public import Logging

/// Writes each event as one line: `time level msg label` first and always in that order, then the metadata sorted by
/// name.
public struct LineLogHandler: LogHandler {
  public var metadata: Logger.Metadata = [:]
  public var metadataProvider: Logger.MetadataProvider?
  public var logLevel: Logger.Level
  private let label: String
  private let format: LogFormat
  private let write: @Sendable (String) -> Void

  /// - Parameter write: takes one whole line with its newline; standard error unless a test says otherwise.
  public init(
    label: String, level: Logger.Level, format: LogFormat,
    write: @escaping @Sendable (String) -> Void = StandardError.write
  ) {
    self.label = label
    self.format = format
    self.write = write
    logLevel = level
  }

  public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  public func log(event: LogEvent) {
    var all = metadata
    if let provided = metadataProvider?.get() { all.merge(provided) { $1 } }
    if let given = event.metadata { all.merge(given) { $1 } }
    if let error = event.error { all["error"] = .string("\(error)") }
    let line = LogLine(
      time: LogTime.now(), level: event.level, message: event.message.description, label: label,
      metadata: all.sorted { $0.key < $1.key })
    write(line.rendered(format))
  }
}
