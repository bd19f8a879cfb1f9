internal import COpenSSL

/// OpenSSL's algorithms, each fetched once: fetching by name takes a lock and a search, per call about a microsecond.
enum Algorithms {
  static let hmac = Algorithm(EVP_MAC_fetch(nil, "HMAC", nil), name: "HMAC")
  static let sha256 = Algorithm(EVP_MD_fetch(nil, "SHA256", nil), name: "SHA-256")
  static let aes256GCM = Algorithm(EVP_CIPHER_fetch(nil, "AES-256-GCM", nil), name: "AES-256-GCM")
}

/// A fetched algorithm that lives as long as the process.
///
/// Safe to share between threads: OpenSSL documents fetched algorithm objects as immutable and reference counted with
/// atomic counters (provider(7), EVP_MD_fetch(3)), and nothing here ever frees or changes one.
final class Algorithm: @unchecked Sendable {
  let pointer: OpaquePointer

  init(_ fetched: OpaquePointer?, name: String) {
    guard let fetched else { preconditionFailure("This OpenSSL was built without \(name)") }
    pointer = fetched
  }
}

/// An Ed25519 key object.
///
/// Safe to share between threads: OpenSSL keys are immutable and reference counted after creation. This class creates
/// one, never changes it, hands it only to signing and verifying calls (which take a key to read) and frees it when the
/// last reference goes.
final class KeyObject: @unchecked Sendable {
  let pointer: OpaquePointer

  init?(_ created: OpaquePointer?) {
    guard let created else {
      ERR_clear_error()
      return nil
    }
    pointer = created
  }

  deinit {
    EVP_PKEY_free(pointer)
  }
}
