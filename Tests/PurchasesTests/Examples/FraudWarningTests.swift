import Identity
import LicenseKitAPI
import Testing

@testable import Purchases

@Suite("Warnings of fraud")
struct FraudWarningTests {
  @Test("A warning of fraud is noted, and suspends where the vendor chose so", arguments: Shape.allCases)
  func fraudWarning(shape: Shape) {
    var kept = Story(shape: shape)
    kept.buys(one())
    kept.happens { stripe, root in stripe.warns(of: stripe.payment(of: root)) }
    #expect(kept.licenses == ["lk_a active"])

    var careful = Story(Offer(a: Offer.terms("lk_a") { $0.onFraudWarning = .suspend }), shape: shape)
    careful.buys(one())
    careful.happens { stripe, root in stripe.warns(of: stripe.payment(of: root)) }
    #expect(careful.licenses == ["lk_a suspended"])
    #expect(careful.causes == [["fraud_warning"]])
    careful.happens { stripe, root in stripe.warns(of: stripe.payment(of: root), isActionable: false) }
    #expect(careful.licenses == ["lk_a active"])
  }

  @Test("Who trusts the buyer reinstates the license by hand, and the warning does not suspend it again")
  func fraudWarningTrusted() {
    var story = Story { $0.onFraudWarning = .suspend }
    story.buys(one())
    story.happens { stripe, root in stripe.warns(of: stripe.payment(of: root)) }
    #expect(story.licenses == ["lk_a suspended"])
    story.byHand { kit, license, now in kit.reinstate(license, now: now) }
    story.looksAgain()
    story.deliver("radar.early_fraud_warning.created", "charge.succeeded")
    #expect(story.licenses == ["lk_a active"])
  }

  @Test("A refund answers a warning of fraud, and counts by its own rule")
  func fraudWarningRefunded() {
    var story = Story {
      $0.onFraudWarning = .suspend
      $0.onFullRefund = .keep
    }
    story.buys(one())
    story.happens { stripe, root in stripe.warns(of: stripe.payment(of: root)) }
    #expect(story.licenses == ["lk_a suspended"])
    story.then(.refund(payment: 0, part: false, pending: false))
    #expect(story.licenses == ["lk_a active"], "the vendor lets buyers keep what is refunded")
  }

  @Test("A warning of fraud about a subscription's payment suspends it, and the dispute that follows goes on doing so")
  func fraudWarningOfSubscription() {
    var story = Story { $0.onFraudWarning = .suspend }
    story.subscribes(one())
    story.happens { stripe, root in stripe.warns(of: stripe.payment(of: root)) }
    #expect(story.causes == [["fraud_warning"]])
    story.then(.dispute(payment: 0, inquiry: false))
    story.happens { stripe, root in stripe.warns(of: stripe.payment(of: root), isActionable: false) }
    #expect(story.causes == [["disputed"]])
    story.then(.disputeWon)
    #expect(story.licenses == ["lk_a active"])
  }
}
