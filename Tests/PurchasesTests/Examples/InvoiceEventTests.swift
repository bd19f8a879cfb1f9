import Foundation
import Identity
import JSON
import LicenseKitAPI
import StripeAPI
import Testing

@testable import Purchases

@Suite("Invoices, event by event")
struct InvoiceEventTests {
  // MARK: Invoices by hand

  @Test("A finalized invoice begins nothing; its payment does", arguments: Shape.allCases)
  func finalized(shape: Shape) {
    var story = Story(shape: shape)
    story.begins(.invoice([one()]))
    #expect(story.service.purchases.isEmpty)
    story.then(.pay)
    #expect(story.licenses == ["lk_a active"])
  }

  @Test(
    "An invoice that was given up waits, and gives its license when it is paid after all", arguments: Shape.allCases)
  func uncollectible(shape: Shape) {
    var story = Story(shape: shape)
    story.begins(.invoice([one()]))
    story.then(.markUncollectible)
    #expect(story.status == .waitingPayment)
    #expect(story.reason == "The invoice was marked uncollectible; it can still be paid.")
    story.then(.pay)
    #expect(story.licenses == ["lk_a active"])
  }

  @Test("An invoice that is voided after it had given a license takes it back", arguments: Shape.allCases)
  func voided(shape: Shape) {
    var story = Story(shape: shape)
    story.begins(.invoice([one()]))
    story.happens { stripe, root in
      stripe.invoices[root]?.status = "paid"
      stripe.emit(invoice: root, "paid")
    }
    #expect(story.licenses == ["lk_a active"])
    story.happens { stripe, root in
      stripe.invoices[root]?.status = "void"
      stripe.emit(invoice: root, "voided")
    }
    #expect(story.licenses == ["lk_a revoked"])
    #expect(story.causes == [["voided"]])
    let recorded = story.service.purchases.values.first?.recorded
    #expect(recorded?.orders.values.map(\.status) == [.canceled], "a void is not a refund")
  }

  @Test("An invoice that is voided before it was paid sells nothing")
  func voidedUnpaid() {
    var story = Story()
    story.begins(.invoice([one()]))
    story.then(.void)
    #expect(story.licenses == [])
    #expect(story.status == .ended)
  }

  @Test("An invoice that is paid outside Stripe gives its license", arguments: Shape.allCases)
  func outOfBand(shape: Shape) {
    var story = Story(shape: shape)
    story.begins(.invoice([one()]))
    story.happens { stripe, root in
      stripe.invoices[root]?.status = "paid"
      stripe.emit(invoice: root, "paid")
    }
    #expect(story.licenses == ["lk_a active"])
  }

  @Test("An invoice that credit notes have taken back before it was paid counts as voided, though Stripe calls it paid")
  func credited() {
    var story = Story()
    story.begins(.invoice([one()]))
    story.happens { stripe, root in
      stripe.sets(root, ["amount_paid": 0, "pre_payment_credit_notes_amount": 1_000])
      stripe.invoices[root]?.status = "paid"
      stripe.emit(invoice: root, "paid")
    }
    #expect(story.licenses == [])
    #expect(story.status == .ended)
  }

  @Test("An invoice that was credited in part and paid for the rest gives its license")
  func creditedInPart() {
    var story = Story()
    story.begins(.invoice([one()]))
    story.happens { stripe, root in
      stripe.sets(root, ["amount_paid": 400, "pre_payment_credit_notes_amount": 600])
      stripe.invoices[root]?.status = "paid"
      stripe.emit(invoice: root, "paid")
    }
    #expect(story.licenses == ["lk_a active"])
  }

