internal import COpenSSL

/// Why bytes were refused as a key, or signing failed.
public enum Ed25519Error: Error, Hashable, Sendable, CustomStringConvertible {
  /// Keys and seeds have 32 bytes.
  case wrongLength(bytes: Int)
  /// OpenSSL failed or refused the key.
  case failed

  public var description: String {
    switch self {
    case .wrongLength(let bytes): "an Ed25519 key has 32 bytes, not \(bytes)"
    case .failed: "the Ed25519 operation failed"
    }
  }
}

/// An Ed25519 signing key (RFC 8032). The key object is kept: making it again for each signature costs several times as
/// much as the signature.
public struct Ed25519PrivateKey: Sendable {
  /// The 32 bytes the key is made from: the whole secret.
  public let seed: [UInt8]
  /// The key that verifies.
  public let publicKey: Ed25519PublicKey

  private let key: KeyObject

  /// A new random key.
  public init() {
    do {
      try self.init(seed: Random.bytes(32))
    } catch {
      preconditionFailure("Every 32 bytes are an Ed25519 seed; OpenSSL fails only when memory is exhausted")
    }
  }

  /// The key of a 32 byte seed.
  public init(seed: [UInt8]) throws(Ed25519Error) {
    guard seed.count == 32 else { throw .wrongLength(bytes: seed.count) }
    guard let key = KeyObject(copenssl_ed25519_private(seed)) else { throw .failed }
    var publicBytes = [UInt8](repeating: 0, count: 32)
    var count = 32
    guard EVP_PKEY_get_raw_public_key(key.pointer, &publicBytes, &count) == 1, count == 32 else { throw .failed }
    self.seed = seed
    self.key = key
    self.publicKey = try Ed25519PublicKey(rawRepresentation: publicBytes)
  }

  /// The 64 byte signature of exactly these bytes. Deterministic: the same message gives the same signature.
  public func sign(_ message: [UInt8]) throws(Ed25519Error) -> [UInt8] {
    guard let context = EVP_MD_CTX_new() else { throw .failed }
    defer { EVP_MD_CTX_free(context) }
    var signature = [UInt8](repeating: 0, count: 64)
    var count = 64
    guard EVP_DigestSignInit(context, nil, nil, nil, key.pointer) == 1,
      EVP_DigestSign(context, &signature, &count, message, message.count) == 1, count == 64
    else {
      ERR_clear_error()
      throw .failed
    }
    return signature
  }
}

extension Ed25519PrivateKey: CustomStringConvertible, CustomReflectable {
  /// Names the public key, never the seed.
  public var description: String { "Ed25519PrivateKey(of \(publicKey))" }

  public var customMirror: Mirror { Mirror(self, children: ["publicKey": publicKey]) }
}

/// An Ed25519 verifying key (RFC 8032).
public struct Ed25519PublicKey: Sendable {
  /// The 32 bytes of the key as RFC 8032 encodes them.
  public let rawRepresentation: [UInt8]

  private let key: KeyObject

  /// The key of 32 bytes in the encoding of RFC 8032.
  public init(rawRepresentation: [UInt8]) throws(Ed25519Error) {
    guard rawRepresentation.count == 32 else { throw .wrongLength(bytes: rawRepresentation.count) }
    guard let key = KeyObject(copenssl_ed25519_public(rawRepresentation)) else { throw .failed }
    self.rawRepresentation = rawRepresentation
    self.key = key
  }

  /// Whether `signature` is this key's signature of exactly `message`. False for a signature of any other length too.
  public func isValid(_ signature: [UInt8], for message: [UInt8]) -> Bool {
    guard signature.count == 64, let context = EVP_MD_CTX_new() else { return false }
    defer { EVP_MD_CTX_free(context) }
    guard EVP_DigestVerifyInit(context, nil, nil, nil, key.pointer) == 1,
      EVP_DigestVerify(context, signature, signature.count, message, message.count) == 1
    else {
      ERR_clear_error()
      return false
    }
    return true
  }
}

extension Ed25519PublicKey: Hashable, CustomStringConvertible {
  public static func == (left: Self, right: Self) -> Bool { left.rawRepresentation == right.rawRepresentation }

  public func hash(into hasher: inout Hasher) { hasher.combine(rawRepresentation) }

  /// The key in Base64, the form in which public keys are published.
  public var description: String { Base64.encode(rawRepresentation) }
}
