internal import COpenSSL

/// HMAC with SHA-256 (RFC 2104, FIPS 198-1) under one key.
///
/// The key is processed once, when the value is made; each message then costs a copy of the prepared state. Keep the
/// value, do not make one per message.
public struct HMACSHA256: Sendable {
  /// The number of bytes of every code.
  public static let byteCount = 32

  private let prepared: PreparedMAC

  /// Prepares for the given key. Any length is allowed, as RFC 2104 says; an empty key protects nothing.
  public init(key: [UInt8]) {
    prepared = PreparedMAC(key: key)
  }

  /// Prepares for the UTF-8 bytes of the given text, prefix and all, which is how webhook secrets are used.
  public init(key: String) {
    self.init(key: Array(key.utf8))
  }

  /// The 32 byte code of the parts, one after the other, with nothing between them.
  public func code(for parts: [UInt8]...) -> [UInt8] {
    prepared.code { context in
      for part in parts { part.withUnsafeBytes { context.update($0) } }
    }
  }

  /// The 32 byte code of the parts, one after the other, with nothing between them.
  public func code(for parts: [ArraySlice<UInt8>]) -> [UInt8] {
    prepared.code { context in
      for part in parts { part.withUnsafeBytes { context.update($0) } }
    }
  }

  /// Whether `code` is the code of the parts; compared in constant time.
  public func isValid(_ code: [UInt8], for parts: [UInt8]...) -> Bool {
    let expected = prepared.code { context in
      for part in parts { part.withUnsafeBytes { context.update($0) } }
    }
    return constantTimeEqual(code, expected)
  }
}

extension HMACSHA256: CustomStringConvertible, CustomReflectable {
  /// Names the algorithm, never the key.
  public var description: String { "HMACSHA256(key withheld)" }

  public var customMirror: Mirror { Mirror(self, children: [:]) }
}

/// A keyed OpenSSL context that is only ever copied from.
///
/// Safe to share between threads: after `init` the context is only the source of `EVP_MAC_CTX_dup`, which reads it and
/// raises atomic reference counts; each message works on its own copy.
private final class PreparedMAC: @unchecked Sendable {
  private let context: OpaquePointer

  init(key: [UInt8]) {
    // OpenSSL takes a null key for "keep the previous one", so that an empty key needs an address too.
    let created = (key.isEmpty ? [0] : key).withUnsafeBufferPointer {
      copenssl_hmac_sha256_context(Algorithms.hmac.pointer, $0.baseAddress, key.count)
    }
    guard let created else { preconditionFailure("HMAC set-up fails only when memory is exhausted") }
    context = created
  }

  deinit {
    EVP_MAC_CTX_free(context)
  }

  func code(_ feed: (Running) -> Void) -> [UInt8] {
    guard let copy = EVP_MAC_CTX_dup(context) else { preconditionFailure("HMAC fails only when memory is exhausted") }
    defer { EVP_MAC_CTX_free(copy) }
    feed(Running(context: copy))
    return [UInt8](unsafeUninitializedCapacity: HMACSHA256.byteCount) { output, count in
      let done = EVP_MAC_final(copy, output.baseAddress, &count, HMACSHA256.byteCount)
      precondition(done == 1 && count == HMACSHA256.byteCount, "HMAC fails only when memory is exhausted")
    }
  }

  struct Running {
    fileprivate let context: OpaquePointer

    func update(_ bytes: UnsafeRawBufferPointer) {
      guard !bytes.isEmpty else { return }
      let done = EVP_MAC_update(context, bytes.bindMemory(to: UInt8.self).baseAddress, bytes.count)
      precondition(done == 1, "HMAC fails only when memory is exhausted")
    }
  }
}
