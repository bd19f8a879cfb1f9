import Delivery
import Foundation
import HTTPTransport
import Identity
import JSON
import Postgres
import StripeAPI
import TestSupport
import Testing

@testable import StripeIntegration
@testable import Tenancy

@Suite("Deliveries that this service itself cannot make, or must not")
struct DeliveryTroubleTests {
  private func mailQueueFailures(_ room: PostRoom) async throws -> [String] {
    try await room.texts(
      "SELECT failures::text AS text FROM stripe_integration.delivery_lanes WHERE lane_id = 'email'")
  }

  @Test("a mail waits while Stripe is still to be asked who the buyer is")
  func openQuestions() async throws {
    try await PostRoom.open { room in
      try await room.mail()
      try await room.sell()
      try await room.write("UPDATE stripe_integration.facts SET contested = true")
      try await room.passTime()
      try await room.deliver()
      let waiting = try #require(try await room.log().first)
      #expect(waiting.state == "pending" && waiting.attempts == 1)
      #expect(waiting.error == "Who the buyer is is not known until Stripe has been asked.")
      #expect(try await mailQueueFailures(room) == ["0"])
      try await room.write("UPDATE stripe_integration.facts SET contested = false")
      try await room.passTime()
      try await room.deliver()
      #expect(room.relay.sent.map(\.to.address) == ["buyer@example.com"])
    }
  }

  @Test("a message whose secret cannot be opened counts as an attempt, and is tried again later")
  func unopenedSecret() async throws {
    try await PostRoom.open { room in
      try await room.endpoint()
      try await room.sell(quantity: 2)
      let encrypted = try await room.texts(
        "SELECT encode(secret, 'hex') AS text FROM stripe_integration.notice_endpoints")
      try await room.write("UPDATE stripe_integration.notice_endpoints SET secret = '\\x00'")
      try await room.deliver()
      let waiting = try await room.log()
      #expect(waiting.allSatisfy { $0.state == "pending" && $0.attempts == 1 && $0.log?.count == 1 })
      #expect(waiting.count == 2 && waiting.allSatisfy { $0.error?.hasPrefix("It could not be prepared: ") == true })
      #expect(try await room.deliveries.claimNext() == nil)
      try await room.write(
        "UPDATE stripe_integration.notice_endpoints SET secret = decode(\(try #require(encrypted.first)), 'hex')")
      try await room.passTime()
      try await room.deliver()
      #expect(try await room.log().allSatisfy { $0.state == "succeeded" && $0.attempts == 2 })
    }
  }

  @Test("a mail whose facts cannot be read counts as an attempt, and is tried again later")
  func unreadableFact() async throws {
    try await PostRoom.open { room in
      try await room.mail()
      try await room.sell()
      try await room.write("UPDATE stripe_integration.facts SET snapshot = '[]'")
      try await room.passTime()
      try await room.deliver()
      let waiting = try #require(try await room.log().first)
      #expect(waiting.state == "pending" && waiting.attempts == 1)
      #expect(waiting.error?.hasPrefix("It could not be prepared: ") == true)
      #expect(try await room.deliveries.claimNext() == nil)
    }
  }

  @Test("a claim that fails by itself is not repeated at once")
  func brokenClaim() async throws {
    try await PostRoom.open { room in
      try await room.endpoint()
      try await room.sell()
      let queues = room.deliveries
      let queue = try #require(try await queues.claimNext())
      try await queues.end(queue, .init(isBroken: true))
      #expect(try await queues.claimNext() == nil)
      try await room.passTime()
      #expect(try await queues.claimNext() == queue)
    }
  }

