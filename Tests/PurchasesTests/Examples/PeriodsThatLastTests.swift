import Foundation
import Identity
import LicenseKitAPI
import StripeAPI
import Testing

@testable import Purchases

@Suite("Periods that last, and plans that change")
struct PeriodsThatLastTests {
  @Test("A sent invoice that becomes overdue leaves a license with an expiry its grace", arguments: Shape.allCases)
  func overdueSentInvoice(shape: Shape) {
    var story = Story(shape: shape)
    story.subscribes(one())
    story.happens { stripe, root in stripe.turnsUnpaid(root, status: "active", dueDays: 14) }
    story.passes(14)
    story.happens { stripe, root in stripe.becomes("past_due", root) }
    #expect(story.licenses == ["lk_a active"])
    story.passes(2)
    #expect(story.licenses == ["lk_a active"])
    story.passes(2)
    #expect(story.licenses == ["lk_a expired"] || story.licenses == ["lk_a suspended"])
  }

  @Test("A part of a bundle that went on under a former price is sold under the new one as well")
  func bundle() {
    let offer = Offer(b: Offer.terms("lk_b"), bundled: Offer.terms("lk_c"))
    func products(_ pinned: [LineKey: Decider.PinnedTerms]) -> [ProductID] {
      Decider(
        tenant: Tenant(account: "acct_1", livemode: true), mappings: offer.mappings, pinned: pinned,
        now: Date(timeIntervalSince1970: 0)
      ).pinnedTerms(["si_1"], "price_b1y", "prod_b").map(\.terms.product)
    }
    let yearly = Decider.PinnedTerms(mappingID: "m_c", price: "price_b1y", terms: Offer.terms("lk_c"))
    let monthly = Decider.PinnedTerms(mappingID: "m_b", price: "price_b1", terms: Offer.terms("lk_b"))
    let (b, c) = (LineKey(line: "si_1", product: "lk_b"), LineKey(line: "si_1", product: "lk_c"))
    #expect(products([b: monthly, c: yearly]) == ["lk_b", "lk_c"])
    #expect(products([c: yearly]) == ["lk_c"], "what was mapped after the sale is no part of it")
  }

  private func voidsNewestInvoice(_ story: inout Story) {
    story.happens { stripe, root in
      let invoice = stripe.subscriptions[root]?.latestInvoice ?? ""
      stripe.invoices[invoice]?.status = "void"
      stripe.emit(invoice: invoice, "voided")
      stripe.becomes("active", root)
    }
  }

  @Test("After a period that was given away the next renewal is like any other", arguments: Shape.allCases)
  func afterVoid(shape: Shape) {
    var story = Story(shape: shape)
    story.subscribes(one())
    story.then(.failRenewal)
    voidsNewestInvoice(&story)
    story.happens { stripe, root in stripe.turnsUnpaid(root, status: "active", dueDays: nil) }
    #expect(story.licenses == ["lk_a active"])
    story.then(.recover)
    #expect(story.licenses == ["lk_a active"])
  }

  @Test("After a period that was given away a payment that fails has its grace", arguments: Shape.allCases)
  func failureAfterVoid(shape: Shape) {
    var story = Story(shape: shape)
    story.subscribes(one())
    story.then(.failRenewal)
    voidsNewestInvoice(&story)
    story.passes(20)
    story.then(.failRenewal)
    #expect(story.licenses == ["lk_a active"])
    story.passes(2)
    #expect(story.licenses == ["lk_a active"])
    story.passes(3)
    #expect(story.licenses != ["lk_a active"])
  }

  @Test("A line that grows beyond what one line gives keeps what it has, and goes on with it")
  func tooMany() {
    var story = Story { $0.quantity = .perUnit }
    story.subscribes(several(3))
    story.happens { stripe, root in
      stripe.subscriptions[root]?.items[0].quantity = 1_001
      stripe.emit(subscription: root, "updated")
    }
    #expect(story.status == .failed)
    #expect(story.reason?.contains("1001") == true)
    story.then(.cancelNow)
    story.passes(60)
    #expect(story.licenses.allSatisfy { $0 != "lk_a active" })
  }

  @Test("A plan that changes to another product books no earlier period as that product")
  func ordersOfFormerPlan() {
    var story = Story()
    story.subscribes(one())
    story.then(.renew, .setPrice(item: 0, "price_b1", invoiced: true))
    let orders = story.decision?.lines.flatMap(\.orders) ?? []
    #expect(orders.map(\.product) == ["lk_b"], "the rest of the period was sold by the proration")
    story.then(.renew)
    let later = story.decision?.lines.flatMap(\.orders) ?? []
    #expect(later.map(\.product) == ["lk_b", "lk_b"])
  }
}

@Suite("What was changed by hand, and what comes later")
struct LaterOverrideTests {
  @Test("An extension by hand does not outlast a dispute, even when the subscription is over")
  func disputeAfterTheEnd() {
    var story = Story()
    story.subscribes(one())
    story.byHand { $0.renew($1, until: $2.addingTimeInterval(200 * 86_400)) }
    story.looksAgain()
    story.then(.cancelNow)
    story.passes(60)
    #expect(story.licenses == ["lk_a active"])
    story.then(.dispute(payment: 0, inquiry: false))
    #expect(story.licenses == ["lk_a suspended"])
  }

  @Test("A reinstatement by hand is over when the trouble is: the next one suspends again")
  func reinstatementIsOver() {
    var story = Story()
    story.buys(one())
    story.then(.dispute(payment: 0, inquiry: false))
    story.byHand { $0.reinstate($1, now: $2) }
    story.looksAgain()
    story.then(.disputeWon)
    #expect(story.reason == nil)
    story.then(.refund(payment: 0, part: false, pending: true))
    #expect(story.licenses == ["lk_a suspended"])
  }

  @Test("A unit that is sold no more and was reinstated by hand ends with the sale")
  func soldNoMore() {
    var story = Story { $0.quantity = .perUnit }
    story.subscribes(several(2))
    story.then(.setQuantity(item: 0, 1, invoiced: true))
    #expect(story.licenses.sorted() == ["lk_a active", "lk_a suspended"])
    story.byHandSuspended { $0.reinstate($1, now: $2) }
    story.looksAgain()
    #expect(story.licenses == ["lk_a active", "lk_a active"])
    #expect(story.reason?.contains("reinstated by hand") == true)
    story.then(.dispute(payment: 0, inquiry: false), .disputeLost)
    #expect(story.licenses == ["lk_a revoked", "lk_a revoked"])
  }

  @Test("A revocation by hand is believed, even of a license that was just being changed; our own ends by its own step")
  func revokedInFlight() {
    var unit = Recorded.Unit(
      generation: 1, license: .issued("lic_1", status: .active, expiresAt: nil, features: []), inFlight: .suspend)
    _ = unit.observe(.revoked, expiresAt: nil)
    #expect(unit.inFlight == nil)
    #expect(unit.manualOverrides == [.revoked])
    #expect(unit.license == .issued("lic_1", status: .revoked, expiresAt: nil, features: []))

    let begun = Recorded.Unit(
      generation: 1, license: .issued("lic_1", status: .active, expiresAt: nil, features: []), inFlight: .revoke)
    unit = begun
    #expect(unit.observe(.revoked, expiresAt: nil).isEmpty)
    #expect(unit == begun)
  }
}
