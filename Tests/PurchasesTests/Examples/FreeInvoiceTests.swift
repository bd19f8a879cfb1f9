import Foundation
import Identity
import JSON
import LicenseKitAPI
import StripeAPI
import Testing

@testable import Purchases

@Suite("An invoice without anything to pay")
struct FreeInvoiceTests {
  private static let made: Int64 = 1_800_000_000

  private func invoice(customer: String? = "cus_1") throws -> Fact {
    let value: JSONValue = [
      "id": "in_1", "object": "invoice", "status": "paid", "billing_reason": "manual", "total": 0,
      "customer": customer.map { .string($0) } ?? .null,
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
      ], pinned: [:], now: date(minutesLater)
    ).decide(Knowledge(facts))
  }

  private func answer(_ sessions: [Stripe.CheckoutSessionID], isLast: Bool, minutes: Int64) -> Fact {
    Fact(
      .sessionsBehind(SessionSearch(invoice: "in_1", isLast: isLast), sessions), asOf: date(minutes), source: .fetch)
  }

  @Test("has its Checkout Session looked for by the buyer, since no payment leads there")
  func isAsked() throws {
    let early = decide([try invoice()], minutesLater: 0)
    #expect(
      early.questions == [
        .sessionsBehind(SessionSearch(invoice: "in_1", isLast: false), .customer("cus_1"), around: date(0))
      ])
  }

  @Test("waits two minutes when there is none yet, and is looked for once more then")
  func waits() throws {
    let facts = [try invoice(), answer([], isLast: false, minutes: 0)]
    let early = decide(facts, minutesLater: 1)
    #expect(early.status == .pending)
    #expect(early.lines.isEmpty)
    #expect(early.nextLook == date(2))
    #expect(
      decide(facts, minutesLater: 2).questions == [
        .sessionsBehind(SessionSearch(invoice: "in_1", isLast: true), .customer("cus_1"), around: date(0))
      ])
  }

  @Test("is sold by itself when there is no session")
  func isSold() throws {
    let late = decide([try invoice(), answer([], isLast: true, minutes: 2)], minutesLater: 2)
    #expect(late.status == .fulfilled)
    #expect(late.root == .invoice("in_1"))
  }

  @Test("belongs to the session that was found, without any word of the session itself")
  func isFound() throws {
    let found = decide([try invoice(), answer(["cs_1"], isLast: false, minutes: 0)], minutesLater: 0)
    #expect(found.questions == [.checkoutSession("cs_1")])
    #expect(found.lines.isEmpty)
  }

  @Test("waits a quarter of an hour for its session where there is no buyer to ask by")
  func withoutBuyer() throws {
    let facts = [try invoice(customer: nil)]
    #expect(decide(facts, minutesLater: 1).nextLook == date(15))
    #expect(decide(facts, minutesLater: 15).status == .fulfilled)
  }

  @Test("belongs to its session when that comes, and is not sold a second time")
  func belongsToSession() throws {
    let both = decide([try invoice(), try session()], minutesLater: 2)
    #expect(both.root == .checkout("cs_1"))
    #expect(both.questions == [.lineItems(of: "cs_1")])
  }
}
