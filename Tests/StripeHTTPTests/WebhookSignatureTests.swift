import Foundation
import TestRandom
import StripeAPI
import Testing

@testable import StripeHTTP

@Suite("Webhook signatures")
struct WebhookSignatureTests {
  let body = Array(#"{"id":"evt_test_1","object":"event","type":"invoice.paid"}"#.utf8)
  let signedAt = Date(timeIntervalSince1970: 1_700_000_000)
  let current = "3e3e661992c26c45d9105cbea450acc1a34f8c6dbafbd891f858c6fd9054fe3e"
  let former = "fa749a40793ff5b8d615dc3929eca5ead030a1e5885db34b1589ab6517d2e446"

  func secrets(_ texts: String...) throws -> [WebhookSecret] {
    try texts.map { try WebhookSecret($0) }
  }

  /// Nil when the header is accepted.
  func refusal(
    _ header: String?, body: [UInt8]? = nil, secrets: [WebhookSecret]? = nil, at now: Date? = nil
  ) throws -> SignatureError? {
    let secrets = try secrets ?? self.secrets("whsec_test_secret")
    do throws(SignatureError) {
      try WebhookSignature.verify(header: header, payload: body ?? self.body, secrets: secrets, now: now ?? signedAt)
      return nil
    } catch {
      return error
    }
  }

  @Test("A header made with the endpoint's secret is accepted, and says when Stripe signed")
  func accepts() throws {
    let time = try WebhookSignature.verify(
      header: "t=1700000000,v1=\(current)", payload: body, secrets: secrets("whsec_test_secret"), now: signedAt)
    #expect(time == signedAt)
  }

  @Test("While a secret is rolled, either of the two secrets is enough")
  func rolling() throws {
    let header = "t=1700000000,v1=\(former),v1=\(current)"
    #expect(try refusal(header) == nil)
    #expect(try refusal(header, secrets: secrets("whsec_old_secret")) == nil)
    #expect(try refusal("t=1700000000,v1=\(former)", secrets: secrets("whsec_test_secret", "whsec_old_secret")) == nil)
    #expect(try refusal("t=1700000000,v1=\(former)") == .mismatch)
  }

  @Test("A well-formed signature is found among malformed ones and other schemes")
  func amongOthers() throws {
    #expect(try refusal("t=1700000000,v1=zz,v0=\(former),v2=1,nonsense,=,v1=\(current)") == nil)
    #expect(try refusal(" t=1700000000, v1=\(current) ") == nil)
  }

  @Test(
    "A header without a usable time or signature is refused",
    arguments: [
      ("", SignatureError.missingHeader),
      ("   ", .missingHeader),
      ("v1=3e3e661992c26c45d9105cbea450acc1a34f8c6dbafbd891f858c6fd9054fe3e", .missingTimestamp),
      ("t=abc,v1=3e3e661992c26c45d9105cbea450acc1a34f8c6dbafbd891f858c6fd9054fe3e", .malformedTimestamp),
      ("t=,v1=3e3e661992c26c45d9105cbea450acc1a34f8c6dbafbd891f858c6fd9054fe3e", .malformedTimestamp),
      ("t=-1700000000,v1=3e3e661992c26c45d9105cbea450acc1a34f8c6dbafbd891f858c6fd9054fe3e", .malformedTimestamp),
      ("t=+1700000000,v1=3e3e661992c26c45d9105cbea450acc1a34f8c6dbafbd891f858c6fd9054fe3e", .malformedTimestamp),
      (
        "t=17000000000000000000000,v1=3e3e661992c26c45d9105cbea450acc1a34f8c6dbafbd891f858c6fd9054fe3e",
        .malformedTimestamp
      ),
      ("t=1700000000", .noSignature),
      ("t=1700000000,v0=3e3e661992c26c45d9105cbea450acc1a34f8c6dbafbd891f858c6fd9054fe3e", .noSignature),
      ("t=1700000000,v1=", .noSignature),
      ("t=1700000000,v1=3E3E661992C26C45D9105CBEA450ACC1A34F8C6DBAFBD891F858C6FD9054FE3E", .noSignature),
      ("t=1700000000,v1=3e3e661992c26c45d9105cbea450acc1a34f8c6dbafbd891f858c6fd9054fe3", .noSignature),
      ("t=1700000000,v1=3e3e661992c26c45d9105cbea450acc1a34f8c6dbafbd891f858c6fd9054fe3e00", .noSignature),
    ])
  func malformed(_ header: String, _ expected: SignatureError) throws {
    #expect(try refusal(header) == expected)
  }

  @Test("A request without the header is refused")
  func noHeader() throws {
    #expect(try refusal(nil) == .missingHeader)
  }

  @Test("Of two times the last one counts")
  func twoTimes() throws {
    #expect(try refusal("t=1600000000,t=1700000000,v1=\(current)") == nil)
    #expect(try refusal("t=1700000000,t=1600000000,v1=\(current)") == .mismatch)
    #expect(try refusal("t=1700000000,t=soon,v1=\(current)") == .malformedTimestamp)
  }

  @Test("A header over 4 KB is not read")
  func tooLong() throws {
    let padding = String(repeating: "v0=0,", count: 900)
    #expect(try refusal("t=1700000000,\(padding)v1=\(current)") == .headerTooLong)
  }

  @Test("A body with one byte changed is refused")
  func changedBody() throws {
    for index in body.indices {
      var changed = body
      changed[index] ^= 1
      #expect(try refusal("t=1700000000,v1=\(current)", body: changed) == .mismatch)
    }
    #expect(try refusal("t=1700000000,v1=\(current)", body: body + [UInt8(ascii: "\n")]) == .mismatch)
    #expect(try refusal("t=1700000000,v1=\(current)", body: []) == .mismatch)
  }

  @Test("300 seconds before or after are accepted, 301 are not")
  func age() throws {
    let header = "t=1700000000,v1=\(current)"
    #expect(try refusal(header, at: signedAt + 300) == nil)
    #expect(try refusal(header, at: signedAt + 300.9) == nil)
    #expect(try refusal(header, at: signedAt + 301) == .tooOld)
    #expect(try refusal(header, at: signedAt - 300) == nil)
    #expect(try refusal(header, at: signedAt - 301) == .fromTheFuture)
  }

  @Test("Age is judged only of what Stripe really signed")
  func ageOfForgery() throws {
    #expect(try refusal("t=1600000000,v1=\(current)") == .mismatch)
  }

  @Test("An empty secret is refused when it is configured, and no secret verifies nothing")
  func emptySecret() throws {
    #expect(throws: SigningSecretError.empty) { try WebhookSecret("") }
    #expect(throws: SigningSecretError.empty) { try WebhookSecret(" \r\n\t") }
    #expect(throws: SigningSecretError.empty) { try WebhookSecret.list("whsec_1,,whsec_2") }
    #expect(try refusal("t=1700000000,v1=\(current)", secrets: []) == .noSecret)
  }

  @Test("White space around a configured secret does not matter")
  func trimmedSecret() throws {
    #expect(try refusal("t=1700000000,v1=\(current)", secrets: secrets(" whsec_test_secret\r\n")) == nil)
    let list = try WebhookSecret.list("whsec_old_secret, whsec_test_secret\n")
    #expect(try refusal("t=1700000000,v1=\(current)", secrets: list) == nil)
  }

  @Test("A secret shows itself in no description")
  func withheld() throws {
    let secret = try WebhookSecret("whsec_test_secret")
    var dumped = ""
    dump([secret], to: &dumped)
    #expect(!"\(secret) \(String(reflecting: secret)) \(dumped)".contains("whsec_test"))
  }

  @Test("Whatever bytes a header holds, it is answered and never accepted", arguments: 0..<20 as Range<UInt64>)
  func noise(_ seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    for _ in 0..<200 {
      #expect(try refusal(random.headerNoise()) != nil)
      #expect(
        try refusal(String(decoding: random.bytes(Int.random(in: 0...300, using: &random)), as: UTF8.self)) != nil)
    }
  }

