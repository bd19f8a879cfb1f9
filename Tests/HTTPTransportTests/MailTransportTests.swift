import Foundation
import HTTPTransport
import Logging
import Synchronization
import Testing

@testable import HTTPTransport

@Suite("Mail to a relay")
struct MailTransportTests {
  private func message(_ text: String = "Hello") throws -> MailMessage {
    MailMessage(
      from: try #require(MailAddress("licenses@example.com")), to: try #require(MailAddress("buyer@example.org")),
      subject: "Your license", text: text, date: Date(timeIntervalSince1970: 1_800_000_000), id: "dlv_1.0")
  }

  private func send(
    _ message: MailMessage, to server: ScriptedSMTPServer, user: String = "", encryption: MailRelay.Encryption? = nil,
    deadline: Duration = .seconds(10)
  ) async throws -> MailTransportError? {
    let relay = try #require(MailRelay(url: "smtp://\(user)127.0.0.1:\(server.port)", encryption: encryption))
    let transport = MailTransport(relay, logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
    defer { transport.shutdown() }
    do {
      try await transport.send(message, deadline: deadline)
      return nil
    } catch {
      return error
    }
  }

  @Test("arrives as it was written, lines that begin with a dot included")
  func arrives() async throws {
    let server = try ScriptedSMTPServer()
    #expect(try await send(message("One\n.\n..two\n.three"), to: server) == nil)
    let taken = try #require(server.messages.first)
    #expect(taken.from.hasPrefix("MAIL FROM:<licenses@example.com>"))
    #expect(taken.to == ["RCPT TO:<buyer@example.org>"])
    #expect(taken.lines.suffix(4) == ["One", "..", "...two", "..three"])
    #expect(taken.lines.contains("Subject: Your license"))
  }

  @Test(
    "knows what is refused for now from what is refused for good",
    arguments: [
      ("MAIL", "451 busy", MailTransportError.later(reply: 451)), ("RCPT", "450 greylisted", .later(reply: 450)),
      ("RCPT", "550 no such user", .refused(reply: 550)), ("DATA", "552 too much", .refused(reply: 552)),
      ("END", "554 spam", .refused(reply: 554)), ("END", "451 later", .later(reply: 451)),
      ("MAIL", "530 log in first", .authentication(reply: 530)), ("MAIL", "421 closing", .later(reply: 421)),
    ])
  func refusals(verb: String, answer: String, expected: MailTransportError) async throws {
    let server = try ScriptedSMTPServer { $0.hasPrefix(verb) ? answer : nil }
    #expect(try await send(message(), to: server) == expected)
    #expect(server.messages.isEmpty)
  }

  @Test("does not take a relay that is not ready for a refusal of the message", arguments: ["554 go away", "421 busy"])
  func notReady(greeting: String) async throws {
    let server = try ScriptedSMTPServer { $0 == "CONNECT" ? greeting : nil }
    let error = try #require(try await send(message(), to: server))
    #expect(!error.isFinal)
  }

  @Test("says so when the connection breaks, wherever", arguments: ["CONNECT", "EHLO", "MAIL", "RCPT", "LINE", "END"])
  func broken(place: String) async throws {
    let server = try ScriptedSMTPServer { $0.hasPrefix(place) ? "" : nil }
    let error = try #require(try await send(message(String(repeating: "x\n", count: 50_000)), to: server))
    #expect(!error.isFinal)
    #expect(server.messages.isEmpty)
  }

  @Test("does not go to a relay without encryption where that is required")
  func encryptionRequired() async throws {
    let server = try ScriptedSMTPServer()
    let error = try #require(try await send(message(), to: server, encryption: .required))
    guard case .tls = error else {
      Issue.record("\(error)")
      return
    }
    #expect(!server.heard.contains { $0.hasPrefix("MAIL") || $0.hasPrefix("AUTH") })
  }

  @Test("logs in, and tells a refused password from a refused message")
  func login() async throws {
    let server = try ScriptedSMTPServer(extensions: ["AUTH PLAIN"]) { $0.hasPrefix("AUTH") ? "235 welcome" : nil }
    #expect(try await send(message(), to: server, user: "user%40example.com:s%3Acret@") == nil)
    let given = try #require(server.heard.first { $0.hasPrefix("AUTH PLAIN ") }).dropFirst("AUTH PLAIN ".count)
    #expect(Data(base64Encoded: String(given)) == Data("\0user@example.com\0s:cret".utf8))
    let strict = try ScriptedSMTPServer(extensions: ["AUTH PLAIN"]) { $0.hasPrefix("AUTH") ? "535 no" : nil }
    #expect(try await send(message(), to: strict, user: "u:p@") == .authentication(reply: 535))
  }

  @Test("ends at its deadline, and when nobody listens")
  func limits() async throws {
    let gate = DispatchSemaphore(value: 0)
    let server = try ScriptedSMTPServer { command in
      guard command.hasPrefix("DATA") else { return nil }
      _ = gate.wait(timeout: .now() + 10)
      return "354 at last"
    }
    #expect(try await send(message(), to: server, deadline: .milliseconds(300)) == .timeout)
    gate.signal()
    let relay = try #require(MailRelay(url: "smtp://127.0.0.1:1"))
    let transport = MailTransport(relay, logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
    await #expect(throws: MailTransportError.self) { try await transport.send(try message()) }
    transport.shutdown()
    await #expect(throws: MailTransportError.shutDown) { try await transport.send(try message()) }
  }

  @Test("is not held up for long by a relay that does not answer QUIT")
  func silentEnd() async throws {
    let gate = DispatchSemaphore(value: 0)
    let server = try ScriptedSMTPServer { command in
      guard command.hasPrefix("QUIT") else { return nil }
      _ = gate.wait(timeout: .now() + 15)
      return nil
    }
    let begun = ContinuousClock.now
    #expect(try await send(message(), to: server, deadline: .seconds(30)) == nil)
    #expect(begun.duration(to: .now) < .seconds(10))
    gate.signal()
    #expect(server.messages.count == 1)
  }

  @Test(
    "is not sent by what is not the address of a relay, nor in the clear to another machine",
    arguments: [
      "", "http://example.com", "smtp://", "smtp://example.com/path", "smtp://example.com:99999",
      "smtp://example.com?x=1", "smtp://exa mple.com",
    ])
  func relays(url: String) {
    #expect(MailRelay(url: url) == nil)
    #expect(MailRelay(url: "smtp://mail.example.com", encryption: .off) == nil)
    #expect(MailRelay(url: "smtps://127.0.0.1", encryption: .off) == nil)
    #expect(MailRelay(url: "smtp://mail.example.com")?.encryption == .required)
    #expect(MailRelay(url: "smtp://127.0.0.1:25")?.encryption == .off)
    #expect("\(MailRelay(url: "smtps://u:secret@mail.example.com") as Any)".contains("secret") == false)
  }
}
