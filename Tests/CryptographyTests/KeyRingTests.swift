import Cryptography
import Testing

@Suite("Key ring")
struct KeyRingTests {
  let old = "old:" + Base64.encode([UInt8](repeating: 1, count: 32))
  let new = "2026-11:" + Base64.encode([UInt8](repeating: 2, count: 32))
  let context = ["acct_1", "live", "access-token"]

  @Test("What was encrypted opens in the same context")
  func roundTrip() throws {
    let ring = try KeyRing(parsing: old)
    for plaintext in [[], [0], Array("a secret".utf8), Random.bytes(5000)] as [[UInt8]] {
      let encrypted = try ring.encrypt(plaintext, context: context)
      #expect(try ring.decrypt(encrypted, context: context) == plaintext)
      #expect(KeyRing.keyID(of: encrypted) == "old")
    }
    #expect(try ring.decryptText(try ring.encrypt("tok\u{E9}n", context: []), context: []) == "tok\u{E9}n")
  }

  @Test("Equal secrets look different, and nothing of the plaintext shows")
  func fresh() throws {
    let ring = try KeyRing(parsing: old)
    let plaintext = Array("sk_live_0123456789".utf8)
    let first = try ring.encrypt(plaintext, context: context)
    #expect(try ring.encrypt(plaintext, context: context) != first)
    #expect(!String(decoding: first, as: UTF8.self).contains("sk_live"))
  }

  @Test("Every changed byte is noticed")
  func tampering() throws {
    let ring = try KeyRing(parsing: old)
    let encrypted = try ring.encrypt("secret", context: context)
    for position in encrypted.indices {
      var changed = encrypted
      changed[position] ^= 1
      #expect(throws: EncryptionError.self) { try ring.decrypt(changed, context: context) }
    }
    for count in 0..<encrypted.count {
      #expect(throws: EncryptionError.self) { try ring.decrypt(Array(encrypted.prefix(count)), context: context) }
    }
    #expect(throws: EncryptionError.notAuthentic) { try ring.decrypt(encrypted + [0], context: context) }
  }

  @Test(
    "A value does not open in another context, however its parts are cut",
    arguments: [
      ["acct_2", "live", "access-token"], ["acct_1", "test", "access-token"], ["acct_1live", "", "access-token"],
      ["acct_1", "liveaccess-token"], ["acct_1", "live", "access-token", ""], [],
    ])
  func otherContext(other: [String]) throws {
    let ring = try KeyRing(parsing: old)
    let encrypted = try ring.encrypt("secret", context: context)
    #expect(throws: EncryptionError.notAuthentic) { try ring.decrypt(encrypted, context: other) }
  }

  @Test("The same key under another id does not open: the id is authenticated")
  func otherKeyID() throws {
    let bytes = Base64.encode([UInt8](repeating: 1, count: 32))
    var encrypted = try KeyRing(parsing: "a:\(bytes)").encrypt("secret", context: context)
    #expect(throws: EncryptionError.unknownKey(id: "a")) {
      try KeyRing(parsing: "b:\(bytes)").decrypt(encrypted, context: context)
    }
    encrypted[2] = UInt8(ascii: "b")
    #expect(throws: EncryptionError.notAuthentic) {
      try KeyRing(parsing: "b:\(bytes)").decrypt(encrypted, context: context)
    }
  }

  @Test("Rotation: the first key encrypts, all open, a dropped key is named")
  func rotation() throws {
    let before = try KeyRing(parsing: old)
    let encrypted = try before.encrypt("secret", context: context)

    let during = try KeyRing(parsing: "\(new), \(old)")
    #expect(during.primaryKeyID == "2026-11")
    #expect(during.keyIDs == ["2026-11", "old"])
    #expect(during.needsReencryption(encrypted))
    let reencrypted = try #require(try during.reencrypted(encrypted, context: context))
    #expect(!during.needsReencryption(reencrypted))
    #expect(try during.reencrypted(reencrypted, context: context) == nil)
    #expect(throws: EncryptionError.notAuthentic) { try during.reencrypted(encrypted, context: ["another"]) }

    let after = try KeyRing(parsing: new)
    #expect(try after.decryptText(reencrypted, context: context) == "secret")
    #expect(throws: EncryptionError.unknownKey(id: "old")) { try after.decrypt(encrypted, context: context) }
  }

  @Test("What is no encrypted value has no key id")
  func foreign() throws {
    for bytes in [[], [1], [2, 1, 65], Array("plain text that nobody sealed, long enough".utf8)] as [[UInt8]] {
      #expect(KeyRing.keyID(of: bytes) == nil)
      #expect(throws: EncryptionError.malformed) { try KeyRing(parsing: old).decrypt(bytes, context: []) }
    }
  }

  @Test("A faulty setting says where and what was expected, and repeats none of it")
  func parsing() {
    let key = Base64.encode([UInt8](repeating: 0xC3, count: 32))
    let cases: [(String, KeyRingError)] = [
      ("", .empty), ("  ", .empty), (key, .missingColon(position: 1)),
      ("a:\(key),", .missingColon(position: 2)),
      (":\(key)", .malformedID(position: 1)), ("\(key):a", .malformedID(position: 1)),
      ("a:\(key),b c:\(key)", .malformedID(position: 2)),
      ("a:\(key),a:\(key)", .repeatedID(position: 2)),
      ("a:\(key.dropLast())", .notBase64(position: 1)), ("a:!!!!", .notBase64(position: 1)),
      ("a:\(Base64.encode([UInt8](repeating: 0xC3, count: 16)))", .wrongLength(position: 1, bytes: 16)),
      ("a:", .wrongLength(position: 1, bytes: 0)),
    ]
    for (text, expected) in cases {
      #expect(throws: expected) { try KeyRing(parsing: text) }
      #expect(expected.description.contains("32 random bytes"))
    }
  }

  @Test("A new entry is read back, and a ring shows ids only")
  func newEntry() throws {
    let entry = try KeyRing.newEntry(id: "k1")
    let ring = try KeyRing(parsing: entry)
    #expect("\(ring)" == "KeyRing(k1)")
    var dumped = ""
    dump(ring, to: &dumped)
    #expect(!dumped.contains("bytes"))
    #expect(throws: KeyRingError.malformedID(position: 1)) { try KeyRing.newEntry(id: "a:b") }
  }
}