  @Test(
    "What is signed always verifies, and no flipped bit of body or signature does", arguments: 0..<20 as Range<UInt64>)
  func roundTrip(_ seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let secret = try WebhookSecret("whsec_\(random.next())")
    let body = random.bytes(Int.random(in: 0...5000, using: &random))
    let time = Date(timeIntervalSince1970: Double(Int.random(in: 0...4_000_000_000, using: &random)))
    let header = WebhookSignature.sign(payload: body, secrets: [try WebhookSecret("whsec_other"), secret], at: time)
    #expect(try refusal(header, body: body, secrets: [secret], at: time) == nil)

    for _ in 0..<20 where !body.isEmpty {
      var changed = body
      changed[Int.random(in: body.indices, using: &random)] ^= 1 << UInt8.random(in: 0...7, using: &random)
      #expect(try refusal(header, body: changed, secrets: [secret], at: time) == .mismatch)
    }
    let own = WebhookSignature.sign(payload: body, secrets: [secret], at: time)
    for _ in 0..<20 {
      var changed = Array(own.utf8)
      changed[Int.random(in: changed.indices, using: &random)] ^= 1 << UInt8.random(in: 0...6, using: &random)
      #expect(try refusal(String(decoding: changed, as: UTF8.self), body: body, secrets: [secret], at: time) != nil)
    }
  }
}

extension SeededRandom {
  /// A text of characters that matter to the parser more often than chance would have it.
  fileprivate mutating func headerNoise() -> String {
    let alphabet = Array("tv01=,,  abcdef0123456789ABCxyz.+-%\u{0}é\u{1F600}\n")
    return String((0..<Int.random(in: 0...200, using: &self)).map { _ in alphabet.randomElement(using: &self) ?? "t" })
  }
}
