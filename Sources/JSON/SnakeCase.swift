/// Names of properties as they stand in JSON.
enum SnakeCase {
  /// `customerID` to `customer_id`, `isVM` to `is_vm`, `myURLProperty` to `my_url_property`: a run of capitals is one
  /// word, of which the last capital starts the next word when a small letter follows later. The same rule as
  /// Foundation's `convertToSnakeCase`, for names of ASCII letters, digits and underscores.
  static func convert(_ name: String) -> String {
    let bytes = Array(name.utf8)
    var boundaries: [Int] = []
    var start = 1
    while let capital = bytes.indices.dropFirst(start).first(where: { isCapital(bytes[$0]) }) {
      boundaries.append(capital)
      guard let small = bytes.indices.dropFirst(capital).first(where: { isSmall(bytes[$0]) }) else { break }
      if small > capital + 1 { boundaries.append(small - 1) }
      start = small + 1
    }
    guard !boundaries.isEmpty || bytes.contains(where: isCapital) else { return name }
    var output: [UInt8] = []
    output.reserveCapacity(bytes.count + boundaries.count)
    var next = boundaries.makeIterator()
    var boundary = next.next()
    for (position, byte) in bytes.enumerated() {
      if position == boundary {
        output.append(UInt8(ascii: "_"))
        boundary = next.next()
      }
      output.append(isCapital(byte) ? byte | 0x20 : byte)
    }
    return String(decoding: output, as: UTF8.self)
  }

  /// Names a property may have whose name in JSON is `name`: as it stands, in camel case, and in camel case with the
  /// usual abbreviations in capitals. The way back is ambiguous, so that each must be tried.
  static func candidates(for name: String) -> [String] {
    let words = name.split(separator: "_")
    guard words.count > 1, let first = words.first else { return [name] }
    let capitalized = words.dropFirst().map { $0.prefix(1).uppercased() + $0.dropFirst() }
    let abbreviated = words.dropFirst().map {
      abbreviations.contains(String($0)) ? $0.uppercased() : $0.prefix(1).uppercased() + $0.dropFirst()
    }
    return [name, first + capitalized.joined(), first + abbreviated.joined()].map { String($0) }
  }

  private static let abbreviations: Set<String> = ["id", "ids", "url", "api", "vm", "os", "ip", "ui", "http", "json"]

  private static func isCapital(_ byte: UInt8) -> Bool { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) }

  private static func isSmall(_ byte: UInt8) -> Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) }
}
