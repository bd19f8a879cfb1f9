import Cryptography
import Testing

@Suite("Key ring")
struct KeyRingTests {
  let old = "old:" + Base64.encode([UInt8](repeating: 1, count: 32))
  let new = "2026-11:" + Base64.encode([UInt8](repeating: 2, count: 32))
  let context = ["acct_1", "live", "access-token"]

  @Test("What was sealed opens in the same context")
  func roundTrip() throws {
    let ring = try KeyRing(parsing: old)
    for plaintext in [[], [0], Array("a secret".utf8), Random.bytes(5000)] as [[UInt8]] {
      let sealed = try ring.seal(plaintext, context: context)
      #expect(try ring.open(sealed, context: context) == plaintext)
      #expect(KeyRing.keyID(of: sealed) == "old")
    }
    #expect(try ring.openText(try ring.seal("tok\u{E9}n", context: []), context: []) == "tok\u{E9}n")
  }

  @Test("Equal secrets look different, and nothing of the plaintext shows")
  func fresh() throws {
    let ring = try KeyRing(parsing: old)
    let plaintext = Array("sk_live_0123456789".utf8)
    let first = try ring.seal(plaintext, context: context)
    #expect(try ring.seal(plaintext, context: context) != first)
    #expect(!String(decoding: first, as: UTF8.self).contains("sk_live"))
  }

  @Test("Every changed byte is noticed")
  func tampering() throws {
    let ring = try KeyRing(parsing: old)
    let sealed = try ring.seal("secret", context: context)
    for position in sealed.indices {
      var changed = sealed
      changed[position] ^= 1
      #expect(throws: SealError.self) { try ring.open(changed, context: context) }
    }
    for count in 0..<sealed.count {
      #expect(throws: SealError.self) { try ring.open(Array(sealed.prefix(count)), context: context) }
    }
    #expect(throws: SealError.notAuthentic) { try ring.open(sealed + [0], context: context) }
  }

  @Test(
    "A value does not open in another context, however its parts are cut",
    arguments: [
      ["acct_2", "live", "access-token"], ["acct_1", "test", "access-token"], ["acct_1live", "", "access-token"],
      ["acct_1", "liveaccess-token"], ["acct_1", "live", "access-token", ""], [],
    ])
  func otherContext(other: [String]) throws {
    let ring = try KeyRing(parsing: old)
    let sealed = try ring.seal("secret", context: context)
    #expect(throws: SealError.notAuthentic) { try ring.open(sealed, context: other) }
  }

  @Test("The same key under another id does not open: the id is authenticated")
  func otherKeyID() throws {
    let bytes = Base64.encode([UInt8](repeating: 1, count: 32))
    var sealed = try KeyRing(parsing: "a:\(bytes)").seal("secret", context: context)
    #expect(throws: SealError.unknownKey(id: "a")) {
      try KeyRing(parsing: "b:\(bytes)").open(sealed, context: context)
    }
    sealed[2] = UInt8(ascii: "b")
    #expect(throws: SealError.notAuthentic) { try KeyRing(parsing: "b:\(bytes)").open(sealed, context: context) }
  }

  @Test("Rotation: the first key seals, all open, a dropped key is named")
  func rotation() throws {
    let before = try KeyRing(parsing: old)
    let sealed = try before.seal("secret", context: context)

    let during = try KeyRing(parsing: "\(new), \(old)")
    #expect(during.primaryKeyID == "2026-11")
    #expect(during.keyIDs == ["2026-11", "old"])
    #expect(during.needsResealing(sealed))
    let resealed = try during.seal(try during.open(sealed, context: context), context: context)
    #expect(!during.needsResealing(resealed))

    let after = try KeyRing(parsing: new)
    #expect(try after.openText(resealed, context: context) == "secret")
    #expect(throws: SealError.unknownKey(id: "old")) { try after.open(sealed, context: context) }
  }

  @Test("What is no sealed value has no key id")
  func foreign() throws {
    for bytes in [[], [1], [2, 1, 65], Array("plain text that nobody sealed, long enough".utf8)] as [[UInt8]] {
      #expect(KeyRing.keyID(of: bytes) == nil)
      #expect(throws: SealError.malformed) { try KeyRing(parsing: old).open(bytes, context: []) }
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
