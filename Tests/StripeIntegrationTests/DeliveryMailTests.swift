import Foundation
import HTTPTransport
import Identity
import JSON
import LicenseKitAPI
import Postgres
import StripeAPI
import Testing

@testable import StripeIntegration

@Suite("Mail to buyers")
struct DeliveryMailTests {
  @Test("is one message with all keys that were issued together, in the vendor's words")
  func oneMail() async throws {
    try await PostRoom.open { room in
      try await room.mail {
        $0.subject = "{{license_count}} licenses for {{product_name}}"
        $0.text =
          "Hello {{customer_name}}\n{{#licenses}}* {{license_key}}{{^expires_at}} for ever{{/expires_at}}\n{{/licenses}}"
        $0.fromName = "Ünïque"
        $0.replyTo = "help@example.com"
      }
      try await room.sell(quantity: 3)
      let waiting = try #require(try await room.log().first)
      let due = try #require(waiting.nextAttemptAt)
      #expect(due.timeIntervalSince(waiting.createdAt) >= 4.9, "it waits for further licenses of the purchase")
      try await room.passTime()
      try await room.deliver()
      let message = try #require(room.relay.sent.first)
      #expect(room.relay.sent.count == 1)
      #expect(message.to.address == "buyer@example.com")
      #expect(message.from.address == "licenses@example.com" && message.from.name == "Ünïque")
      #expect(message.replyTo?.address == "help@example.com")
      #expect(message.subject == "3 licenses for App")
      var expected = "Hello Buyer\n"
      for license in try await room.texts("SELECT license_id AS text FROM stripe_integration.units ORDER BY ordinal") {
        expected += "* \(try #require(try await room.shop.key(of: LicenseID(license)))) for ever\n"
      }
      #expect(message.text == expected)
      let view = try #require(try await room.log().first)
      #expect(view.channel == "email" && view.state == "succeeded" && view.licenseIds.count == 3)
      let told = try await room.texts(
        "SELECT title AS text FROM stripe_integration.timeline WHERE title LIKE '%-mail%'")
      #expect(told == ["E-mailed the key to the buyer."])
      let audit = try await room.texts(
        "SELECT target AS text FROM stripe_integration.audit WHERE action = 'license.mail'")
      #expect(audit.count == 3)
    }
  }

  @Test("is not sent twice for a license, unless it is replayed")
  func once() async throws {
    try await PostRoom.open { room in
      try await room.mail()
      try await room.sell()
      try await room.passTime()
      try await room.deliver()
      try await room.sell()
      try await room.passTime()
      try await room.deliver()
      #expect(room.relay.sent.count == 1)
      #expect(try await room.replay(.init(queue: "email")) == 1)
      try await room.deliver()
      #expect(room.relay.sent.count == 2)
      #expect(Set(room.relay.sent.map(\.id)).count == 2)
      #expect(Set(room.relay.sent.map(\.text)).count == 1)
    }
  }

  @Test("is sent again when the relay is not ready, and given up when it refuses the message")
  func refusals() async throws {
    try await PostRoom.open { room in
      try await room.mail()
      room.relay.fail(.later(reply: 451), .connectionLost("cut"), .refused(reply: 550))
      try await room.sell()
      for _ in 0..<3 {
        try await room.passTime()
        try await room.deliver()
      }
      let view = try #require(try await room.log().first)
      #expect(view.state == "failed" && view.error == "refused: reply 550")
      #expect(view.log?.map(\.status) == [451, nil, 550])
      #expect(room.relay.sent.isEmpty)
      let told = try await room.texts(
        "SELECT title AS text FROM stripe_integration.timeline WHERE title LIKE '%e-mail%'")
      #expect(told == ["The e-mail to the buyer could not be sent."])
      #expect(try await room.replay(.init(state: .failed)) == 1)
      try await room.deliver()
      #expect(room.relay.sent.count == 1)
    }
  }

