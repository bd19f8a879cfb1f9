import Foundation
import Identity
import JSON
import LicenseKitAPI
import StripeAPI
import Testing

@testable import StripeIntegration

/// Two subscriptions that Stripe bills together, in real tables.
@Suite("An invoice that bills several subscriptions")
struct SharedInvoiceTests {
  private static let start: Int64 = 1_799_900_000
  private static let end: Int64 = start + 30 * 86_400

  private static func subscription(_ name: String) -> JSONValue {
    [
      "id": .string("sub_\(name)"), "object": "subscription", "status": "active", "customer": "cus_1",
      "latest_invoice": "in_1", "created": .integer(start), "metadata": [:], "cancel_at_period_end": false,
      "items": [
        "object": "list", "has_more": false,
        "data": [
          [
            "id": .string("si_\(name)"), "object": "subscription_item", "quantity": 1, "created": .integer(start),
            "current_period_start": .integer(start), "current_period_end": .integer(end),
            "price": ["id": .string("price_\(name)"), "product": "prod_monthly", "recurring": [:]],
          ]
        ],
      ],
    ]
  }

  private static func line(_ name: String) -> JSONValue {
    [
      "id": .string("il_\(name)"), "object": "line_item", "amount": 2450, "quantity": 1,
      "period": ["start": .integer(start), "end": .integer(end)],
      "parent": [
        "type": "subscription_item_details",
        "subscription_item_details": [
          "subscription": .string("sub_\(name)"), "subscription_item": .string("si_\(name)"), "proration": false,
        ],
      ],
      "pricing": [
        "type": "price_details", "price_details": ["price": .string("price_\(name)"), "product": "prod_monthly"],
      ],
    ]
  }

  private static let invoice: JSONValue = [
    "id": "in_1", "object": "invoice", "status": "paid", "customer": "cus_1", "customer_email": "buyer@example.com",
    "billing_reason": "subscription_cycle", "parent": nil, "amount_paid": 4900, "total": 4900, "attempt_count": 1,
    "created": .integer(start), "status_transitions": ["finalized_at": .integer(start), "paid_at": .integer(start)],
    "lines": ["object": "list", "has_more": false, "data": [line("a"), line("b")]],
  ]

  private static let payment: JSONValue = [
    "id": "inpay_1", "object": "invoice_payment", "invoice": "in_1", "status": "paid", "amount_paid": 4900,
    "payment": ["type": "payment_intent", "payment_intent": "pi_1"],
  ]

  private static let refund: JSONValue = [
    "id": "re_1", "object": "refund", "amount": 4900, "charge": "ch_1", "payment_intent": "pi_1",
    "status": "succeeded", "created": .integer(start + 60),
  ]

  private static let dispute: JSONValue = [
    "id": "du_1", "object": "dispute", "amount": 4900, "charge": "ch_1", "payment_intent": "pi_1",
    "status": "needs_response", "created": .integer(start + 60),
  ]

  private static let sale: [StripeFixture.Event] = [
    .init("evt_1", "customer.subscription.created", at: start + 1, subscription("a")),
    .init("evt_2", "customer.subscription.created", at: start + 2, subscription("b")),
    .init("evt_3", "invoice.paid", at: start + 3, invoice),
  ]

  private static let returns: [StripeFixture.Event] = [
    .init("evt_4", "charge.refunded", at: start + 61, StripeFixture.charge(refunded: 4900)),
    .init("evt_5", "refund.created", at: start + 62, refund),
  ]

  private static func tell(_ shop: Shop, _ events: [StripeFixture.Event]) async throws {
    for event in events {
      try await shop.deliver([event])
      try await shop.settle()
    }
  }

  private static func open(_ body: @Sendable (Shop) async throws -> Void) async throws {
    try await Shop.open { shop in
      shop.stripe.set("invoices/in_1", invoice)
      for name in ["a", "b"] { shop.stripe.set("subscriptions/sub_\(name)", subscription(name)) }
      shop.stripe.setList("checkout/sessions", [])
      shop.stripe.setList("invoice_payments", [payment])
      shop.stripe.setList("credit_notes", [])
      try await body(shop)
    }
  }

