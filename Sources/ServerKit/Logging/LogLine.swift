import Foundation
import JSON
import Logging

/// One line of the log, before it is text.
struct LogLine {
  let time: String
  let level: Logger.Level
  let message: String
  let label: String
  let metadata: [(key: String, value: Logger.MetadataValue)]

  func rendered(_ format: LogFormat) -> String {
    switch format {
    case .json: json + "\n"
    case .text: text + "\n"
    }
  }

  private var json: String {
    var members: [(String, JSONValue)] = [
      ("time", .string(time)), ("level", .string(level.rawValue)), ("msg", .string(message)), ("label", .string(label)),
    ]
    for (key, value) in metadata {
      // The four names above belong to the line itself.
      let isTaken = ["time", "level", "msg", "label"].contains(key)
      members.append((isTaken ? "meta_\(key)" : key, Self.jsonValue(value)))
    }
    return JSONValue.object(JSONObject(members)).text()
  }

  private var text: String {
    var line = "\(time) \(level.rawValue.uppercased()) \(Self.singleLine(message)) [\(label)]"
    for (key, value) in metadata { line += " \(key)=\(Self.quoted(value.description))" }
    return line
  }

  private static func jsonValue(_ value: Logger.MetadataValue) -> JSONValue {
    switch value {
    case .string(let text): .string(text)
    case .stringConvertible(let number as Int): .integer(Int64(number))
    case .stringConvertible(let number as Int64): .integer(number)
    case .stringConvertible(let number as Double) where number.isFinite: .decimal(number.description)
    case .stringConvertible(let flag as Bool): .bool(flag)
    case .stringConvertible(let other): .string(other.description)
    case .array(let values): .array(values.map(jsonValue))
    case .dictionary(let members):
      .object(JSONObject(members.sorted { $0.key < $1.key }.map { ($0.key, jsonValue($0.value)) }))
    }
  }

  private static func quoted(_ text: String) -> String {
    let isPlain = !text.isEmpty && text.utf8.allSatisfy { $0 > 0x20 && $0 != 0x22 && $0 != 0x3D && $0 != 0x7F }
    return isPlain ? text : JSONValue.string(text).text()
  }

  /// A message cannot start a new line, so that nobody can forge a log line.
  private static func singleLine(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else { return text }
    return JSONValue.string(text).text()
  }
}

/// Times of the log: UTC with milliseconds.
enum LogTime {
  static func now() -> String {
    let sinceEpoch = Date().timeIntervalSince1970
    let whole = sinceEpoch.rounded(.down)
    let milliseconds = String(1000 + min(999, Int((sinceEpoch - whole) * 1000))).dropFirst()
    let seconds = RFC3339.string(from: Date(timeIntervalSince1970: whole))
    return seconds.hasSuffix("Z") ? "\(seconds.dropLast()).\(milliseconds)Z" : seconds
  }
}

/// The standard error stream.
public enum StandardError {
  /// Writes the text at once. A line below the size of a pipe's buffer is never mixed with another's.
  public static let write: @Sendable (String) -> Void = { text in
    // The program must not end because nobody reads its log any more.
    try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
  }
}
