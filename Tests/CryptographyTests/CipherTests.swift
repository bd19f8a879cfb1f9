import Cryptography
import Testing

@Suite("AES-256-GCM, for formats that others read")
struct CipherTests {
  @Test("It gives the ciphertexts and tags of the GCM specification's cases 13, 14 and 16, and opens them")
  func vectors() throws {
    let zeros = [UInt8](repeating: 0, count: 32)
    let key = try #require(Hex.decode("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"))
    let nonce = try #require(Hex.decode("cafebabefacedbaddecaf888"))
    let text = try #require(
      Hex.decode(
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
      ))
    let associated = try #require(Hex.decode("feedfacedeadbeeffeedfacedeadbeefabaddad2"))
    let cases: [(plaintext: [UInt8], key: [UInt8], nonce: [UInt8], associated: [UInt8], encrypted: String)] = [
      ([], zeros, Array(zeros[..<12]), [], "530f8afbc74536b9a963b4f1c4cb738b"),
      (
        Array(zeros[..<16]), zeros, Array(zeros[..<12]), [],
        "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"
      ),
      (
        text, key, nonce, associated,
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
          + "76fc6ece0f4e1768cddf8853bb2d551b"
      ),
    ]
    for one in cases {
      let encrypted = try #require(
        AES256GCM.encrypt(one.plaintext, key: one.key, nonce: one.nonce, authenticating: one.associated))
      #expect(Hex.encode(encrypted) == one.encrypted)
      #expect(
        AES256GCM.decrypt(encrypted[...], key: one.key, nonce: one.nonce, authenticating: one.associated)
          == one.plaintext)
      var changed = encrypted
      changed[changed.count - 1] ^= 1
      #expect(AES256GCM.decrypt(changed[...], key: one.key, nonce: one.nonce, authenticating: one.associated) == nil)
      #expect(AES256GCM.decrypt(encrypted[...], key: one.key, nonce: one.nonce, authenticating: [1]) == nil)
    }
  }

  @Test("HKDF-SHA-256 derives the key of RFC 5869's second case, with long inputs")
  func longInputs() {
    let derived = HKDFSHA256.derive(
      secret: Array(0x00...0x4F), salt: Array(0x60...0xAF), info: Array(0xB0...0xFF), count: 82)
    #expect(
      Hex.encode(derived)
        == "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87"
    )
  }
}
