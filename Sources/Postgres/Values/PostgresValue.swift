/// A type of the server, by its object id (PostgreSQL source, `pg_type.dat`; the ids of built-in types never change).
public struct PostgresType: RawRepresentable, Hashable, Sendable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  public static let bool = PostgresType(rawValue: 16)
  public static let bytea = PostgresType(rawValue: 17)
  public static let int8 = PostgresType(rawValue: 20)
  public static let int4 = PostgresType(rawValue: 23)
  public static let text = PostgresType(rawValue: 25)
  public static let float8 = PostgresType(rawValue: 701)
  public static let timestamptz = PostgresType(rawValue: 1184)
  public static let boolArray = PostgresType(rawValue: 1000)
  public static let byteaArray = PostgresType(rawValue: 1001)
  public static let int4Array = PostgresType(rawValue: 1007)
  public static let textArray = PostgresType(rawValue: 1009)
  public static let int8Array = PostgresType(rawValue: 1016)
  public static let float8Array = PostgresType(rawValue: 1022)
  public static let timestamptzArray = PostgresType(rawValue: 1185)
}

/// The value of one parameter, in one of the two forms of the wire.
public enum PostgresValue: Sendable, Hashable {
  case null
  /// The server's input syntax for the type.
  case text(String)
  /// The server's binary form of the type.
  case binary([UInt8])
  /// A value that cannot be sent; the statement fails with `.encoding` and this reason before anything is sent.
  case refused(reason: String)
}

/// A parameter: a type and a value. Prints neither.
public struct PostgresParameter: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible,
  CustomReflectable
{
  public let type: PostgresType
  public let value: PostgresValue

  public init(type: PostgresType, value: PostgresValue) {
    self.type = type
    self.value = value
  }

  public init<Value: PostgresEncodable>(_ value: Value) {
    self.init(type: Value.postgresType, value: value.postgresValue)
  }

  public var description: String { "PostgresParameter" }
  public var debugDescription: String { description }
  public var customMirror: Mirror { Mirror(self, children: []) }
}

/// A value that can be a parameter of a statement.
public protocol PostgresEncodable: Sendable {
  /// The type announced to the server.
  static var postgresType: PostgresType { get }
  var postgresValue: PostgresValue { get }
}

/// A value that can be read from a column.
public protocol PostgresDecodable: Sendable {
  /// - Throws: `.decoding`, which names the column and never shows its content.
  static func decode(_ cell: PostgresCell) throws(PostgresError) -> Self
}

public typealias PostgresCodable = PostgresEncodable & PostgresDecodable

/// A value that can be an element of an array parameter or column.
public protocol PostgresArrayElement: Sendable {
  /// The type of the array, not of the element.
  static var postgresArrayType: PostgresType { get }
  static func encodeArray(_ elements: [Self]) -> PostgresValue
  static func decodeArray(_ cell: PostgresCell) throws(PostgresError) -> [Self]
}

extension Array: PostgresEncodable where Element: PostgresArrayElement {
  public static var postgresType: PostgresType { Element.postgresArrayType }
  public var postgresValue: PostgresValue { Element.encodeArray(self) }
}

extension Array: PostgresDecodable where Element: PostgresArrayElement {
  public static func decode(_ cell: PostgresCell) throws(PostgresError) -> [Element] {
    try Element.decodeArray(cell)
  }
}
