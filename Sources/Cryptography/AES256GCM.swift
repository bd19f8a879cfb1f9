internal import COpenSSL

/// AES-256-GCM (NIST SP 800-38D) with a 12 byte nonce and a 16 byte tag.
///
/// For formats that others read. A secret that only this program reads back is ``KeyRing``'s, which also chooses nonces.
public enum AES256GCM {
  /// 32: the length of a key.
  public static let keyByteCount = 32
  /// 12: the length of a nonce. A nonce is never used twice with one key.
  public static let nonceByteCount = 12
  /// 16: the length of the tag.
  public static let tagByteCount = 16

  /// Ciphertext followed by the tag; nil only when OpenSSL fails (memory).
  ///
  /// Key and nonce must have exactly the lengths above. `associated` is authenticated and not part of the output.
  public static func encrypt(
    _ plaintext: [UInt8], key: [UInt8], nonce: [UInt8], authenticating associated: [UInt8]
  ) -> [UInt8]? {
    precondition(key.count == keyByteCount && nonce.count == nonceByteCount, "key or nonce of the wrong length")
    guard let context = EVP_CIPHER_CTX_new() else { return nil }
    defer { EVP_CIPHER_CTX_free(context) }
    guard EVP_EncryptInit_ex2(context, Algorithms.aes256GCM.pointer, key, nonce, nil) == 1,
      associate(associated, with: context, by: EVP_EncryptUpdate)
    else { return failed() }
    var output = [UInt8](repeating: 0, count: plaintext.count + tagByteCount)
    var written: Int32 = 0
    let done = output.withUnsafeMutableBufferPointer { output -> Bool in
      guard let start = output.baseAddress else { return false }
      if !plaintext.isEmpty {
        guard EVP_EncryptUpdate(context, start, &written, plaintext, Int32(plaintext.count)) == 1 else { return false }
      }
      let tag = start + plaintext.count
      // GCM writes nothing at the end; the tag's place only gives the call a valid address.
      return EVP_EncryptFinal_ex(context, tag, &written) == 1 && copenssl_gcm_get_tag(context, tag) == 1
    }
    return done ? output : failed()
  }

  /// The plaintext, or nil when the key, the nonce, the associated data or any byte is not what was encrypted.
  ///
  /// Key and nonce must have exactly the lengths above.
  public static func decrypt(
    _ encrypted: ArraySlice<UInt8>, key: [UInt8], nonce: [UInt8], authenticating associated: [UInt8]
  ) -> [UInt8]? {
    precondition(key.count == keyByteCount && nonce.count == nonceByteCount, "key or nonce of the wrong length")
    let count = encrypted.count - tagByteCount
    guard count >= 0, let context = EVP_CIPHER_CTX_new() else { return nil }
    defer { EVP_CIPHER_CTX_free(context) }
    guard EVP_DecryptInit_ex2(context, Algorithms.aes256GCM.pointer, key, nonce, nil) == 1,
      associate(associated, with: context, by: EVP_DecryptUpdate)
    else { return failed() }
    var output = [UInt8](repeating: 0, count: count + tagByteCount)
    var written: Int32 = 0
    let done = encrypted.withUnsafeBufferPointer { input -> Bool in
      guard let start = input.baseAddress else { return false }
      return output.withUnsafeMutableBufferPointer { output in
        if count > 0 {
          guard EVP_DecryptUpdate(context, output.baseAddress, &written, start, Int32(count)) == 1 else { return false }
        }
        return copenssl_gcm_set_tag(context, start + count) == 1
          && EVP_DecryptFinal_ex(context, output.baseAddress.map { $0 + count }, &written) == 1
      }
    }
    guard done else { return failed() }
    output.removeLast(tagByteCount)
    return output
  }

  private typealias Update = (
    OpaquePointer?, UnsafeMutablePointer<UInt8>?, UnsafeMutablePointer<Int32>?, UnsafePointer<UInt8>?, Int32
  ) -> Int32

  private static func associate(_ bytes: [UInt8], with context: OpaquePointer, by update: Update) -> Bool {
    var written: Int32 = 0
    return bytes.isEmpty || update(context, nil, &written, bytes, Int32(bytes.count)) == 1
  }

  /// Leaves no entry in the thread's error queue, where another user of OpenSSL on this thread would find it.
  private static func failed() -> [UInt8]? {
    ERR_clear_error()
    return nil
  }
}
