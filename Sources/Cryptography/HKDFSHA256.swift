/// HKDF with SHA-256 (RFC 5869): independent keys from one secret, each named by its `info`.
public enum HKDFSHA256 {
  /// The longest output the construction allows: 255 blocks.
  public static let maximumByteCount = 255 * HMACSHA256.byteCount

  /// Derives `count` bytes from `secret`. An empty `salt` stands for 32 zero bytes. The same arguments always give the
  /// same bytes; another `info` gives unrelated ones. `count` may be 0 to `maximumByteCount`.
  public static func derive(secret: [UInt8], salt: [UInt8] = [], info: [UInt8], count: Int) -> [UInt8] {
    precondition((0...maximumByteCount).contains(count), "HKDF-SHA-256 gives at most 8160 bytes")
    let extracted = HMACSHA256(key: salt.isEmpty ? [UInt8](repeating: 0, count: HMACSHA256.byteCount) : salt)
    let expand = HMACSHA256(key: extracted.code(for: secret))
    var output: [UInt8] = []
    var block: [UInt8] = []
    var number: UInt8 = 0
    while output.count < count {
      number += 1
      block = expand.code(for: block, info, [number])
      output += block
    }
    return Array(output.prefix(count))
  }

  /// The same with a text as `info`, for keys named by a readable purpose.
  public static func derive(secret: [UInt8], salt: [UInt8] = [], info: String, count: Int) -> [UInt8] {
    derive(secret: secret, salt: salt, info: Array(info.utf8), count: count)
  }
}
