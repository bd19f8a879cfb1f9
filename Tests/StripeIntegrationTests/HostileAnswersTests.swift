import Foundation
import HTTPTransport
import Identity
import JSON
import LicenseKitAPI
import LicenseKitHTTP
import Postgres
import StripeAPI
import Tenancy
import Testing

@testable import StripeIntegration

@Suite("A LicenseKit that answers to do harm")
struct HostileAnswersTests {
  private static let texts = [
    String(repeating: "x", count: 200_000), "e" + String(repeating: "\u{301}", count: 50_000),
    "a\u{0}b\u{1B}[31m\r\nc\u{85}\u{9B}d\u{2028}\u{202E}e\u{FEFF}\u{7F}",
  ]

  /// What steers a terminal, a page or the order of reading.
  private static let steering: Set<Unicode.GeneralCategory> = [.control, .format, .lineSeparator, .paragraphSeparator]

  @Test(
    "what it answers is cut short before it is a reason or in a timeline, and the sale is not stuck",
    arguments: 0..<3, [404, 409, 422, 500])
  func errors(_ number: Int, _ status: Int) async throws {
    try await Shop.open { shop in
      let text = JSONValue.string(Self.texts[number])
      let answer: JSONValue = ["error": ["code": text, "message": text, "detail": text], "meta": ["request_id": text]]
      shop.line.answer(HTTPTransportResponse(status: status, body: answer.encoded()))
      shop.stripe.setList("checkout/sessions/cs_test_1/line_items", [StripeFixture.lineItem(product: "prod_once")])
      try await shop.deliver([
        StripeFixture.Event("evt_1", "checkout.session.completed", at: 1_799_999_001, StripeFixture.session())
      ])
      try await Self.run(shop)
      let purchase = try #require(try await shop.purchases().first)
      #expect(status != 422 || purchase.status == "failed", "\(purchase)")
      try await Self.expectShort(shop)
    }
  }

  @Test("nor does a success that holds a NUL stop a sale", arguments: [200, 201])
  func nul(_ status: Int) async throws {
    try await Shop.open { shop in
      let answer: JSONValue = ["data": ["id": "cus\u{0}_1", "name": "\u{0}"], "meta": ["request_id": "\u{0}"]]
      shop.line.answer(HTTPTransportResponse(status: status, body: answer.encoded()))
      shop.stripe.setList("checkout/sessions/cs_test_1/line_items", [StripeFixture.lineItem(product: "prod_once")])
      try await shop.deliver([
        StripeFixture.Event("evt_1", "checkout.session.completed", at: 1_799_999_001, StripeFixture.session())
      ])
      try await Self.run(shop)
      try await Self.expectShort(shop)
    }
  }

  @Test("nor do control characters in what Stripe says of a buyer, by an event or in an answer")
  func controls() async throws {
    try await Shop.open { shop in
      var item = try #require(StripeFixture.lineItem(product: "prod_once").object)
      item["description"] = "Ed\u{0}itor"
      shop.stripe.setList("checkout/sessions/cs_test_1/line_items", [.object(item)])
      var session = try #require(StripeFixture.session().object)
      session["customer_details"] = ["email": "a\u{0}da@example.com", "name": "A\u{0}da\u{1B}[31m\u{85}"]
      session["metadata"] = ["cam\u{0}paign": "m\u{0}ay"]
      try await shop.deliver([
        StripeFixture.Event("evt_1", "checkout.session.completed", at: 1_799_999_001, .object(session))
      ])
      try await Self.run(shop)
      #expect(try await shop.purchases().map(\.status) == ["fulfilled"])
      let customer = try #require(try await shop.licenseKit.listCustomers(limit: nil).first)
      #expect(customer.name == "Ada[31m" && customer.email == "ada@example.com")
      try await Self.expectShort(shop)
    }
  }

  /// A few runs of each purchase: what waits for another attempt would wait for ever.
  private static func run(_ shop: Shop) async throws {
    try await shop.route()
    for purchase in try await shop.purchases() {
      for _ in 0..<3 { try await shop.reconciler.reconcile(purchase.id, of: shop.tenant) }
    }
  }

  private static func expectShort(_ shop: Shop) async throws {
    let texts: [String] = try await shop.database.transaction(for: shop.tenant) { transaction in
      let rows = try await transaction.query(
        """
        SELECT coalesce(reason, '') AS text FROM stripe_integration.purchases
         UNION ALL
        SELECT title || ' ' || coalesce(detail, '') FROM stripe_integration.timeline
         UNION ALL
        SELECT coalesce(parked_detail, '') FROM stripe_integration.connections
        """)
      return try rows.map { row in try row.get("text", as: String.self) }
    }
    #expect(!texts.isEmpty)
    for text in texts {
      #expect(text.utf8.count < 5_000)
      #expect(!text.contains("The database refused"), "\(text.prefix(200))")
      #expect(
        !text.unicodeScalars.contains {
          Self.steering.contains($0.properties.generalCategory)
        })
    }
  }
}