  @Test(
    "Of an invoice by hand the lines sell that are neither credits nor the price of a change", arguments: Shape.allCases
  )
  func linesThatSell(shape: Shape) throws {
    func line(_ id: String, amount: Int64 = 1_000, isProration: Bool = false) -> JSONValue {
      var line = JSONObject([
        ("id", .string(id)), ("object", "line_item"), ("amount", .integer(amount)), ("quantity", 1),
      ])
      switch shape {
      case .old:
        line["type"] = "invoiceitem"
        line["proration"] = .bool(isProration)
        line["price"] = ["id": "price_1", "object": "price", "product": "prod_a", "type": "one_time"]
      case .new:
        line["pricing"] = ["type": "price_details", "price_details": ["price": "price_1", "product": "prod_a"]]
        line["parent"] = [
          "type": "invoice_item_details", "invoice_item_details": ["proration": .bool(isProration)],
        ]
      }
      return .object(line)
    }
    var fixture = EventFixture()
    try fixture.hears(
      "invoice.paid",
      [
        "id": "in_1", "object": "invoice", "status": "paid", "billing_reason": "manual", "customer": "cus_1",
        "total": 2_700, "amount_paid": 2_700, "created": .integer(EventFixture.start),
        "lines": [
          "object": "list", "has_more": false,
          "data": [
            line("il_sold"), line("il_change", isProration: true), line("il_credit", amount: -300, isProration: true),
            line("il_discount", amount: -1_000),
          ],
        ],
      ])
    fixture.knowledge.learnAnswer(
      try #require(fixture.knowledge[FactKey(rawValue: "in_1")]), answeredAt: fixture.knowledge.newest ?? .distantPast)
    #expect(fixture.decides().lines.map(\.key.line) == ["il_sold"])
  }

  // MARK: What only tells

  @Test("A payment that the buyer must confirm changes no license and begins no purchase", arguments: Shape.allCases)
  func actionRequired(shape: Shape) {
    var story = Story(shape: shape)
    story.subscribes(one())
    story.happens { stripe, root in
      stripe.turnsUnpaid(root, status: "active", dueDays: 10)
      stripe.emit(invoice: stripe.subscriptions[root]?.latestInvoice ?? "", "payment_action_required")
    }
    #expect(story.licenses == ["lk_a active"])

    var unknown = Story(shape: shape)
    unknown.begins(.invoice([one()]))
    unknown.hears("invoice.payment_action_required")
    #expect(unknown.service.purchases.isEmpty)
  }

  @Test("What says the same as another event, or nothing yet, is ignored with its reason")
  func ignored() throws {
    for type in ["invoice.payment_succeeded", "invoice.created", "invoice.upcoming"] {
      guard case .ignore(let reason) = try EventFixture.effect(type, ["object": "invoice"]) else {
        Issue.record("\(type) has an effect")
        continue
      }
      #expect(!reason.contains("no effect"), "a reason of its own")
    }
  }

  // MARK: Of a subscription

  @Test("A first invoice whose payment fails has no license to touch", arguments: Shape.allCases)
  func firstFails(shape: Shape) {
    var story = Story(shape: shape)
    story.subscribes(one(), opensIncomplete: true)
    story.hears("invoice.payment_failed", of: story.newestInvoice)
    story.passes(5)
    #expect(story.licenses == [])
    #expect(story.status == .waitingPayment)
  }

  @Test("A renewal for nothing, under a coupon for all of it, is a paid period", arguments: Shape.allCases)
  func freeRenewal(shape: Shape) {
    var story = Story(shape: shape)
    story.subscribes(one())
    story.happens { stripe, root in
      stripe.turnsUnpaid(root, status: "active", dueDays: 0)
      let invoice = stripe.subscriptions[root]?.latestInvoice ?? ""
      stripe.invoices[invoice]?.lines[0].amount = 0
      stripe.settle(invoice)
    }
    #expect(story.licenses == ["lk_a active"])
    #expect(story.daysLeft == 33)
  }

  @Test("The invoice for nothing that a trial begins with is no payment")
  func trialInvoice() {
    var story = Story { $0.trial = false }
    story.subscribes(one(), trial: true)
    story.hears("invoice.paid", of: story.newestInvoice)
    #expect(story.licenses == [])
  }

  @Test("An invoice for a change in the middle of a period sells nothing by itself", arguments: Shape.allCases)
  func proration(shape: Shape) {
    var story = Story(Offer(a: Offer.terms("lk_a") { $0.quantity = .perUnit }), shape: shape)
    story.subscribes(several(2))
    story.then(.setQuantity(item: 0, 3, invoiced: true))
    #expect(story.licenses == ["lk_a active", "lk_a active", "lk_a active"])
    story.hears("invoice.paid", of: story.newestInvoice)
    #expect(story.licenses.count == 3)
    #expect(story.daysLeft == 33, "nor does it extend anything")
  }

  @Test("A voided renewal of a subscription that goes on gives the period away", arguments: Shape.allCases)
  func voidedRenewal(shape: Shape) {
    var story = Story(shape: shape)
    story.subscribes(one())
    story.then(.failRenewal)
    story.happens { stripe, root in
      let invoice = stripe.subscriptions[root]?.latestInvoice ?? ""
      stripe.invoices[invoice]?.status = "void"
      stripe.emit(invoice: invoice, "voided")
      stripe.becomes("active", root)
    }
    story.passes(10)
    #expect(story.licenses == ["lk_a active"])
  }

  @Test("A renewal that was given up suspends after the grace, and its payment brings the license back")
  func uncollectibleRenewal() {
    var story = Story()
    story.subscribes(one())
    story.then(.failRenewal)
    story.happens { stripe, root in
      let invoice = stripe.subscriptions[root]?.latestInvoice ?? ""
      stripe.invoices[invoice]?.status = "uncollectible"
      stripe.emit(invoice: invoice, "marked_uncollectible")
      stripe.becomes("active", root)
    }
    #expect(story.licenses == ["lk_a active"])
    story.passes(4)
    #expect(story.licenses == ["lk_a suspended"])
    story.happens { stripe, root in stripe.settle(stripe.subscriptions[root]?.latestInvoice ?? "") }
    #expect(story.licenses == ["lk_a active"])
  }

  @Test("A renewal that credit notes have taken back gives the period away, and is no order", arguments: Shape.allCases)
  func creditedRenewal(shape: Shape) {
    var story = Story(shape: shape)
    story.subscribes(one())
    story.happens { stripe, root in
      stripe.turnsUnpaid(root, status: "active", dueDays: 5)
      let invoice = stripe.subscriptions[root]?.latestInvoice ?? ""
      stripe.sets(invoice, ["amount_paid": 0, "pre_payment_credit_notes_amount": 1_000])
      stripe.invoices[invoice]?.status = "paid"
      stripe.emit(invoice: invoice, "paid")
    }
    story.passes(20)
    #expect(story.licenses == ["lk_a active"])
    #expect(story.decision?.lines.first?.orders.count == 1)
  }

  @Test("An invoice with more lines than it shows is asked for before it counts")
  func moreLines() throws {
    var fixture = EventFixture()
    try fixture.hears(
      "customer.subscription.created",
      EventFixture.subscription([EventFixture.item("si_1"), EventFixture.item("si_2")]))
    try fixture.hears("invoice.paid", EventFixture.invoice([EventFixture.line("si_1")], hasMore: true))
    #expect(fixture.decides().questions == [.invoice("in_1")])
    #expect(fixture.decides().lines.isEmpty)
  }
}
