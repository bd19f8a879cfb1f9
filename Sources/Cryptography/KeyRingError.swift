/// Why the text of a key ring was refused. Positions count from 1; nothing of the text is repeated.
public enum KeyRingError: Error, Hashable, Sendable, CustomStringConvertible {
  /// There is no key.
  case empty
  /// An entry has no colon between its id and its key.
  case missingColon(position: Int)
  /// An id is empty, too long, or holds a character other than letters, digits, `-`, `_` and `.`.
  case malformedID(position: Int)
  /// Two entries have one id; the second is at this position.
  case repeatedID(position: Int)
  /// What follows the colon is not padded Base64.
  case notBase64(position: Int)
  /// The key is valid Base64 of another length than 32 bytes.
  case wrongLength(position: Int, bytes: Int)

  public var description: String {
    let form = "expected id:base64[,id:base64…], each key 32 random bytes in padded Base64"
    return switch self {
    case .empty: "no key; \(form)"
    case .missingColon(let position): "key \(position) has no colon after its id; \(form)"
    case .malformedID(let position):
      "the id of key \(position) is not 1 to 24 letters, digits, '-', '_' or '.'; \(form)"
    case .repeatedID(let position): "the id of key \(position) was used before; \(form)"
    case .notBase64(let position): "key \(position) is not padded Base64; \(form)"
    case .wrongLength(let position, let bytes): "key \(position) has \(bytes) bytes instead of 32; \(form)"
    }
  }
}

/// Why a value could not be encrypted or decrypted.
public enum EncryptionError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The bytes are not an encrypted value, or what they hold is not the text that was expected.
  case malformed
  /// The value names a key that the ring does not hold: a key was dropped before everything was re-encrypted.
  case unknownKey(id: String)
  /// The bytes were changed, or the context is not the one the value was encrypted for.
  case notAuthentic
  /// The plaintext exceeds what one value may hold.
  case tooLarge
  /// OpenSSL failed, which is only known to happen when memory is exhausted.
  case failed

  public var description: String {
    switch self {
    case .malformed: "not an encrypted value"
    case .unknownKey(let id): "encrypted with key \(id), which the key ring does not hold"
    case .notAuthentic: "the encrypted value was changed, or belongs to another context"
    case .tooLarge: "too large to encrypt"
    case .failed: "the cipher failed"
    }
  }
}
