/// `[UInt8]` is `bytea`, and `[[UInt8]]` is `bytea[]`; a lone `UInt8` is neither parameter nor column.
extension UInt8: PostgresArrayElement {
  public static var postgresArrayType: PostgresType { .bytea }
  public static func encodeArray(_ elements: [UInt8]) -> PostgresValue { .binary(elements) }
  public static func decodeArray(_ cell: PostgresCell) throws(PostgresError) -> [UInt8] {
    guard let bytes = try cell.withBytes({ HexFormat.decode($0) }) else { throw cell.failure(expected: "bytea") }
    return bytes
  }
}

extension Array: PostgresArrayElement where Element == UInt8 {
  public static var postgresArrayType: PostgresType { .byteaArray }
  public static func encodeArray(_ elements: [[UInt8]]) -> PostgresValue {
    ArrayFormat.encode(elementType: .bytea, elements)
  }
  public static func decodeArray(_ cell: PostgresCell) throws(PostgresError) -> [[UInt8]] {
    try decodeElements(cell, expected: "an array of bytea") { HexFormat.decode($0) }
  }
}

/// The text form of `bytea` (PostgreSQL docs, 8.4.1): `\x` and two digits a byte.
enum HexFormat {
  static func decode(_ text: UnsafeBufferPointer<UInt8>) -> [UInt8]? {
    guard text.count >= 2, text.count.isMultiple(of: 2), text[0] == UInt8(ascii: "\\"), text[1] == UInt8(ascii: "x")
    else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count / 2 - 1)
    for position in stride(from: 2, to: text.count, by: 2) {
      guard let high = digit(text[position]), let low = digit(text[position + 1]) else { return nil }
      bytes.append(high << 4 | low)
    }
    return bytes
  }

  private static func digit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 48...57: byte - 48
    case 97...102: byte - 87
    case 65...70: byte - 55
    default: nil
    }
  }
}
