/// Any JSON value (RFC 8259), exact: integers that fit keep their value, every other number keeps its text, objects
/// keep the order of their members.
public enum JSONValue: Sendable, Hashable {
  case null
  case bool(Bool)
  /// A number written without fraction and exponent that fits 64 bits.
  case integer(Int64)
  /// The exact text of any other number, such as `1.50`, `1e3` or an integer beyond 64 bits. Must be a number by the
  /// grammar of RFC 8259: it is written out as it stands.
  case decimal(String)
  case string(String)
  case array([JSONValue])
  case object(JSONObject)
}

extension JSONValue {
  /// The value of `key` when this is an object that has it, else nil.
  public subscript(key: String) -> JSONValue? {
    if case .object(let object) = self { object[key] } else { nil }
  }

  /// The element at `index` when this is an array that has it, else nil.
  public subscript(index: Int) -> JSONValue? {
    if case .array(let array) = self, array.indices.contains(index) { array[index] } else { nil }
  }

  /// Whether this is `null`.
  public var isNull: Bool { self == .null }

  /// The text when this is a string.
  public var string: String? {
    if case .string(let string) = self { string } else { nil }
  }

  /// The value when this is an integer that fits 64 bits.
  public var integer: Int64? {
    if case .integer(let integer) = self { integer } else { nil }
  }

  /// The nearest floating point value when this is any number.
  public var double: Double? {
    switch self {
    case .integer(let integer): Double(integer)
    case .decimal(let text): Double(text)
    default: nil
    }
  }

  /// The value when this is `true` or `false`.
  public var bool: Bool? {
    if case .bool(let bool) = self { bool } else { nil }
  }

  /// The elements when this is an array.
  public var array: [JSONValue]? {
    if case .array(let array) = self { array } else { nil }
  }

  /// The object when this is one.
  public var object: JSONObject? {
    if case .object(let object) = self { object } else { nil }
  }

  /// What kind of value this is, in words for a message: it never holds any of the content.
  public var kind: String {
    switch self {
    case .null: "null"
    case .bool: "a boolean"
    case .integer: "an integer"
    case .decimal: "a decimal number"
    case .string: "a string"
    case .array: "an array"
    case .object: "an object"
    }
  }
}

extension JSONValue: ExpressibleByNilLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
  ExpressibleByStringInterpolation, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
  public init(nilLiteral: ()) { self = .null }
  public init(booleanLiteral value: Bool) { self = .bool(value) }
  public init(integerLiteral value: Int64) { self = .integer(value) }
  public init(stringLiteral value: String) { self = .string(value) }
  public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
  public init(dictionaryLiteral elements: (String, JSONValue)...) { self = .object(JSONObject(elements)) }
}

extension JSONValue: CustomStringConvertible {
  /// The JSON text. It holds the content: keep it out of logs.
  public var description: String { text() }
}
