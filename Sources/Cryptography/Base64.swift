/// Base64 (RFC 4648), in its standard and its URL-safe alphabet. Decoding is strict: one text for each byte string, no
/// white space, no missing or superfluous padding, no set bits behind the last byte.
public enum Base64 {
  /// Standard alphabet, padded (RFC 4648 section 4).
  public static func encode(_ bytes: some Collection<UInt8>) -> String {
    encode(bytes, alphabet: standard, padded: true)
  }

  /// URL-safe alphabet, unpadded (RFC 4648 section 5).
  public static func encodeURL(_ bytes: some Collection<UInt8>) -> String {
    encode(bytes, alphabet: urlSafe, padded: false)
  }

  /// The bytes of a padded text in the standard alphabet, or nil.
  public static func decode(_ text: some StringProtocol) -> [UInt8]? {
    var characters = Array(text.utf8)
    guard characters.count.isMultiple(of: 4) else { return nil }
    var padding = 0
    while padding < 2, characters.last == UInt8(ascii: "=") {
      characters.removeLast()
      padding += 1
    }
    return decode(characters, values: standardValues)
  }

  /// The bytes of an unpadded text in the URL-safe alphabet, or nil.
  public static func decodeURL(_ text: some StringProtocol) -> [UInt8]? {
    decode(Array(text.utf8), values: urlSafeValues)
  }

  private static let common = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
  private static let standard = Array((common + "+/").utf8)
  private static let urlSafe = Array((common + "-_").utf8)
  private static let standardValues = values(of: standard)
  private static let urlSafeValues = values(of: urlSafe)
  private static let notInAlphabet: UInt8 = 0xFF

  private static func values(of alphabet: [UInt8]) -> [UInt8] {
    var table = [UInt8](repeating: notInAlphabet, count: 256)
    for (value, character) in alphabet.enumerated() { table[Int(character)] = UInt8(value) }
    return table
  }

  private static func encode(_ bytes: some Collection<UInt8>, alphabet: [UInt8], padded: Bool) -> String {
    var output: [UInt8] = []
    output.reserveCapacity((bytes.count + 2) / 3 * 4)
    var buffer: UInt32 = 0
    var bits = 0
    for byte in bytes {
      buffer = buffer << 8 | UInt32(byte)
      bits += 8
      while bits >= 6 {
        bits -= 6
        output.append(alphabet[Int(buffer >> UInt32(bits) & 63)])
      }
    }
    if bits > 0 { output.append(alphabet[Int(buffer << UInt32(6 - bits) & 63)]) }
    while padded, !output.count.isMultiple(of: 4) { output.append(UInt8(ascii: "=")) }
    return String(decoding: output, as: UTF8.self)
  }

  private static func decode(_ characters: [UInt8], values: [UInt8]) -> [UInt8]? {
    guard characters.count % 4 != 1 else { return nil }
    var output: [UInt8] = []
    output.reserveCapacity(characters.count * 3 / 4)
    var buffer: UInt32 = 0
    var bits = 0
    for character in characters {
      let value = values[Int(character)]
      guard value != notInAlphabet else { return nil }
      buffer = buffer << 6 | UInt32(value)
      bits += 6
      if bits >= 8 {
        bits -= 8
        output.append(UInt8(truncatingIfNeeded: buffer >> UInt32(bits)))
      }
    }
    guard buffer & ((1 << UInt32(bits)) - 1) == 0 else { return nil }
    return output
  }
}
