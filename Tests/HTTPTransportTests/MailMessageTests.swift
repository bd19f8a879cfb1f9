import Foundation
import HTTPTransport
import Testing

@testable import HTTPTransport

@Suite("A mail message")
struct MailMessageTests {
  private func message(
    from: String = "Licenses <licenses@example.com>", to: String = "buyer@example.org",
    subject: String = "Your license",
    text: String = "Hello"
  ) throws -> MailMessage {
    MailMessage(
      from: try #require(MailAddress(parsing: from)), to: try #require(MailAddress(parsing: to)), subject: subject,
      text: text, date: Date(timeIntervalSince1970: 1_800_000_000), id: "dlv_1.0",
      headers: [("Auto-Submitted", "auto-generated")])
  }

  private func lines(_ message: MailMessage) -> [String] {
    String(decoding: message.bytes(), as: UTF8.self).components(separatedBy: "\r\n")
  }

  @Test("has the fields of RFC 5322, in CRLF lines")
  func plain() throws {
    #expect(
      lines(try message()) == [
        "Date: Fri, 15 Jan 2027 08:00:00 +0000", "From: \"Licenses\" <licenses@example.com>", "To: buyer@example.org",
        "Subject: Your license", "Message-ID: <dlv_1.0@example.com>", "Auto-Submitted: auto-generated",
        "MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 7bit", "", "Hello",
        "",
      ])
  }

  @Test(
    "takes no field, line or receiver out of a text that somebody else wrote",
    arguments: ["\r\n", "\n", "\r", "\u{2028}", "\0"])
  func injection(end: String) throws {
    let evil = "Hello\(end)Bcc: other@example.net\(end)\(end)body"
    var message = try message(subject: evil)
    message.from = try #require(MailAddress("licenses@example.com", name: evil))
    message.headers.append(("X-Note", evil))
    message.id = evil
    let fields = lines(message).prefix { !$0.isEmpty }
    #expect(!fields.contains { $0.lowercased().hasPrefix("bcc") })
    #expect(fields.allSatisfy { $0.utf8.count <= 78 && $0.utf8.allSatisfy { (0x20...0x7E).contains($0) } })
    #expect(MailAddress("a\(end)b@example.com") == nil)
    #expect(MailAddress("a@example.com\(end)") == nil)
  }

  @Test(
    "goes to the ASCII form of a domain in another alphabet",
    arguments: [
      ("kunde@bücher.example", "kunde@xn--bcher-kva.example"), ("kunde@BÜCHER.Example", "kunde@xn--bcher-kva.example"),
      ("kunde@bu\u{308}cher.example", "kunde@xn--bcher-kva.example"), ("a@faß.example", "a@xn--fa-hia.example"),
      ("a+b@例え.テスト", "a+b@xn--r8jz45g.xn--zckzah"), ("a@例え。テスト", "a@xn--r8jz45g.xn--zckzah"),
      ("a@xn--bcher-kva.example", "a@xn--bcher-kva.example"), ("Buyer+Tag@Example.COM", "Buyer+Tag@Example.COM"),
    ])
  func domains(_ typed: String, _ sent: String) throws {
    let address = try #require(MailAddress(typed))
    #expect(address.address == sent)
    #expect(lines(try message(to: typed))[2] == "To: \(sent)")
  }

  @Test(
    "does not go to what has no such form",
    arguments: [
      "ü@example.com", "a@ü/evil.com", "a@ü:80", "a@ü?x.de", "a@ü#x.de", "a@ü%00.de", "a@-ü.de", "a@ü b.de",
      "a@ü／evil.com", "a@ü：80", "a@ü\u{202E}.de", "a@[ü]", "a@ü@b.de", "a@ü..de", "a@.ü",
      "a@\(String(repeating: "ü", count: 70)).de", "a@\(String(repeating: "ü.", count: 400))de",
    ])
  func noDomain(_ typed: String) {
    #expect(MailAddress(typed) == nil)
  }

  @Test("writes other alphabets as encoded words that split no character")
  func encodedWords() throws {
    let subject = String(repeating: "Grüße aus Zürich 🎉 ", count: 10)
    let text = String(decoding: try message(subject: subject).bytes(), as: UTF8.self)
    let field = try #require(text.firstMatch(of: /\r\nSubject: ((?:.|\r\n )*?)\r\n[A-Z]/)).1
    let words = field.components(separatedBy: "\r\n ")
    #expect(words.count > 3)
    var decoded = ""
    for word in words {
      #expect(word.utf8.count <= 75)
      let inner = try #require(word.wholeMatch(of: /=\?utf-8\?B\?([A-Za-z0-9+\/=]+)\?=/)).1
      let data = try #require(Data(base64Encoded: String(inner)))
      decoded += try #require(String(data: data, encoding: .utf8))
    }
    #expect(decoded == subject)
  }

  @Test("encodes a body only where it must")
  func bodies() throws {
    #expect(MailEncoding.body("a\nb\r\nc\rd").bytes == Array("a\r\nb\r\nc\r\nd\r\n".utf8))
    #expect(MailEncoding.body("a").coding == "7bit")
    let (coding, bytes) = MailEncoding.body("Grüße = 1 \n" + String(repeating: "x", count: 2_000))
    #expect(coding == "quoted-printable")
    let text = String(decoding: bytes, as: UTF8.self)
    #expect(text.hasPrefix("Gr=C3=BC=C3=9Fe =3D 1=20\r\n"))
    #expect(text.components(separatedBy: "\r\n").allSatisfy { $0.utf8.count <= 76 })
  }

  @Test(
    "goes only to addresses that every mail system takes",
    arguments: [
      "", "a", "@example.com", "a@", "a@b@c", "a b@example.com", "a@exa mple.com", "<a@example.com>x", "a@-b.com",
      "ü@example.com", "\"a b\"@example.com", ".a@example.com", "a@[127.0.0.1]", "a@b..c",
      "a>@example.com", "a,b@example.com",
    ])
  func addresses(text: String) { #expect(MailAddress(text) == nil) }

  @Test("says the day and the time of any date")
  func dates() {
    let cases: [(TimeInterval, String)] = [
      (0, "Thu, 01 Jan 1970 00:00:00 +0000"), (951_827_696, "Tue, 29 Feb 2000 12:34:56 +0000"),
      (1_735_689_599, "Tue, 31 Dec 2024 23:59:59 +0000"), (4_102_444_800, "Fri, 01 Jan 2100 00:00:00 +0000"),
    ]
    for (seconds, text) in cases { #expect(MailMessage.dateText(Date(timeIntervalSince1970: seconds)) == text) }
  }
}
