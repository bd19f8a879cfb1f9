internal import COpenSSL

/// SHA-256 (FIPS 180-4).
public enum SHA256 {
  /// The 32 byte digest of `bytes`.
  public static func hash(_ bytes: [UInt8]) -> [UInt8] {
    bytes.withUnsafeBytes { digest($0) }
  }

  /// The digest of the UTF-8 bytes of `string`, as 64 lower-case hexadecimal digits.
  public static func hexHash(_ string: String) -> String {
    var string = string
    return Hex.encode(string.withUTF8 { digest(UnsafeRawBufferPointer($0)) })
  }

  private static func digest(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: 32) { output, count in
      var length: UInt32 = 0
      let done = EVP_Digest(bytes.baseAddress, bytes.count, output.baseAddress, &length, Algorithms.sha256.pointer, nil)
      precondition(done == 1 && length == 32, "SHA-256 fails only when memory is exhausted")
      count = 32
    }
  }
}