  @Test("what waits for an endpoint that is made active again has its full time again, and is due at once")
  func resumed() async throws {
    try await PostRoom.open { room in
      let id = try await room.endpoint().endpoint.id.rawValue
      room.receiver.answerAlways("/hook", 500)
      try await room.sell()
      try await room.deliver()
      try await room.write(
        """
        UPDATE stripe_integration.deliveries
           SET series_attempts = 9, series_since = now() - interval '4 days', next_attempt_at = now() + interval '8 hours'
        """)
      try await room.write("UPDATE stripe_integration.notice_endpoints SET disabled_at = now()")
      try await change(room, id, url: room.url + "/hook")
      let before = room.receiver.calls.count
      try await room.deliver()
      #expect(room.receiver.calls.count == before + 1)
      let view = try #require(try await room.log().first)
      let (next, last) = (try #require(view.nextAttemptAt), try #require(view.log?.last?.at))
      #expect(view.state == "pending" && next.timeIntervalSince(last) < 10)
    }
  }

  private func change(_ room: PostRoom, _ id: String, url: String) async throws {
    let choices = MessageEndpointChoices(
      url: url, description: nil, eventTypes: [], includesKey: true, isActive: true)
    let entry = AuditLog.Entry(actor: "test", action: "test", target: id, requestID: nil, detail: nil)
    #expect(try await room.endpoints.update(id, choices, of: room.shop.tenant, resumes: true, audit: entry) != nil)
  }

  @Test("the host that a message went to is what is told, not the one it was put in line for")
  func movedHost() async throws {
    try await PostRoom.open { room in
      let id = try await room.endpoint(key: true).endpoint.id.rawValue
      try await change(room, id, url: "https://old.example.com/hook")
      try await room.sell()
      #expect(try await room.log().map(\.destination) == ["https://old.example.com"])
      try await change(room, id, url: room.url + "/hook")
      try await room.deliver()
      let view = try #require(try await room.log().first)
      #expect(view.state == "succeeded" && view.destination == room.url)
      let audit = try await room.texts(
        "SELECT detail AS text FROM stripe_integration.audit WHERE action = 'license.notice'")
      #expect(audit == ["\(view.id) to \(room.url)"])
      let told = try await room.texts("SELECT title AS text FROM stripe_integration.timeline WHERE title LIKE 'Told %'")
      #expect(told == ["Told \(room.url) of license.issued."])
    }
    try await Backend.open { backend in
      let made = try await backend.admin(
        "POST", "notices/endpoints?\(backend.named)", ["url": "https://a.example.com/x"])
      let id = try #require(made.data?["id"]?.string)
      _ = try await backend.admin(
        "PATCH", "notices/endpoints/\(id)?\(backend.named)", ["url": "https://b.example.com:8443/secret?y"])
      let audit = try await backend.admin("GET", "audit?\(backend.named)").items.compactMap { $0["detail"]?.string }
      #expect(audit == ["url; now https://b.example.com:8443", "https://a.example.com"])
    }
  }

  @Test("ten test mails an hour are sent, however many are asked for at once and whatever else is done by hand")
  func testMails() async throws {
    let relay = FakeRelay()
    let sender = try #require(MailAddress("licenses@example.com"))
    try await Backend.open(mailer: Mailer(transport: relay, from: sender)) { backend in
      let path = "notices/email/test?\(backend.named)"
      let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
        for _ in 0..<20 {
          group.addTask { try await backend.admin("POST", path, ["to": "me@example.com"]).status }
        }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      #expect(statuses.count { $0 == 200 } == 10 && statuses.count { $0 == 429 } == 10)
      try await backend.shop.database.transaction(for: backend.shop.tenant) { transaction in
        _ = try await transaction.query(
          """
          INSERT INTO stripe_integration.audit (account_id, livemode, actor, action, target)
          SELECT \(backend.shop.tenant.account)::text, false, 'test', 'license.reveal', n::text
            FROM generate_series(1, 600) n
          """)
      }
      #expect(try await backend.admin("POST", path, ["to": "me@example.com"]).status == 429)
      #expect(relay.sent.count == AdminRoutes.testMailsPerHour)
    }
  }

  @Test("a buyer's name in a mail is one short line without an address to click on")
  func names() throws {
    #expect(MailWriter.oneLine("Ada\r\n\u{2028}Lovelace\u{0}\u{202E}") == "Ada Lovelace")
    #expect(MailWriter.oneLine("Ünïque 株式会社") == "Ünïque 株式会社")
    #expect(!MailWriter.oneLine("Win: https://evil.example ::////").contains("://"))
    #expect(MailWriter.oneLine(String(repeating: "a", count: 500)).count == 100)
    var settings = MailSettings.initial
    settings.text = "{{customer_name}}|{{license_key}}"
    let address = try #require(MailAddress("a@example.com"))
    let message = try MailWriter.message(
      settings, from: address, to: address, values: [.customerName: "Pay at\nhttps://evil.example"],
      licenses: [.init(key: "K", product: "App", expiresAt: nil)], id: "dlv_1.0", at: Shop.now)
    #expect(message.text == "Pay at https evil.example|K")
  }

  @Test("mails beyond a vendor's share of an hour wait for the next, and do not fail")
  func budget() async throws {
    try await PostRoom.open { room in
      try await room.mail()
      try await room.sell()
      try await room.passTime()
      let id = MessageDeliveryID(try #require(try await room.log().first?.id))
      let (queue, sender) = (EndpointQueue.mail(of: room.shop.tenant), room.sender(mailsPerHour: 1))
      #expect(try await sender.deliver(id, to: queue) == .arrived(status: 250))
      #expect(try await room.replay(id: id.rawValue) == 1)
      guard case .postponed(_, let seconds)? = try await sender.deliver(id, to: queue) else {
        Issue.record("it was not put off")
        return
      }
      #expect(seconds > 3_500 && seconds < 3_700)
      #expect(try await room.log().first?.state == "pending")
      #expect(try await room.waits(atLeast: 3_500))
      #expect(room.relay.sent.count == 1)
      try await room.write("UPDATE stripe_integration.mail_settings SET hour_began = now() - interval '61 minutes'")
      try await room.passTime()
      #expect(try await sender.deliver(id, to: queue) == .arrived(status: 250))
    }
  }

  @Test("one mail is replayed five times at most")
  func replays() async throws {
    try await PostRoom.open { room in
      try await room.mail()
      try await room.sell()
      try await room.passTime()
      try await room.deliver()
      for _ in 0..<DeliveryLog.mostReplaysOfMail {
        #expect(try await room.replay(.init(queue: "email")) == 1)
        try await room.deliver()
      }
      #expect(try await room.replay(.init(queue: "email")) == 0)
      #expect(room.relay.sent.count == 6)
    }
  }

  @Test("a mail for which LicenseKit does not tell the product's name opens no key, and is tried again")
  func noName() async throws {
    try await PostRoom.open { room in
      try await room.mail()
      try await room.sell()
      try await room.passTime()
      room.shop.line.cut()
      try await room.deliver()
      let waiting = try #require(try await room.log().first)
      #expect(waiting.state == "pending" && waiting.error?.hasPrefix("LicenseKit did not tell") == true)
      let opened = try await room.texts(
        "SELECT target AS text FROM stripe_integration.audit WHERE action = 'license.mail'")
      #expect(opened.isEmpty)
      _ = room.shop.line.restore()
      try await room.passTime()
      try await room.deliver()
      #expect(room.relay.sent.map(\.subject) == ["Your license for App"])
    }
  }
}
