internal import COpenSSL

/// Whether two byte strings are equal, in a time that depends on their lengths only, so that a signature cannot be
/// guessed byte by byte from how long its refusal took.
public func constantTimeEqual(_ a: [UInt8], _ b: [UInt8]) -> Bool {
  guard a.count == b.count else { return false }
  guard !a.isEmpty else { return true }
  return a.withUnsafeBytes { left in
    b.withUnsafeBytes { right in CRYPTO_memcmp(left.baseAddress, right.baseAddress, left.count) == 0 }
  }
}
