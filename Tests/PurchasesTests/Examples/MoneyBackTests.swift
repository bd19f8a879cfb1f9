import Identity
import LicenseKitAPI
import StripeAPI
import Testing

@testable import StripeIntegration

@Suite("Money that moves back")
struct MoneyBackTests {
  @Test(
    "A full refund does to the license what the vendor chose",
    arguments: [(Terms.OnFullRefund.revoke, "revoked"), (.suspend, "suspended"), (.keep, "active")])
  func fullRefund(choice: Terms.OnFullRefund, end: String) {
    for shape in Shape.allCases {
      var story = Story(Offer(a: Offer.terms("lk_a") { $0.onFullRefund = choice }), shape: shape)
      story.buys(one())
      story.then(.refund(payment: 0, part: false, pending: false))
      #expect(story.licenses == ["lk_a \(end)"])
    }
  }

  @Test("A partial refund changes nothing; several that add up to everything are a full one")
  func partialRefunds() {
    var story = Story()
    story.buys(several(2))
    story.then(.refund(payment: 0, part: true, pending: false))
    #expect(story.licenses == ["lk_a active"])
    story.then(.refund(payment: 0, part: false, pending: false))
    #expect(story.licenses == ["lk_a revoked"])
  }

  @Test("A refund that fails later gives a revoked license back as a new one, and a suspended one as it was")
  func refundFails() {
    var revoked = Story()
    revoked.buys(one())
    revoked.then(.refund(payment: 0, part: false, pending: false), .refundFails)
    #expect(revoked.licenses == ["lk_a revoked", "lk_a active"])

    var suspended = Story { $0.onFullRefund = .suspend }
    suspended.buys(one())
    suspended.then(.refund(payment: 0, part: false, pending: false), .refundFails)
    #expect(suspended.licenses == ["lk_a active"])
  }

  @Test("A refund that is known before the sale lets nothing be issued", arguments: Shape.allCases)
  func refundBeforeSale(shape: Shape) {
    var story = Story(shape: shape)
    story.holdsEvents = true
    story.buys(one(), guest: true)
    story.then(.refund(payment: 0, part: false, pending: false))
    story.deliver("charge.refunded", "checkout.session.completed", "refund.created")
    #expect(story.licenses == [])
    #expect(story.status == .ended)
  }

  @Test("A refund of an invoice by hand is found through its payment", arguments: Shape.allCases)
  func refundOfInvoice(shape: Shape) {
    var story = Story(shape: shape, tellsInvoicePayments: false)
    story.begins(.invoice([one()]))
    story.then(.pay, .refund(payment: 0, part: false, pending: false))
    #expect(story.licenses == ["lk_a revoked"])
  }

  @Test("An open dispute suspends, a won one reinstates, a lost one ends for good")
  func disputes() {
    var won = Story()
    won.buys(one())
    won.then(.dispute(payment: 0, inquiry: false))
    #expect(won.licenses == ["lk_a suspended"])
    won.then(.disputeWon)
    #expect(won.licenses == ["lk_a active"])

    var lost = Story()
    lost.buys(one())
    lost.then(.dispute(payment: 0, inquiry: false), .disputeLost)
    #expect(lost.licenses == ["lk_a revoked"])
  }

  @Test("An inquiry moves no money and changes nothing until it becomes a dispute")
  func inquiry() {
    var story = Story()
    story.buys(one())
    story.then(.dispute(payment: 0, inquiry: true))
    #expect(story.licenses == ["lk_a active"])
    story.then(.disputeEscalates)
    #expect(story.licenses == ["lk_a suspended"])
  }

  @Test("The end of a dispute that is heard of before its beginning stands")
  func disputeBackwards() {
    var story = Story()
    story.buys(one())
    story.holdsEvents = true
    story.then(.dispute(payment: 0, inquiry: false), .disputeLost)
    story.deliver("charge.dispute.closed", "charge.dispute.created")
    #expect(story.licenses == ["lk_a revoked"])
  }

  @Test("A dispute that was won does not bring back what was refunded meanwhile")
  func disputeAndRefund() {
    var story = Story()
    story.buys(one())
    story.then(.dispute(payment: 0, inquiry: false), .refund(payment: 0, part: false, pending: false), .disputeWon)
    #expect(story.licenses == ["lk_a revoked"])
  }

  @Test("A refunded renewal suspends until the next period is paid", arguments: Shape.allCases, [true, false])
  func refundedRenewal(shape: Shape, tellsInvoicePayments: Bool) {
    var story = Story(shape: shape, tellsInvoicePayments: tellsInvoicePayments)
    story.subscribes(one())
    story.then(.renew, .refund(payment: 0, part: false, pending: false))
    #expect(story.licenses == ["lk_a suspended"])
    story.then(.renew)
    #expect(story.licenses == ["lk_a active"])
  }

  @Test("A refund of a former period changes nothing while a later one is paid")
  func refundedFormerPeriod() {
    var story = Story()
    story.subscribes(one())
    story.then(.renew, .refund(payment: 1, part: false, pending: false))
    #expect(story.licenses == ["lk_a active"])
  }

  @Test("A dispute about any payment of a subscription suspends it")
  func disputedFormerPeriod() {
    var story = Story()
    story.subscribes(one())
    story.then(.renew, .dispute(payment: 1, inquiry: false))
    #expect(story.licenses == ["lk_a suspended"])
    story.then(.disputeWon)
    #expect(story.licenses == ["lk_a active"])
  }
}
