import Foundation
import Identity
import JSON
import LicenseKitAPI
import LicenseKitHTTP
import Purchases
import StripeAPI
import Tenancy
import Testing

@testable import StripeIntegration

@Suite("Events whose effect is seen beside the licenses")
struct EventEffectsTests {
  private func product(active: Bool = true) -> JSONValue {
    ["id": "prod_once", "object": "product", "active": .bool(active), "name": "App"]
  }

  @Test("a mapping of a product that was archived or deleted says so, and what was issued stays")
  func warnings() async throws {
    try await Backend.open { backend in
      try await backend.sell()
      func warning(of product: String) async throws -> JSONValue? {
        try await backend.admin("GET", "mappings?\(backend.named)&stripe_id=\(product)").items.first?["warning"]
      }
      #expect(try await warning(of: "prod_once") == .null)
      for (number, type, object, word) in [
        (2, "product.updated", product(active: false), "archived"), (3, "product.updated", product(), nil),
        (4, "product.deleted", product(), "deleted"),
      ] as [(Int64, String, JSONValue, String?)] {
        try await backend.shop.deliver([
          StripeFixture.Event("evt_\(number)", type, at: 1_799_999_000 + number, object)
        ])
        try await backend.shop.settle()
        let told = try await warning(of: "prod_once")
        if let word { #expect(told?.string?.contains(word) == true) } else { #expect(told == .null) }
        let id = try #require(try await backend.admin("GET", "mappings?\(backend.named)").items.last?["id"]?.string)
        #expect(try await backend.admin("GET", "mappings/\(id)?\(backend.named)").data?["warning"] != nil)
      }
      #expect(try await warning(of: "prod_monthly") == .null)
      #expect(try await backend.shop.usableLicenses().count == 1)
    }
  }

  @Test("a warning of fraud is noted in the story of its purchase, and suspends where the mapping says so")
  func fraudWarning() async throws {
    try await Backend.open(mapped: false) { backend in
      try await backend.shop.map { $0.onFraudWarning = .suspend }
      try await backend.sell()
      backend.shop.stripe.set("charges/ch_1", StripeFixture.charge())
      try await backend.shop.deliver([
        StripeFixture.Event(
          "evt_2", "radar.early_fraud_warning.created", at: 1_799_999_100,
          [
            "id": "issfr_1", "object": "radar.early_fraud_warning", "charge": "ch_1", "payment_intent": "pi_1",
            "actionable": true, "fraud_type": "misc", "created": 1_799_999_100,
          ])
      ])
      try await backend.shop.settle()
      let id = try #require(try await backend.shop.purchases().first).id
      let shown = try await backend.admin("GET", "fulfillments/\(id)?\(backend.named)").data
      #expect(shown?["status"] == "suspended")
      let license = shown?["lines"]?.array?.first?["licenses"]?.array?.first
      #expect(license?["status"] == "suspended")
      #expect(license?["causes"] == ["fraud_warning"])
      let notes = shown?["timeline"]?.array?.filter { $0["kind"] == "note" }.compactMap { $0["title"]?.string }
      #expect(notes?.contains("The card issuer warns that a payment may be fraud.") == true)
    }
  }

  @Test("each license shows everything that speaks against it, also beside what has ended it")
  func causes() async throws {
    try await Backend.open { backend in
      try await backend.sell()
      func causes() async throws -> JSONValue? {
        try await backend.admin("GET", "fulfillments?\(backend.named)").items.first?["lines"]?.array?.first?[
          "licenses"]?
          .array?.first?["causes"]
      }
      #expect(try await causes() == [])
      backend.shop.stripe.set("charges/ch_1", StripeFixture.charge())
      try await backend.shop.deliver([
        StripeFixture.Event(
          "evt_2", "charge.dispute.created", at: 1_799_999_100,
          [
            "id": "du_1", "object": "dispute", "charge": "ch_1", "payment_intent": "pi_1", "amount": 4_900,
            "status": "needs_response", "created": 1_799_999_100,
          ])
      ])
      try await backend.shop.settle()
      #expect(try await causes() == ["disputed"])
      try await backend.shop.deliver([
        StripeFixture.Event("evt_3", "charge.refunded", at: 1_799_999_200, StripeFixture.charge(refunded: 4_900))
      ])
      try await backend.shop.settle()
      #expect(try await causes() == ["disputed", "refunded"])
      let reason = try await backend.shop.purchases().first?.reason
      #expect(reason == "The payment was refunded in full. Besides: the payment is disputed.")
    }
  }

  @Test("a full refund whose refund is still under way suspends, since the refunds of the charge are asked for")
  func pendingRefund() async throws {
    try await Backend.open { backend in
      try await backend.sell()
      backend.shop.stripe.setList(
        "refunds?charge=ch_1",
        [["id": "re_1", "object": "refund", "amount": 4_900, "charge": "ch_1", "status": "pending", "created": 1]])
      backend.shop.stripe.set(
        "refunds/re_1",
        ["id": "re_1", "object": "refund", "amount": 4_900, "charge": "ch_1", "status": "pending", "created": 1])
      try await backend.shop.deliver([
        StripeFixture.Event("evt_2", "charge.refunded", at: 1_799_999_100, StripeFixture.charge(refunded: 4_900))
      ])
      try await backend.shop.settle()
      #expect(try await backend.shop.licenses().map(\.status) == [.suspended])
    }
  }

  @Test("a free invoice has its Checkout Session looked for by its customer, and is sold once as that")
  func freeInvoice() async throws {
    try await Backend.open { backend in
      let made = Int64(Shop.now.timeIntervalSince1970) - 10
      let session: JSONValue = [
        "id": "cs_test_1", "object": "checkout.session", "mode": "payment", "status": "complete",
        "payment_status": "no_payment_required", "customer": "cus_1", "invoice": "in_1", "created": .integer(made),
      ]
      backend.shop.stripe.setList("checkout/sessions?customer=cus_1", [session])
      backend.shop.stripe.set("checkout/sessions/cs_test_1", session)
      backend.shop.stripe.setList("checkout/sessions/cs_test_1/line_items", [StripeFixture.lineItem()])
      try await backend.shop.deliver([
        StripeFixture.Event(
          "evt_1", "invoice.paid", at: made,
          [
            "id": "in_1", "object": "invoice", "status": "paid", "billing_reason": "manual", "customer": "cus_1",
            "total": 0, "amount_paid": 0, "created": .integer(made),
            "lines": [
              "object": "list", "has_more": false,
              "data": [
                [
                  "id": "il_1", "object": "line_item", "amount": 0, "quantity": 1,
                  "pricing": ["type": "price_details", "price_details": ["price": "price_1", "product": "prod_once"]],
                ]
              ],
            ],
          ])
      ])
      try await backend.shop.settle()
      #expect(try await backend.shop.usableLicenses().count == 1)
      let asked = try #require(backend.shop.stripe.questions.first { $0.contains("customer=cus_1") })
      #expect(asked.contains("created"), "only sessions of that time are listed")
      try await backend.shop.deliver([
        StripeFixture.Event("evt_2", "checkout.session.completed", at: made + 1, session)
      ])
      try await backend.shop.settle()
      #expect(try await backend.shop.licenses().count == 1)
      #expect(try await backend.shop.purchases().count == 1)
    }
  }

  @Test("a delayed payment that fails ends its purchase with the reason")
  func delayedPaymentFails() async throws {
    try await Backend.open { backend in
      let session = StripeFixture.session(paid: false)
      try await backend.shop.deliver([
        StripeFixture.Event("evt_1", "checkout.session.completed", at: 1_799_999_001, session),
        StripeFixture.Event("evt_2", "checkout.session.async_payment_failed", at: 1_799_999_900, session),
      ])
      try await backend.shop.settle()
      let purchase = try #require(try await backend.shop.purchases().first)
      #expect(purchase.status == "ended")
      #expect(purchase.reason == "The delayed payment has failed; nothing was sold.")
      #expect(try await backend.shop.licenses().isEmpty)
    }
  }

  @Test("a test event that comes to the live and the test endpoint is one sale, in test data")
  func bothEndpoints() async throws {
    try await Backend.open { backend in
      try await backend.sell()
      try await backend.sell()
      #expect(try await backend.shop.licenses().count == 1)
      #expect(try await backend.shop.purchases().count == 1)
      let live = Tenant(account: backend.shop.tenant.account, livemode: true)
      let others = try await backend.shop.database.transaction(for: live) { transaction in
        try await FulfillmentReader(tenant: live, transaction: transaction)
          .page(.init(object: nil), after: nil, limit: 10).count
      }
      #expect(others == 0)
    }
  }

  @Test("an invoice that is voided after it was paid has its license revoked and its order canceled")
  func voidedInvoice() async throws {
    try await Backend.open { backend in
      func invoice(_ status: String) -> JSONValue {
        [
          "id": "in_1", "object": "invoice", "status": .string(status), "billing_reason": "manual",
          "customer": "cus_1", "customer_email": "buyer@example.com", "total": 4_900, "amount_paid": 4_900,
          "created": 1_799_999_000,
          "lines": [
            "object": "list", "has_more": false,
            "data": [
              [
                "id": "il_1", "object": "line_item", "amount": 4_900, "quantity": 1,
                "pricing": ["type": "price_details", "price_details": ["price": "price_1", "product": "prod_once"]],
              ]
            ],
          ],
        ]
      }
      backend.shop.stripe.set("invoices/in_1", invoice("paid"))
      backend.shop.stripe.setList("invoice_payments", [])
      try await backend.shop.deliver([StripeFixture.Event("evt_1", "invoice.paid", at: 1_799_999_001, invoice("paid"))])
      try await backend.shop.settle()
      #expect(try await backend.shop.usableLicenses().count == 1)
      try await backend.shop.deliver([
        StripeFixture.Event("evt_2", "invoice.voided", at: 1_799_999_100, invoice("void"))
      ]
      )
      try await backend.shop.settle()
      #expect(try await backend.shop.licenses().map(\.status) == [.revoked])
      let orders = try await backend.shop.licenseKit.listProductOrders(backend.shop.product, limit: 10)
      #expect(orders.map(\.status) == [.canceled])
    }
  }
}
