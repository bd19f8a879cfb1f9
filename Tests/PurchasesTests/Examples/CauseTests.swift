import Foundation
import Identity
import LicenseKitAPI
import Testing

@testable import Purchases

@Suite("Several causes at once")
struct CauseTests {
  @Test("Past due and disputed: both are told, and either alone goes on to suspend", arguments: Shape.allCases)
  func pastDueAndDisputed(shape: Shape) {
    var story = Story(shape: shape)
    story.subscribes(one())
    story.then(.dispute(payment: 0, inquiry: false), .failRenewal)
    story.passes(4)
    #expect(story.causes == [["disputed", "past_due"]])
    #expect(
      story.reason == "Suspended: the payment is disputed; a payment is overdue and the grace period is over.")
    story.then(.disputeWon)
    #expect(story.licenses == ["lk_a suspended"])
    #expect(story.causes == [["past_due"]])
    story.then(.recover)
    #expect(story.licenses == ["lk_a active"])
    #expect(story.causes == [[]])
  }

  @Test("Paid while the dispute goes on: the payment lifts only what it is about")
  func paidWhileDisputed() {
    var story = Story()
    story.subscribes(one())
    story.then(.dispute(payment: 0, inquiry: false), .failRenewal)
    story.passes(4)
    story.then(.recover)
    #expect(story.licenses == ["lk_a suspended"])
    #expect(story.causes == [["disputed"]])
    story.then(.disputeWon)
    #expect(story.licenses == ["lk_a active"])
  }

  @Test("What else holds is told beside what has ended access")
  func besidesTheEnd() {
    var story = Story()
    story.buys(one())
    story.then(.dispute(payment: 0, inquiry: false), .refund(payment: 0, part: false, pending: false))
    #expect(story.licenses == ["lk_a revoked"])
    #expect(story.causes == [["disputed", "refunded"]])
    #expect(story.reason == "The payment was refunded in full. Besides: the payment is disputed.")
  }

  @Test("Revoking goes before ending, and ending before suspending")
  func strictest() {
    var story = Story { $0.onCancel = .suspend }
    story.subscribes(one())
    story.then(.dispute(payment: 0, inquiry: false), .cancelNow)
    #expect(story.status == .ended)
    #expect(story.causes == [["canceled", "disputed"]])
    story.then(.disputeLost)
    #expect(story.licenses == ["lk_a revoked"])
    #expect(story.causes == [["canceled", "dispute_lost"]])
  }

  @Test("Of several ends the one that revokes counts, in whatever order they are found")
  func severalEnds() {
    var builder = Entitlement.Builder(now: .distantPast)
    builder.end(revoke: false, .canceled, "It was canceled.")
    builder.end(revoke: true, .refunded, "It was refunded.")
    builder.end(revoke: true, .disputeLost, "The dispute was lost.")
    #expect(builder.entitlement(paidThrough: nil).access == .ended(revoke: true, "It was refunded."))
    #expect(builder.entitlement(paidThrough: nil).causes == [.canceled, .refunded, .disputeLost])
  }

  @Test("A pause, a dispute and a refund that is under way are lifted one by one")
  func threeCauses() {
    var story = Story()
    story.subscribes(one())
    story.then(
      .pauseCollection, .dispute(payment: 0, inquiry: false), .refund(payment: 0, part: false, pending: true))
    #expect(story.causes == [["collection_paused", "disputed", "refund_pending"]])
    story.then(.refundFails)
    #expect(story.causes == [["collection_paused", "disputed"]])
    story.then(.resumeCollection)
    #expect(story.causes == [["disputed"]])
    #expect(story.licenses == ["lk_a suspended"])
    story.then(.disputeWon)
    #expect(story.licenses == ["lk_a active"])
  }

  @Test("Each line has causes of its own")
  func perLine() {
    var story = Story(Offer(b: Offer.terms("lk_b") { $0.onDispute = .keep }))
    story.buys(one("price_a1"), one("price_b1"))
    story.then(.dispute(payment: 0, inquiry: false))
    #expect(story.licenses == ["lk_a suspended", "lk_b active"])
    #expect(story.causes == [["disputed"], []])
  }
}
