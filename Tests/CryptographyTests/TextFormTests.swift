import Foundation
import Testing

@testable import Cryptography

@Suite("Bytes as text, and random texts")
struct TextFormTests {
  @Test("Hexadecimal text goes both ways; odd lengths and other characters do not")
  func hex() {
    #expect(Hex.encode([0, 255, 16] as [UInt8]) == "00ff10")
    #expect(Hex.decode("00fF10") == [0, 255, 16])
    #expect(Hex.decode("00fF10", allowUppercase: false) == nil)
    #expect(Hex.decode("") == [])
    for text in ["0", "0g", " 00", "\u{660}0"] { #expect(Hex.decode(text) == nil) }
  }

  @Test(
    "Base64 gives the texts of RFC 4648",
    arguments: [
      ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
      ("foobar", "Zm9vYmFy"),
    ])
  func base64(plain: String, encoded: String) {
    #expect(Base64.encode(Array(plain.utf8)) == encoded)
    #expect(Base64.decode(encoded) == Array(plain.utf8))
    let bare = encoded.replacing("=", with: "")
    #expect(Base64.encodeURL(Array(plain.utf8)) == bare)
    #expect(Base64.decodeURL(bare) == Array(plain.utf8))
  }

  @Test("Any bytes survive Base64, as Foundation writes it too")
  func base64RoundTrip() {
    for count in 0..<200 {
      let bytes = Random.bytes(count)
      #expect(Base64.encode(bytes) == Data(bytes).base64EncodedString())
      #expect(Base64.decode(Base64.encode(bytes)) == bytes)
      #expect(Base64.decodeURL(Base64.encodeURL(bytes)) == bytes)
    }
    #expect(Base64.encodeURL([0xFB, 0xFF] as [UInt8]) == "-_8")
  }

  @Test(
    "Base64 has one spelling: other padding, alphabets, white space and stray bits are refused",
    arguments: ["Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "Zm9v\n", " Zm9v", "Z===", "====", "Zm-_", "Zm9v====", "Z=g="])
  func strictBase64(text: String) {
    #expect(Base64.decode(text) == nil)
  }

  @Test(
    "The URL-safe form refuses padding, the standard alphabet and stray bits", arguments: ["Zg==", "Zh", "+/8", "Z"])
  func strictURLBase64(text: String) {
    #expect(Base64.decodeURL(text) == nil)
  }

  @Test("A token has its prefix, only letters and digits, and enough of them")
  func tokens() {
    let token = Random.token(prefix: "lsk_")
    #expect(token.hasPrefix("lsk_"))
    #expect(token.utf8.count == 4 + 43)
    #expect(token.dropFirst(4).utf8.allSatisfy { Character(Unicode.Scalar($0)).isLetter || (48...57).contains($0) })
    #expect(Set((0..<1000).map { _ in Random.token(prefix: "", bytes: 16) }).count == 1000)
    #expect(Random.token(prefix: "", bytes: 16).utf8.count == 22)
  }

  @Test("Every character of a token is about equally likely")
  func evenTokens() {
    var counts: [UInt8: Int] = [:]
    for character in Random.token(prefix: "", bytes: 100_000).utf8 { counts[character, default: 0] += 1 }
    #expect(counts.count == 62)
    // About 2167 of each; seven standard deviations are 326.
    for (_, count) in counts { #expect((1840...2500).contains(count)) }
  }

  @Test("Ids made later sort later, and all differ")
  func ids() {
    let id = Random.id(prefix: "ful_")
    #expect(id.hasPrefix("ful_"))
    #expect(id.utf8.count == 28)
    let ordered = [0, 1, 1_700_000_000_000, 1_700_000_000_001, 1_800_000_000_000].map {
      Random.id(prefix: "x_", milliseconds: $0)
    }
    #expect(ordered == ordered.sorted())
    #expect(Set((0..<1000).map { _ in Random.id(prefix: "") }).count == 1000)
  }

  @Test("Random bytes come in any number")
  func bytes() {
    for count in [0, 1, 7, 32, 1000] { #expect(Random.bytes(count).count == count) }
    #expect(Random.bytes(32) != Random.bytes(32))
  }
}
