/// A reply in the terms of RESP2, the protocol of Redis before version 6 and the default ever since.
public enum RedisReply: Sendable, Hashable {
  /// No value: the null bulk string or null array.
  case null
  /// A simple string such as `OK`.
  case status(String)
  /// A whole number.
  case integer(Int64)
  /// A value, any bytes.
  case bytes([UInt8])
  /// Several replies.
  case array([RedisReply])
  /// An error inside an array; an error as the whole reply is thrown as `RedisError.server`.
  case error(String)

  /// Whether there is no value.
  public var isNull: Bool { self == .null }

  /// The number of an integer reply, or of a value that is the text of one.
  public var integer: Int64? {
    switch self {
    case .integer(let value): value
    case .bytes, .status: string.flatMap { Int64($0) }
    case .null, .array, .error: nil
    }
  }

  /// The bytes of a value or simple string.
  public var bytes: [UInt8]? {
    switch self {
    case .bytes(let bytes): bytes
    case .status(let text): Array(text.utf8)
    case .null, .integer, .array, .error: nil
    }
  }

  /// The text of a value or simple string; `nil` when it is not UTF-8.
  public var string: String? {
    switch self {
    case .bytes(let bytes): String(validating: bytes, as: UTF8.self)
    case .status(let text): text
    case .null, .integer, .array, .error: nil
    }
  }

  /// The replies inside an array.
  public var array: [RedisReply]? {
    if case .array(let replies) = self { replies } else { nil }
  }

  /// The kind of reply, for messages; never its content.
  var kind: String {
    switch self {
    case .null: "null"
    case .status: "status"
    case .integer: "integer"
    case .bytes: "bytes"
    case .array: "array"
    case .error: "error"
    }
  }
}
