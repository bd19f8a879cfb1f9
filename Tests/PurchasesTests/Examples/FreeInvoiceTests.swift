import Foundation
import Identity
import JSON
import LicenseKitAPI
import StripeAPI
import Testing

@testable import StripeIntegration

@Suite("An invoice without anything to pay")
struct FreeInvoiceTests {
  private static let made: Int64 = 1_800_000_000

  private func invoice() throws -> Fact {
    let value: JSONValue = [
      "id": "in_1", "object": "invoice", "status": "paid", "billing_reason": "manual", "customer": "cus_1", "total": 0,
      "amount_paid": 0, "created": .integer(Self.made),
      "lines": [
        "object": "list", "has_more": false,
        "data": [
          [
            "id": "il_1", "object": "line_item", "amount": 0, "quantity": 1,
            "pricing": ["type": "price_details", "price_details": ["price": "price_1", "product": "prod_1"]],
          ]
        ],
      ],
    ]
    return Fact(.invoice(try Stripe.Invoice(value)), asOf: date(0), source: .event)
  }

  private func session() throws -> Fact {
    let value: JSONValue = [
      "id": "cs_1", "object": "checkout.session", "mode": "payment", "status": "complete",
      "payment_status": "no_payment_required", "customer": "cus_1", "invoice": "in_1", "created": .integer(Self.made),
    ]
    return Fact(.checkoutSession(try Stripe.CheckoutSession(value)), asOf: date(0), source: .event)
  }

  private func date(_ minutes: Int64) -> Date { Date(timeIntervalSince1970: TimeInterval(Self.made + minutes * 60)) }

  private func decide(_ facts: [Fact], minutesLater: Int64) -> Decision {
    Decider(
      tenant: Tenant(account: "acct_1", livemode: true),
      mappings: [
        Mapping(
          id: "map_1", reference: .product("prod_1"),
          terms: Terms(product: "lk_1", policy: "pol_1", licenseType: .perpetual))
      ], agreed: [:], now: date(minutesLater)
    ).decide(Knowledge(facts))
  }

  @Test("waits a while for the Checkout Session that may have made it, since no payment leads there")
  func waits() throws {
    let early = decide([try invoice()], minutesLater: 1)
    #expect(early.status == .pending)
    #expect(early.lines.isEmpty)
    #expect(early.nextLook == date(15))
  }

  @Test("is sold by itself when no session has come")
  func isSold() throws {
    let late = decide([try invoice()], minutesLater: 15)
    #expect(late.status == .fulfilled)
    #expect(late.root == .invoice("in_1"))
  }

  @Test("belongs to its session when that comes, and is not sold a second time")
  func belongsToSession() throws {
    let both = decide([try invoice(), try session()], minutesLater: 2)
    #expect(both.root == .checkout("cs_1"))
    #expect(both.questions == [.lineItems(of: "cs_1")])
  }
}
