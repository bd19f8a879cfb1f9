internal import COpenSSL
internal import Foundation

/// Unpredictable bytes, and the tokens and identifiers made of them.
public enum Random {
  /// `count` bytes from OpenSSL's generator, or from the kernel's should OpenSSL's refuse.
  public static func bytes(_ count: Int) -> [UInt8] {
    precondition(count >= 0, "A count of bytes is not negative")
    return [UInt8](unsafeUninitializedCapacity: count) { output, initialized in
      if count > 0, RAND_bytes(output.baseAddress, Int32(count)) != 1 {
        ERR_clear_error()
        var kernel = SystemRandomNumberGenerator()
        for position in 0..<count { output[position] = kernel.next() }
      }
      initialized = count
    }
  }

  /// A secret: `prefix`, then letters and digits that carry at least as much chance as `bytes` random bytes
  /// (32 bytes: 43 characters). Every character is drawn evenly from `0-9A-Za-z`, so that the token can be selected by
  /// a double click and needs no escaping anywhere.
  public static func token(prefix: String, bytes count: Int = 32) -> String {
    // log2(62) is a little more than 5.954 bits a character.
    let length = (count * 8 * 1000 + 5953) / 5954
    var characters = Array(prefix.utf8)
    let full = characters.count + length
    while characters.count < full {
      // 248 is the largest multiple of 62 that a byte can hold; larger bytes would favour the first characters.
      for byte in bytes(length + length / 8 + 4) where byte < 248 && characters.count < full {
        characters.append(alphanumeric[Int(byte) % 62])
      }
    }
    return String(decoding: characters, as: UTF8.self)
  }

  /// A new identifier: `prefix`, then 24 characters of the lower-case base32 alphabet without i, l, o and u. The first
  /// ten are the time in milliseconds, so that ids made later sort later and new rows sit together in an index; the
  /// other fourteen are 70 random bits. It names a thing and proves nothing: it is not a secret.
  public static func id(prefix: String) -> String {
    id(prefix: prefix, milliseconds: UInt64(max(0, Date().timeIntervalSince1970 * 1000)))
  }

  static func id(prefix: String, milliseconds: UInt64) -> String {
    var characters = Array(prefix.utf8)
    for position in 0..<10 { characters.append(base32[Int(milliseconds >> UInt64(45 - position * 5) & 31)]) }
    for byte in bytes(14) { characters.append(base32[Int(byte & 31)]) }
    return String(decoding: characters, as: UTF8.self)
  }

  private static let alphanumeric = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)
  private static let base32 = Array("0123456789abcdefghjkmnpqrstvwxyz".utf8)
}
