import Cryptography
import Testing

@Suite("Digests and message codes")
struct DigestTests {
  @Test("SHA-256 gives the digests of FIPS 180-4's examples")
  func sha256() {
    #expect(SHA256.hexHash("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    #expect(SHA256.hexHash("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    #expect(Hex.encode(SHA256.hash(Array("abc".utf8))) == SHA256.hexHash("abc"))
  }

  @Test(
    "HMAC-SHA-256 gives the codes of RFC 4231",
    arguments: [
      (
        [UInt8](repeating: 0x0B, count: 20), Array("Hi There".utf8),
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
      ),
      (
        Array("Jefe".utf8), Array("what do ya want for nothing?".utf8),
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
      ),
      (
        [UInt8](repeating: 0xAA, count: 20), [UInt8](repeating: 0xDD, count: 50),
        "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"
      ),
      (
        [UInt8](repeating: 0xAA, count: 131), Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8),
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
      ),
    ])
  func rfc4231(key: [UInt8], message: [UInt8], code: String) {
    #expect(Hex.encode(HMACSHA256(key: key).code(for: message)) == code)
  }

  @Test(
    "HMAC-SHA-256 signs webhook and page payloads as their senders do",
    arguments: [
      (
        "whsec_test_secret", #"1700000000.{"id":"evt_test_1","object":"event","type":"invoice.paid"}"#,
        "3e3e661992c26c45d9105cbea450acc1a34f8c6dbafbd891f858c6fd9054fe3e"
      ),
      (
        "whsec_old_secret", #"1700000000.{"id":"evt_test_1","object":"event","type":"invoice.paid"}"#,
        "fa749a40793ff5b8d615dc3929eca5ead030a1e5885db34b1589ab6517d2e446"
      ),
      (
        "absec_test_secret", #"1700000000.{"user_id":"usr_K6yd2CbXLO9A5G","account_id":"acct_1JSkf6FRwUQjTSJE"}"#,
        "95d377f7216b002bc8462ad7ad1c21ae33f54bfd7f12f1fe86f43cfd56123df3"
      ),
      (
        "absec_test_secret",
        #"1700000000.{"operation":"licenses.list","nonce":"n-001","livemode":true,"user_id":"usr_K6yd2CbXLO9A5G","account_id":"acct_1JSkf6FRwUQjTSJE"}"#,
        "b272560bc7c68ad5e1524edad1afa4074a547e2de97c1c1696e4fac9260b7dd1"
      ),
      (
        "absec_test_secret",
        #"1700000000.{"state":"st-123","user_id":"usr_K6yd2CbXLO9A5G","account_id":"acct_1JSkf6FRwUQjTSJE"}"#,
        "d951dc5098c42b7cd4ad5e263a2a8bd8e4b9a5dd29c03e0872e3228299ee319f"
      ),
    ])
  func payloads(secret: String, signed: String, code: String) {
    #expect(Hex.encode(HMACSHA256(key: secret).code(for: Array(signed.utf8))) == code)
  }

  @Test("One message in parts has the code of the whole, in every way to hand over parts")
  func parts() {
    let hmac = HMACSHA256(key: "key")
    let whole = hmac.code(for: Array("1700000000.body".utf8))
    #expect(hmac.code(for: Array("1700000000".utf8), [], Array(".".utf8), Array("body".utf8)) == whole)
    #expect(hmac.code(for: [Array("1700000000.".utf8)[...], Array("xbody".utf8).dropFirst()]) == whole)
    #expect(hmac.isValid(whole, for: Array("1700000000.".utf8), Array("body".utf8)))
    #expect(!hmac.isValid(whole, for: Array("1700000001.".utf8), Array("body".utf8)))
    #expect(!hmac.isValid([], for: Array("1700000000.body".utf8)))
  }

  @Test("An empty key and an empty message have a code too")
  func empty() {
    #expect(
      Hex.encode(HMACSHA256(key: "").code(for: [UInt8]()))
        == "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad")
  }

  @Test("One key serves many tasks at once")
  func concurrent() async {
    let hmac = HMACSHA256(key: "shared")
    let message = [UInt8](repeating: 7, count: 3000)
    let expected = hmac.code(for: message)
    let wrong = await withTaskGroup(of: Int.self) { group in
      for _ in 0..<8 {
        group.addTask { (0..<500).count { _ in hmac.code(for: message) != expected } }
      }
      return await group.reduce(0, +)
    }
    #expect(wrong == 0)
  }

  @Test("HKDF-SHA-256 derives the keys of RFC 5869's first and third case")
  func hkdf() throws {
    let secret = [UInt8](repeating: 0x0B, count: 22)
    let first = HKDFSHA256.derive(
      secret: secret, salt: Array(0x00...0x0C), info: Array(0xF0...0xF9), count: 42)
    #expect(
      Hex.encode(first)
        == "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865")
    let third = HKDFSHA256.derive(secret: secret, salt: [], info: [UInt8](), count: 42)
    #expect(
      Hex.encode(third)
        == "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8")
    #expect(
      HKDFSHA256.derive(secret: secret, info: "a", count: 32) != HKDFSHA256.derive(secret: secret, info: "b", count: 32)
    )
  }

  @Test("Comparison in constant time finds equal and different bytes")
  func comparison() {
    #expect(constantTimeEqual([], []))
    #expect(constantTimeEqual([1, 2, 3], [1, 2, 3]))
    #expect(!constantTimeEqual([1, 2, 3], [1, 2, 4]))
    #expect(!constantTimeEqual([1, 2, 3], [1, 2]))
  }
}
