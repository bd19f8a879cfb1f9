import Identity
import JSON
import LicenseKitAPI
import StripeAPI
import Testing

@testable import Purchases

@Suite("Payments that do not come")
struct DunningTests {
  @Test("A renewal that fails keeps the license through the grace and suspends it after", arguments: Shape.allCases)
  func grace(shape: Shape) {
    var story = Story(shape: shape)
    story.subscribes(one())
    story.then(.failRenewal)
    story.passes(2, hours: 23)
    #expect(story.licenses == ["lk_a active"])
    story.passes(0, hours: 1)
    #expect(story.licenses == ["lk_a suspended"])
    #expect(story.causes == [["past_due"]])
    #expect(story.reason == "Suspended: a payment is overdue and the grace period is over.")
  }

  @Test("A failure that is heard of when the grace is over suspends at once", arguments: Shape.allCases)
  func lateNews(shape: Shape) {
    var story = Story(Offer(a: Offer.terms("lk_a") { $0.licenseType = .perpetual }), shape: shape)
    story.subscribes(one())
    story.holdsEvents = true
    story.then(.failRenewal)
    story.passes(7)
    story.deliver("invoice.payment_failed", "customer.subscription.updated")
    #expect(story.licenses == ["lk_a suspended"])
  }

  @Test("A failure that is heard of within the grace gets only what is left of it")
  func lateNewsWithinGrace() {
    var story = Story { $0.licenseType = .perpetual }
    story.subscribes(one())
    story.holdsEvents = true
    story.then(.failRenewal)
    story.passes(2)
    story.deliver("customer.subscription.updated", "invoice.payment_failed")
    #expect(story.licenses == ["lk_a active"])
    story.passes(1)
    #expect(story.licenses == ["lk_a suspended"])
  }

  @Test("Each further attempt that fails leaves the end of the grace where it was")
  func furtherAttempts() {
    var story = Story()
    story.subscribes(one())
    story.then(.failRenewal)
    for _ in 0..<3 {
      story.passes(0, hours: 20)
      story.then(.retryFails)
    }
    story.passes(0, hours: 9)
    #expect(story.licenses == ["lk_a suspended"])
  }

  @Test(
    "A subscription that is left past due for ever stays suspended, whatever is billed later", arguments: Shape.allCases
  )
  func pastDueForEver(shape: Shape) {
    var story = Story(Offer(a: Offer.terms("lk_a") { $0.licenseType = .perpetual }), shape: shape)
    story.subscribes(one())
    story.then(.failRenewal)
    story.passes(5)
    #expect(story.licenses == ["lk_a suspended"])
    for _ in 0..<3 {
      story.happens { stripe, root in stripe.turnsUnpaid(root, status: "past_due") }
      #expect(story.licenses == ["lk_a suspended"])
    }
    story.happens { stripe, root in
      stripe.settle(stripe.subscriptions[root]?.latestInvoice ?? "")
      stripe.becomes("active", root)
    }
    #expect(story.licenses == ["lk_a active"], "who pays the newest invoice is paid up")
  }

  @Test("Where only the last of several unpaid invoices is known, the grace counts from the end of what was paid")
  func arrearsInPart() {
    var story = Story { $0.licenseType = .perpetual }
    story.subscribes(one())
    story.holdsEvents = true
    story.then(.failRenewal)
    story.happens { stripe, root in stripe.turnsUnpaid(root, status: "past_due") }
    story.deliver("customer.subscription.updated")
    #expect(story.licenses == ["lk_a suspended"])
  }

  @Test(
    "Unpaid, paused, canceled: no status of Stripe's after failed retries leaves access",
    arguments: ["unpaid", "canceled"])
  func afterRetries(status: String) {
    for shape in Shape.allCases {
      var story = Story(shape: shape)
      story.subscribes(one())
      story.then(.failRenewal, .endDunning(status))
      #expect(story.licenses == ["lk_a suspended"], "the vendor's setting at Stripe ends the grace")
      story.then(.recover)
      #expect(story.licenses == ["lk_a active"])
    }
  }

  @Test("A subscription that is begun and never paid gives nothing, and its end is no reason to touch others")
  func incompleteExpired() {
    var story = Story()
    story.subscribes(one(), opensIncomplete: true)
    #expect(story.status == .waitingPayment)
    story.then(.neverPay)
    #expect(story.licenses == [])
    #expect(story.status == .ended)
    #expect(story.reason == "The first payment of the subscription was never made.")
  }

  @Test(
    "An hour passes at each renewal until it is paid, which no vendor's grace is too short for",
    arguments: Shape.allCases)
  func renewalSlack(shape: Shape) {
    var story = Story(Offer(a: Offer.terms("lk_a") { $0.graceDays = 0 }), shape: shape)
    story.subscribes(one())
    story.happens { stripe, root in
      stripe.turnsUnpaid(root, status: "active", dueDays: 0)
      stripe.sets(stripe.subscriptions[root]?.latestInvoice ?? "", ["status": "draft", "due_date": .null])
      stripe.emit(subscription: root, "updated")
      stripe.emit(invoice: stripe.subscriptions[root]?.latestInvoice ?? "", "updated")
    }
    story.passes(0, hours: 2)
    #expect(story.licenses == ["lk_a active"])
    story.passes(1)
    #expect(story.licenses == ["lk_a active"], "nobody was asked to pay the draft")
    story.happens { stripe, root in
      stripe.sets(
        stripe.subscriptions[root]?.latestInvoice ?? "", ["status": "open", "due_date": .integer(stripe.now - 2 * day)])
      stripe.emit(invoice: stripe.subscriptions[root]?.latestInvoice ?? "", "updated")
    }
    #expect(story.licenses == ["lk_a suspended"], "and once it is asked for, it is due")
  }