  @Test("names nobody whose purchase came to nothing meanwhile, and nothing while it is switched off")
  func pointless() async throws {
    try await PostRoom.open { room in
      try await room.mail()
      try await room.sell()
      try await room.refund()
      try await room.passTime()
      try await room.deliver()
      #expect(room.relay.sent.isEmpty)
      #expect(try await room.log().map(\.state) == ["cancelled"])
    }
    try await PostRoom.open { room in
      try await room.sell()
      try await room.passTime()
      try await room.deliver()
      #expect(try await room.log().isEmpty)
    }
  }

  @Test("leaves the buyer's address nowhere among its records")
  func address() async throws {
    try await PostRoom.open { room in
      try await room.mail()
      room.relay.fail(.refused(reply: 550))
      try await room.sell()
      try await room.passTime()
      try await room.deliver()
      for table in ["deliveries", "delivery_attempts", "mailed_licenses", "delivery_lanes", "timeline", "audit"] {
        let rows = try await room.texts("SELECT t::text AS text FROM \(unescaped: "stripe_integration.\(table)") t")
        #expect(!rows.isEmpty && !rows.contains { $0.contains("buyer@") }, "\(table)")
      }
    }
  }

  @Test("fails, and says why, when Stripe knows no address")
  func noAddress() async throws {
    try await PostRoom.open { room in
      try await room.mail()
      room.shop.stripe.setList("checkout/sessions/cs_test_1/line_items", [StripeFixture.lineItem()])
      var session = try #require(StripeFixture.session().object)
      session["customer_details"] = .null
      try await room.shop.deliver([
        StripeFixture.Event("evt_1", "checkout.session.completed", at: 1_799_999_001, .object(session))
      ])
      try await room.shop.settle()
      try await room.passTime()
      try await room.deliver()
      let errors = try await room.log().compactMap(\.error)
      #expect(errors == ["Stripe knows no e-mail address of the buyer."])
    }
  }
}

@Suite("A vendor's text")
struct MailTemplateTests {
  @Test("has values in the places of their names, and sections where there is something to say")
  func renders() throws {
    let text =
      "{{customer_name}}: {{#expires_at}}until {{ expires_at }}{{/expires_at}}{{^expires_at}}for ever{{/expires_at}}"
    let template = try MailTemplate(text)
    #expect(template.names == [.customerName, .expiresAt])
    #expect(template.render([.customerName: "{{license_key}}"], licenses: []) == "{{license_key}}: for ever")
    #expect(template.render([.customerName: "A", .expiresAt: "2027-01-15"], licenses: []) == "A: until 2027-01-15")
    let each = try MailTemplate(
      "{{#licenses}}{{product_name}} {{license_key}}{{#expires_at}} {{expires_at}}{{/expires_at}};{{/licenses}}")
    let licenses: [MailTemplate.Values] = [
      [.licenseKey: "1", .productName: "A", .expiresAt: "x"], [.licenseKey: "2", .productName: "B"],
    ]
    #expect(each.render([.expiresAt: "x", .licenseKey: "1\n2"], licenses: licenses) == "A 1 x;B 2;")
  }

  @Test(
    "with a mistake in it is refused, and the mistake named",
    arguments: [
      ("{{licence_key}}", "licence_key"), ("{{", "}}"), ("{{#licenses}}", "licenses"), ("{{/licenses}}", "licenses"),
      ("{{#licenses}}{{/expires_at}}", "expires_at"), ("{{licenses}}", "section"), ("{{}}", "placeholder"),
    ])
  func mistakes(text: String, named: String) {
    do {
      _ = try MailTemplate(text)
      Issue.record("\(text) was accepted")
    } catch { #expect(error.description.contains(named), "\(error)") }
  }

  @Test("is there before a vendor has written one")
  func initial() throws {
    let text = try MailTemplate(MailSettings.initial.text).render(
      [.customerName: "Ada", .licenseKey: "K"],
      licenses: [[.licenseKey: "K", .productName: "App", .expiresAt: "2027-01-15"]])
    #expect(text.contains("Hello Ada,") && text.contains("App\nK\nValid until 2027-01-15."))
  }
}
