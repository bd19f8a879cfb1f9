import Glibc

extension Bool: PostgresCodable {
  public static var postgresType: PostgresType { .bool }
  public var postgresValue: PostgresValue { .text(self ? "t" : "f") }

  public static func decode(_ cell: PostgresCell) throws(PostgresError) -> Bool {
    guard let value = try cell.withBytes({ parse($0) }) else { throw cell.failure(expected: "a boolean") }
    return value
  }

  fileprivate static func parse(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool? {
    guard bytes.count == 1 else { return nil }
    return bytes[0] == UInt8(ascii: "t") ? true : bytes[0] == UInt8(ascii: "f") ? false : nil
  }
}

extension FixedWidthInteger {
  /// A plain decimal number, as the server writes integers.
  fileprivate static func parse(_ bytes: UnsafeBufferPointer<UInt8>) -> Self? {
    var digits = bytes[...]
    let negative = digits.first == UInt8(ascii: "-")
    if negative { digits = digits.dropFirst() }
    guard !digits.isEmpty else { return nil }
    var value: Self = 0
    for byte in digits {
      guard byte >= 48, byte <= 57 else { return nil }
      let (product, overflow) = value.multipliedReportingOverflow(by: 10)
      guard !overflow else { return nil }
      let digit = Self(byte - 48)
      let (sum, tooLarge) =
        negative ? product.subtractingReportingOverflow(digit) : product.addingReportingOverflow(digit)
      guard !tooLarge else { return nil }
      value = sum
    }
    return value
  }
}

extension Int64: PostgresCodable {
  public static var postgresType: PostgresType { .int8 }
  public var postgresValue: PostgresValue { .text(String(self)) }
  public static func decode(_ cell: PostgresCell) throws(PostgresError) -> Int64 {
    guard let value = try cell.withBytes({ parse($0) as Int64? }) else {
      throw cell.failure(expected: "a 64-bit integer")
    }
    return value
  }
}

extension Int: PostgresCodable {
  public static var postgresType: PostgresType { .int8 }
  public var postgresValue: PostgresValue { .text(String(self)) }
  public static func decode(_ cell: PostgresCell) throws(PostgresError) -> Int {
    guard let value = try cell.withBytes({ parse($0) as Int? }) else {
      throw cell.failure(expected: "a 64-bit integer")
    }
    return value
  }
}

extension Int32: PostgresCodable {
  public static var postgresType: PostgresType { .int4 }
  public var postgresValue: PostgresValue { .text(String(self)) }
  public static func decode(_ cell: PostgresCell) throws(PostgresError) -> Int32 {
    guard let value = try cell.withBytes({ parse($0) as Int32? }) else {
      throw cell.failure(expected: "a 32-bit integer")
    }
    return value
  }
}

extension Double: PostgresCodable {
  public static var postgresType: PostgresType { .float8 }
  public var postgresValue: PostgresValue { .text(description) }
  public static func decode(_ cell: PostgresCell) throws(PostgresError) -> Double {
    guard let value = Double(try cell.string()) else { throw cell.failure(expected: "a number") }
    return value
  }
}

/// As a parameter of type `text`; write `\(value)::jsonb`, `::uuid` and the like where the column is of another type. Any
/// column can be read as a string, in the server's text form.
extension String: PostgresCodable {
  public static var postgresType: PostgresType { .text }
  public var postgresValue: PostgresValue { .text(self) }
  public static func decode(_ cell: PostgresCell) throws(PostgresError) -> String { try cell.string() }
}

extension Optional: PostgresEncodable where Wrapped: PostgresEncodable {
  public static var postgresType: PostgresType { Wrapped.postgresType }
  public var postgresValue: PostgresValue { self?.postgresValue ?? .null }
}

extension Optional: PostgresDecodable where Wrapped: PostgresDecodable {
  public static func decode(_ cell: PostgresCell) throws(PostgresError) -> Wrapped? {
    cell.isNull ? nil : try Wrapped.decode(cell)
  }
}

// MARK: Enums and typed ids over strings

extension PostgresEncodable where Self: RawRepresentable, RawValue == String {
  public static var postgresType: PostgresType { .text }
  public var postgresValue: PostgresValue { .text(rawValue) }
}

extension PostgresDecodable where Self: RawRepresentable, RawValue == String {
  public static func decode(_ cell: PostgresCell) throws(PostgresError) -> Self {
    guard let value = Self(rawValue: try cell.string()) else { throw cell.failure(expected: "a known \(Self.self)") }
    return value
  }
}

// MARK: Elements of arrays

extension PostgresArrayElement {
  /// Decodes every element by `parse`; NULL elements and elements that `parse` refuses are failures.
  static func decodeElements(
    _ cell: PostgresCell, expected: String, _ parse: (UnsafeBufferPointer<UInt8>) -> Self?
  ) throws(PostgresError) -> [Self] {
    guard let elements = try cell.withBytes({ ArrayFormat.split($0) }) else {
      throw cell.failure(expected: "a one-dimensional array")
    }
    var result: [Self] = []
    result.reserveCapacity(elements.count)
    for element in elements {
      guard let element, let value = element.withUnsafeBufferPointer(parse) else {
        throw cell.failure(expected: expected)
      }
      result.append(value)
    }
    return result
  }
}

extension Bool: PostgresArrayElement {
  public static var postgresArrayType: PostgresType { .boolArray }
  public static func encodeArray(_ elements: [Bool]) -> PostgresValue {
    ArrayFormat.encode(elementType: .bool, elements.map { [$0 ? 1 : 0] })
  }
  public static func decodeArray(_ cell: PostgresCell) throws(PostgresError) -> [Bool] {
    try decodeElements(cell, expected: "an array of booleans") { parse($0) }
  }
}

extension Int64: PostgresArrayElement {
  public static var postgresArrayType: PostgresType { .int8Array }
  public static func encodeArray(_ elements: [Int64]) -> PostgresValue {
    ArrayFormat.encode(elementType: .int8, elements.map { ArrayFormat.bigEndian($0) })
  }
  public static func decodeArray(_ cell: PostgresCell) throws(PostgresError) -> [Int64] {
    try decodeElements(cell, expected: "an array of integers") { parse($0) }
  }
}

extension Int: PostgresArrayElement {
  public static var postgresArrayType: PostgresType { .int8Array }
  public static func encodeArray(_ elements: [Int]) -> PostgresValue {
    ArrayFormat.encode(elementType: .int8, elements.map { ArrayFormat.bigEndian(Int64($0)) })
  }
  public static func decodeArray(_ cell: PostgresCell) throws(PostgresError) -> [Int] {
    try decodeElements(cell, expected: "an array of integers") { parse($0) }
  }
}

extension Double: PostgresArrayElement {
  public static var postgresArrayType: PostgresType { .float8Array }
  public static func encodeArray(_ elements: [Double]) -> PostgresValue {
    ArrayFormat.encode(
      elementType: .float8, elements.map { ArrayFormat.bigEndian(Int64(bitPattern: $0.bitPattern)) })
  }
  public static func decodeArray(_ cell: PostgresCell) throws(PostgresError) -> [Double] {
    try decodeElements(cell, expected: "an array of numbers") { Double(String(decoding: $0, as: UTF8.self)) }
  }
}

extension String: PostgresArrayElement {
  public static var postgresArrayType: PostgresType { .textArray }
  public static func encodeArray(_ elements: [String]) -> PostgresValue {
    for element in elements where element.containsNUL { return .refused(reason: PostgresQuery.textWithNUL) }
    return ArrayFormat.encode(elementType: .text, elements.map { Array($0.utf8) })
  }
  public static func decodeArray(_ cell: PostgresCell) throws(PostgresError) -> [String] {
    try decodeElements(cell, expected: "an array of texts") { String(decoding: $0, as: UTF8.self) }
  }
}

extension PostgresArrayElement where Self: RawRepresentable, RawValue == String {
  public static var postgresArrayType: PostgresType { .textArray }
  public static func encodeArray(_ elements: [Self]) -> PostgresValue { String.encodeArray(elements.map(\.rawValue)) }
  public static func decodeArray(_ cell: PostgresCell) throws(PostgresError) -> [Self] {
    try decodeElements(cell, expected: "an array of known \(Self.self)") {
      Self(rawValue: String(decoding: $0, as: UTF8.self))
    }
  }
}

extension String {
  /// Whether there is a zero byte, which Postgres cannot store in a text. Every bulk insert checks bodies of several thousand
  /// bytes here, so the C library searches.
  fileprivate var containsNUL: Bool {
    utf8.withContiguousStorageIfAvailable { bytes in
      bytes.baseAddress.map { memchr($0, 0, bytes.count) != nil } ?? false
    } ?? utf8.contains(0)
  }
}