  @Test("Without grace a renewal that fails suspends at once")
  func noGrace() {
    var story = Story { $0.graceDays = 0 }
    story.subscribes(one())
    story.then(.failRenewal)
    #expect(story.licenses == ["lk_a suspended"])
  }

  @Test("The vendor is told when Stripe tries again, and when it does not")
  func nextAttempt() {
    var story = Story()
    story.subscribes(one())
    story.then(.failRenewal)
    #expect(story.reason?.contains("Stripe tries again on 20") == true)
    story.happens { stripe, root in
      let invoice = stripe.subscriptions[root]?.latestInvoice ?? ""
      stripe.sets(invoice, ["next_payment_attempt": .null])
      stripe.emit(invoice: invoice, "payment_failed")
    }
    #expect(story.reason?.hasSuffix("Stripe does not try again by itself.") == true)
  }

  // MARK: Invoices that are sent

  @Test("An invoice that is sent is not late before it is due, and the grace begins then", arguments: Shape.allCases)
  func sentInvoice(shape: Shape) {
    var story = Story(Offer(a: Offer.terms("lk_a") { $0.licenseType = .perpetual }), shape: shape)
    story.subscribes(one())
    story.happens { stripe, root in stripe.turnsUnpaid(root, status: "active", dueDays: 14) }
    story.passes(14)
    #expect(story.licenses == ["lk_a active"])
    story.happens { stripe, root in stripe.becomes("past_due", root) }
    story.passes(2)
    #expect(story.licenses == ["lk_a active"])
    story.passes(1)
    #expect(story.licenses == ["lk_a suspended"])
    story.then(.recover)
    #expect(story.licenses == ["lk_a active"])
  }

  @Test("A license with an expiry lasts until a sent invoice is due as well")
  func sentInvoiceMovesExpiry() {
    var story = Story()
    story.subscribes(one())
    story.happens { stripe, root in stripe.turnsUnpaid(root, status: "active", dueDays: 14) }
    story.passes(10)
    #expect(story.licenses == ["lk_a active"])
    story.passes(8)
    #expect(story.licenses == ["lk_a expired"] || story.licenses == ["lk_a suspended"])
  }

  @Test("A second invoice that is sent while the first is overdue gives no more time")
  func sentInvoices() {
    var story = Story { $0.licenseType = .perpetual }
    story.subscribes(one())
    story.happens { stripe, root in stripe.turnsUnpaid(root, status: "active", dueDays: 14) }
    story.passes(20)
    #expect(story.licenses == ["lk_a suspended"])
    story.happens { stripe, root in stripe.turnsUnpaid(root, status: "active", dueDays: 14) }
    #expect(story.licenses == ["lk_a suspended"])
  }

  // MARK: Pauses

  @Test(
    "A trial that ends without payment method pauses, and goes on with the first payment", arguments: Shape.allCases)
  func pausedTrial(shape: Shape) {
    var story = Story(shape: shape)
    story.subscribes(one(), trial: true)
    story.then(.trialEndsWithoutPaymentMethod)
    #expect(story.licenses == ["lk_a suspended"])
    #expect(story.causes == [["paused"]])
    story.happens { stripe, root in
      stripe.subscriptions[root]?.periodStart = stripe.now
      stripe.subscriptions[root]?.periodEnd = stripe.now + month
      stripe.settle(stripe.bill(root, reason: "subscription_cycle"))
      stripe.becomes("active", root, telling: "resumed")
    }
    #expect(story.licenses == ["lk_a active"])
    #expect(story.daysLeft == 33)
  }

  @Test(
    "A pause that was asked for leaves access as it is where the vendor chose so, however long it lasts",
    arguments: [Terms.OnInterruption.keep, .suspend])
  func askedPause(choice: Terms.OnInterruption) {
    var story = Story { $0.onPause = choice }
    story.subscribes(one())
    story.happens { stripe, root in
      stripe.sets(
        root, ["status_details": ["paused": ["subscription": ["type": "pause_requested"], "type": "subscription"]]])
      stripe.becomes("paused", root, telling: "paused")
    }
    #expect(story.licenses == [choice == .keep ? "lk_a active" : "lk_a suspended"])
    story.passes(80)
    #expect(story.licenses == [choice == .keep ? "lk_a active" : "lk_a suspended"])
  }

  @Test("A trial that ends without a payment method is over, whatever the vendor chose for pauses")
  func pauseAtTheEndOfATrial() {
    var story = Story {
      $0.onPause = .keep
      $0.licenseType = .perpetual
    }
    story.subscribes(one(), trial: true)
    story.then(.trialEndsWithoutPaymentMethod)
    #expect(story.licenses == ["lk_a suspended"])
  }
}
