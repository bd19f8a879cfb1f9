/// Keys that protect stored secrets: the first encrypts, all of them decrypt.
///
/// Rotation: put a new key first, re-encrypt what `needsReencryption`, then drop the old key. An encrypted value names its key,
/// and is bound to a context (such as tenant and purpose): copied to another row, it does not open.
///
/// Nonces are random. NIST SP 800-38D allows 2^32 values a key under random 96 bit nonces; rotate long before.
public struct KeyRing: Sendable {
  /// The id of the key that encrypts.
  public let primaryKeyID: String
  /// The ids of all keys, the one that encrypts first.
  public var keyIDs: [String] { keys.map(\.id) }

  private struct Key: Sendable {
    let id: String
    let bytes: [UInt8]
  }

  private let keys: [Key]
  private let primary: Key

  /// Reads `id:base64,id2:base64`: each key is 32 bytes in padded Base64; ids are 1 to 24 letters, digits, `-`, `_` or
  /// `.` and differ. White space around an entry is ignored. Errors tell the position and what was expected there, and
  /// repeat nothing of the text, since a slip can put key material anywhere in it.
  public init(parsing text: String) throws(KeyRingError) {
    var keys: [Key] = []
    let entries = text.split(separator: ",", omittingEmptySubsequences: false)
    guard !text.allSatisfy(\.isWhitespace) else { throw .empty }
    for (offset, entry) in entries.enumerated() {
      let position = offset + 1
      let key = try Self.key(in: entry, position: position)
      guard !keys.contains(where: { $0.id == key.id }) else { throw .repeatedID(position: position) }
      keys.append(key)
    }
    guard let first = keys.first else { throw .empty }
    self.keys = keys
    self.primary = first
    self.primaryKeyID = first.id
  }

  /// An entry with a fresh random key, in the form `init(parsing:)` reads: for set-up and for rotation.
  public static func newEntry(id: String) throws(KeyRingError) -> String {
    guard isValidID(id) else { throw .malformedID(position: 1) }
    return "\(id):\(Base64.encode(Random.bytes(AES256GCM.keyByteCount)))"
  }

  private static func key(in entry: Substring, position: Int) throws(KeyRingError) -> Key {
    let entry = entry.drop(while: \.isWhitespace)
    guard let colon = entry.firstIndex(of: ":") else { throw .missingColon(position: position) }
    let id = String(entry[..<colon])
    guard isValidID(id) else { throw .malformedID(position: position) }
    var encoded = entry[entry.index(after: colon)...]
    while encoded.last?.isWhitespace == true { encoded.removeLast() }
    guard let bytes = Base64.decode(encoded) else { throw .notBase64(position: position) }
    guard bytes.count == AES256GCM.keyByteCount else { throw .wrongLength(position: position, bytes: bytes.count) }
    return Key(id: id, bytes: bytes)
  }

  private static func isValidID(_ id: String) -> Bool {
    (1...24).contains(id.utf8.count)
      && id.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
          true
        default: false
        }
      }
  }
}

// MARK: - Encryption

extension KeyRing {
  /// The first byte of an encrypted value. Another layout takes another number.
  private static let version: UInt8 = 1
  private static let largestPlaintext = 1 << 30

  /// Encrypts and authenticates `plaintext` under the first key, with AES-256-GCM.
  ///
  /// Layout: version (1), length of the key id, key id, nonce (12 bytes), ciphertext, tag (16 bytes). The version, the
  /// key id and every part of `context`, each with its length before it, are authenticated: `["a", "bc"]` and
  /// `["ab", "c"]` are different contexts.
  ///
  /// Throws `EncryptionError.tooLarge` above 1 GiB and `.failed` when OpenSSL fails.
  public func encrypt(_ plaintext: [UInt8], context: [String]) throws(EncryptionError) -> [UInt8] {
    guard plaintext.count <= Self.largestPlaintext else { throw .tooLarge }
    let header = [Self.version, UInt8(primary.id.utf8.count)] + Array(primary.id.utf8)
    let nonce = Random.bytes(AES256GCM.nonceByteCount)
    let associated = Self.associatedData(header: header, context: context)
    guard let encrypted = AES256GCM.encrypt(plaintext, key: primary.bytes, nonce: nonce, authenticating: associated)
    else {
      throw .failed
    }
    return header + nonce + encrypted
  }

  /// The same for a text.
  public func encrypt(_ text: String, context: [String]) throws(EncryptionError) -> [UInt8] {
    try encrypt(Array(text.utf8), context: context)
  }

  /// What `encrypt` was given, when `context` is the same and no byte was changed.
  public func decrypt(_ encrypted: [UInt8], context: [String]) throws(EncryptionError) -> [UInt8] {
    guard let parts = Self.parts(of: encrypted) else { throw .malformed }
    guard let key = keys.first(where: { $0.id == parts.keyID }) else { throw .unknownKey(id: parts.keyID) }
    let associated = Self.associatedData(header: Array(encrypted[..<parts.headerEnd]), context: context)
    let bodyStart = parts.headerEnd + AES256GCM.nonceByteCount
    let nonce = Array(encrypted[parts.headerEnd..<bodyStart])
    guard
      let opened = AES256GCM.decrypt(encrypted[bodyStart...], key: key.bytes, nonce: nonce, authenticating: associated)
    else { throw .notAuthentic }
    return opened
  }

  /// `decrypt`, for a text. Bytes that are not UTF-8 throw `.malformed`.
  public func decryptText(_ encrypted: [UInt8], context: [String]) throws(EncryptionError) -> String {
    guard let text = String(validating: try decrypt(encrypted, context: context), as: UTF8.self) else {
      throw .malformed
    }
    return text
  }

  /// The id of the key that encrypted a value, or nil when the bytes are no encrypted value. Not authenticated.
  public static func keyID(of encrypted: [UInt8]) -> String? {
    parts(of: encrypted)?.keyID
  }

  /// Whether an encrypted value was encrypted by another key than the one that encrypts now.
  public func needsReencryption(_ encrypted: [UInt8]) -> Bool {
    Self.keyID(of: encrypted) != primaryKeyID
  }

  /// The same secret under the key that encrypts now; nil if it is under that key already.
  public func reencrypted(_ encrypted: [UInt8], context: [String]) throws(EncryptionError) -> [UInt8]? {
    guard needsReencryption(encrypted) else { return nil }
    return try encrypt(decrypt(encrypted, context: context), context: context)
  }

  private static func parts(of encrypted: [UInt8]) -> (keyID: String, headerEnd: Int)? {
    guard encrypted.count > 2, encrypted[0] == version else { return nil }
    let headerEnd = 2 + Int(encrypted[1])
    guard encrypted.count >= headerEnd + AES256GCM.nonceByteCount + AES256GCM.tagByteCount,
      let keyID = String(validating: encrypted[2..<headerEnd], as: UTF8.self), isValidID(keyID)
    else { return nil }
    return (keyID, headerEnd)
  }

  private static func associatedData(header: [UInt8], context: [String]) -> [UInt8] {
    var bytes = header
    for part in context {
      withUnsafeBytes(of: UInt64(part.utf8.count).bigEndian) { bytes += $0 }
      bytes += part.utf8
    }
    return bytes
  }
}

extension KeyRing: CustomStringConvertible, CustomReflectable {
  /// The ids of the keys, never their bytes.
  public var description: String { "KeyRing(\(keyIDs.joined(separator: ", ")))" }

  public var customMirror: Mirror { Mirror(self, children: ["keyIDs": keyIDs]) }
}
