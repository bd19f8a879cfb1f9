/// The two forms of a one-dimensional array: binary out, text in.
enum ArrayFormat {
  /// The server's binary form (PostgreSQL source, `array_recv`): dimensions, has-null flag, element type, then length and
  /// lower bound of the dimension, then each element as length and bytes, length -1 for NULL. Big-endian throughout.
  static func encode(elementType: PostgresType, _ elements: some Collection<[UInt8]?>) -> PostgresValue {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(20 + elements.reduce(0) { $0 + 4 + ($1?.count ?? 0) })
    append(elements.isEmpty ? 0 : 1, to: &bytes)
    append(elements.contains { $0 == nil } ? 1 : 0, to: &bytes)
    append(Int32(bitPattern: elementType.rawValue), to: &bytes)
    if !elements.isEmpty {
      append(Int32(elements.count), to: &bytes)
      append(1, to: &bytes)
    }
    for element in elements {
      guard let element else {
        append(-1, to: &bytes)
        continue
      }
      append(Int32(element.count), to: &bytes)
      bytes.append(contentsOf: element)
    }
    return .binary(bytes)
  }

  static func append(_ value: Int32, to bytes: inout [UInt8]) {
    withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
  }

  static func bigEndian(_ value: Int64) -> [UInt8] {
    withUnsafeBytes(of: value.bigEndian) { Array($0) }
  }

  /// Splits the server's text form (PostgreSQL docs, 8.15.6): braces, commas, elements quoted when they must be, an
  /// unquoted NULL for the null value. Nil when it is malformed or has more than one dimension.
  static func split(_ text: UnsafeBufferPointer<UInt8>) -> [[UInt8]?]? {
    guard text.count >= 2, text[0] == UInt8(ascii: "{"), text[text.count - 1] == UInt8(ascii: "}") else { return nil }
    let end = text.count - 1
    var elements: [[UInt8]?] = []
    var position = 1
    if position == end { return [] }
    while true {
      var element: [UInt8] = []
      if text[position] == UInt8(ascii: "\"") {
        position += 1
        var closed = false
        while position < end {
          let byte = text[position]
          position += 1
          if byte == UInt8(ascii: "\"") {
            closed = true
            break
          }
          if byte == UInt8(ascii: "\\") {
            guard position < end else { return nil }
            element.append(text[position])
            position += 1
          } else {
            element.append(byte)
          }
        }
        guard closed else { return nil }
        elements.append(element)
      } else {
        while position < end, text[position] != UInt8(ascii: ",") {
          if text[position] == UInt8(ascii: "{") { return nil }
          element.append(text[position])
          position += 1
        }
        guard !element.isEmpty else { return nil }
        elements.append(element == Array("NULL".utf8) ? nil : element)
      }
      if position == end { return elements }
      guard text[position] == UInt8(ascii: ",") else { return nil }
      position += 1
      guard position < end else { return nil }
    }
  }
}