  @Test(
    "is refunded to all of them, in whatever order it is told, and each stays a purchase", arguments: [true, false])
  func refunded(inOrder: Bool) async throws {
    try await Self.open { shop in
      shop.stripe.set("charges/ch_1", StripeFixture.charge(refunded: 4900))
      shop.stripe.setList("refunds", [Self.refund])
      if inOrder {
        try await Self.tell(shop, Self.sale)
        #expect(try await shop.usableLicenses().count == 2)
        try await Self.tell(shop, Self.returns)
        #expect(try await shop.licenses().map(\.status) == [.revoked, .revoked])
      } else {
        try await Self.tell(shop, Self.returns.reversed() + Self.sale.reversed())
        #expect(try await shop.usableLicenses().isEmpty)
      }
      let purchases = try await shop.purchases()
      #expect(purchases.count == 3, "two subscriptions and their payment: \(purchases)")
      let reasons = purchases.compactMap(\.reason)
      #expect(reasons.contains { $0.hasSuffix("each of which is a purchase of its own: sub_a, sub_b.") })
    }
  }

  @Test("is disputed: all of them are suspended, and come back when the dispute is won")
  func disputed() async throws {
    try await Self.open { shop in
      shop.stripe.set("charges/ch_1", StripeFixture.charge())
      try await Self.tell(shop, Self.sale)
      try await Self.tell(shop, [.init("evt_6", "charge.dispute.created", at: Self.start + 61, Self.dispute)])
      #expect(try await shop.licenses().map(\.status) == [.suspended, .suspended])
      var won = try #require(Self.dispute.object)
      won["status"] = "won"
      try await Self.tell(shop, [.init("evt_7", "charge.dispute.closed", at: Self.start + 90, .object(won))])
      #expect(try await shop.licenses().map(\.status) == [.active, .active])
    }
  }

  @Test("is disputed, and only the payment says which invoice it paid: all of them are suspended")
  func paymentHeardOfBefore() async throws {
    try await Self.open { shop in
      shop.stripe.set("charges/ch_1", StripeFixture.charge())
      let payment: JSONValue = [
        "id": "pi_1", "object": "payment_intent", "status": "succeeded", "amount": 4900, "latest_charge": "ch_1",
        "invoice": "in_1", "created": .integer(Self.start),
      ]
      // Nothing leads to it when it is told, so that it is only remembered.
      try await Self.tell(shop, [.init("evt_0", "payment_intent.succeeded", at: Self.start, payment)])
      try await Self.tell(shop, Self.sale)
      try await Self.tell(shop, [.init("evt_6", "charge.dispute.created", at: Self.start + 61, Self.dispute)])
      #expect(try await shop.licenses().map(\.status) == [.suspended, .suspended])
      #expect(try await shop.purchases().count == 3)
    }
  }

  @Test("is told with the lines of one alone: each gets a license, and a refund revokes both")
  func cutLines() async throws {
    try await Self.open { shop in
      shop.stripe.set("charges/ch_1", StripeFixture.charge(refunded: 4900))
      shop.stripe.setList("refunds", [Self.refund])
      var cut = try #require(Self.invoice.object)
      cut["lines"] = ["object": "list", "has_more": true, "data": [Self.line("a")]]
      try await Self.tell(
        shop, Self.sale.dropLast() + [.init("evt_3", "invoice.paid", at: Self.start + 3, .object(cut))])
      #expect(try await shop.usableLicenses().count == 2)
      try await Self.tell(shop, Self.returns)
      #expect(try await shop.licenses().map(\.status) == [.revoked, .revoked])
      #expect(try await shop.purchases().count == 3)
    }
  }

  @Test("was refunded before the app came: a backfill gives none of them a license")
  func backfilled() async throws {
    try await OldShop.open { old in
      old.account.subscribe("a", refunded: 4900)
      old.account.subscribe("b", invoice: nil)
      var invoice = try #require(old.account.newest("invoices").object)
      var subscription = try #require(old.account.newest("subscriptions").object)
      let first = try #require(invoice["lines"]?["data"]?.array?.first)
      let second = try JSONValue(
        parsing: Array(String(decoding: first.encoded(), as: UTF8.self).replacing("_a", with: "_b").utf8))
      invoice["parent"] = .null
      invoice["lines"] = ["object": "list", "has_more": false, "data": [first, second]]
      subscription["latest_invoice"] = "in_a"
      old.account.replace("invoices", .object(invoice))
      old.account.replace("subscriptions", .object(subscription))
      _ = try await old.backfill(BackfillChoice(subscriptions: .active, paidSessionsSince: nil, paidInvoices: false))
      try await old.settle()
      #expect(try await old.shop.licenses().isEmpty)
    }
  }
}
