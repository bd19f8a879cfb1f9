import LicenseKitAPI
import StripeAPI
import Testing

@testable import Purchases

/// What the oracle says of stories whose right end is known: `exactly` units must be usable, or what may be.
@Suite("The oracle knows what is right")
struct OracleTests {
  private let basic = Wish(price: "price_a1", quantity: 1)
  private let trial = SubscriptionStart(trial: true)

  private func offer(_ change: (inout Terms) -> Void) -> Offer {
    Offer(a: Offer.terms("lk_a", change), b: Offer.terms("lk_b", change))
  }

  // MARK: Dates

  @Test("The term of a one-time sale runs from its payment, however old the invoice is")
  func term() {
    let offer = offer { ($0.licenseType, $0.termDays) = (.timeLimited, 30) }
    let play = Play(.invoice([basic])).after(.pay, days: 40)
    #expect(play.verdict("lk_a", days: 29, offer) == 1...1)
    #expect(play.verdict("lk_a", days: 31, offer) == 0...0)
  }

  @Test("The grace runs from when an invoice could be paid")
  func heldBack() {
    let play = Play.subscription(basic).after(.renewHeldBack)
    #expect(play.verdict("lk_a", days: 8) == 1...1)
    let failed = play.after(.finalizeDraft(isPaid: false), days: 8)
    #expect(failed.verdict("lk_a", days: 2) == 1...1)
    #expect(failed.verdict("lk_a", days: 4) == 0...0)
  }

  @Test("What was sent with terms is not late before they are over")
  func terms() {
    let play = Play.subscription(basic, start: .init(first: .sent)).after(.pay).after(.failRenewal)
    #expect(play.verdict("lk_a", days: 20) == 1...1)
    #expect(play.verdict("lk_a", days: 35) == 0...0)
    // A later one that is not due yet does not begin the grace anew.
    #expect(play.after(.failRenewal).verdict("lk_a", days: 5) == 0...1)
    #expect(Play.subscription(basic, start: .init(first: .sent)).verdict("lk_a") == 0...0)
  }

  // MARK: Prorations

  @Test("An upgrade that was never paid ends with its grace, and what was paid goes on")
  func neverPaid() {
    let play = Play.subscription(Wish(price: "price_a1y", quantity: 1))
      .after(.setPrice(item: 0, "price_b1y", billing: .atOnceFails), days: 150)
    #expect(play.verdict("lk_b", days: 1) == 1...1)
    #expect(play.verdict("lk_a", days: 1) == 0...1)
    for end in [play, play.after(.endDunning("canceled"), days: 20), play.after(.endDunning("unpaid"), days: 20)] {
      #expect(end.verdict("lk_b", days: 25) == 0...0)
      #expect(end.verdict("lk_a", days: 25) == 1...1)
    }
  }

  @Test("An upgrade whose payment came back gives nothing")
  func returnedUpgrade() {
    let play = Play.subscription(basic).after(.setPrice(item: 0, "price_b1", billing: .atOnce), days: 5)
    #expect(play.verdict("lk_b") == 1...1)
    #expect(play.verdict("lk_a") == 0...0)
    let returned = play.after(.refund(payment: 0, part: false, pending: false), days: 1)
    #expect(returned.verdict("lk_b") == 0...0)
    #expect(returned.verdict("lk_a") == 0...1)
    #expect(returned.after(.renew).verdict("lk_b") == 1...1)
  }

  @Test("A subscription taken up at its old date rests on a proration, and ends when that is returned")
  func oldDate() {
    let play = Play.subscription(basic, start: trial)
      .after(.trialEndsWithoutPaymentMethod)
      .after(.resume(atOldDate: true, isPaid: true), days: 5)
    #expect(play.verdict("lk_a") == 1...1)
    #expect(play.after(.refund(payment: 0, part: false, pending: false)).verdict("lk_a").upperBound == 0)
  }

  @Test("The dispute of a setup fee withholds a trial, and ends it when it is lost")
  func feeInTrial() {
    let play = Play.subscription(basic, start: .init(trial: true, extra: .setupFee))
    #expect(play.verdict("lk_a") == 1...1)
    let disputed = play.after(.dispute(payment: 0, inquiry: false), days: 5)
    #expect(disputed.verdict("lk_a") == 0...0)
    #expect(disputed.after(.disputeWon).verdict("lk_a") == 1...1)
    #expect(disputed.after(.disputeLost).verdict("lk_a") == 0...0)
    #expect(disputed.after(.disputeLost).after(.renew, days: 1).verdict("lk_a") == 1...1)
  }

  @Test("An add-on on a change's invoice is a sale of its own")
  func addOn() {
    let play = Play.subscription(basic).after(.setPriceWithAddOn(item: 0, "price_a2", billing: .atOnce), days: 3)
    #expect(play.verdict("lk_d") == 1...1)
    #expect(play.verdict("lk_a") == 1...1)
    let failing = Play.subscription(basic)
      .after(.setPriceWithAddOn(item: 0, "price_a2", billing: .atOnceFails), days: 3)
    #expect(failing.verdict("lk_d") == 0...0)
  }

  @Test("Fewer units without a credit leave the paid ones to the end; with one they go")
  func fewer() {
    let offer = offer { $0.quantity = .perUnit }
    let play = Play.subscription(Wish(price: "price_a1", quantity: 3))
    #expect(play.after(.setQuantity(item: 0, 1, billing: .none), days: 10).verdict("lk_a", offer) == 3...3)
    #expect(play.after(.setQuantity(item: 0, 1, billing: .atOnce), days: 10).verdict("lk_a", offer) == 1...1)
    #expect(play.after(.setQuantity(item: 0, 1, billing: .deferred), days: 10).verdict("lk_a", offer) == 1...3)
    let renewed = play.after(.setQuantity(item: 0, 1, billing: .none), days: 10).after(.renew)
    #expect(renewed.verdict("lk_a", days: 4, offer) == 1...1)
  }

  @Test("More without anything billed yet is there at once, less is not")
  func unbilled() {
    for billing in [Billing.deferred, .none] {
      let more = Play.subscription(basic).after(.setPrice(item: 0, "price_b1", billing: billing), days: 10)
      #expect(more.verdict("lk_b") == 1...1)
    }
    let less = Play.subscription(Wish(price: "price_b1", quantity: 1))
      .after(.setPrice(item: 0, "price_a1", billing: .none), days: 10)
    #expect(less.verdict("lk_b") == 1...1)
    #expect(less.after(.renew).verdict("lk_b", days: 4) == 0...0)
    #expect(less.after(.renew).verdict("lk_a", days: 4) == 1...1)
    let added = Play.subscription(basic).after(
      .addItem(Wish(price: "price_b1", quantity: 1), billing: .deferred), days: 3)
    #expect(added.verdict("lk_b") == 1...1)
    #expect(added.verdict("lk_a") == 1...1)
  }

  @Test("What was credited with a cancellation is over, what was not goes on to its end")
  func canceled() {
    let play = Play.subscription(basic)
    #expect(play.after(.cancelNow, days: 10).verdict("lk_a", days: 15) == 1...1)
    #expect(play.after(.cancelNow, days: 10).verdict("lk_a", days: 21) == 0...0)
    #expect(play.after(.cancelNowWithCredit, days: 10).verdict("lk_a") == 0...0)
  }

  // MARK: Under way

  @Test("A debit on an active subscription is not late; a failed one is")
  func debit() {
    let play = Play.subscription(basic).after(.renewUnderWay)
    #expect(play.verdict("lk_a", days: 6) == 1...1)
    #expect(play.after(.debitFails, days: 5).verdict("lk_a", days: 4) == 0...0)
    #expect(play.after(.debitFails, .endDunning("unpaid"), days: 5).verdict("lk_a", days: 4) == 0...0)
    #expect(play.after(.debitArrives, days: 5).verdict("lk_a", days: 20) == 1...1)
    let first = Play.subscription(basic, start: .init(first: .underWay))
    #expect(first.verdict("lk_a") == 0...0)
    #expect(first.after(.debitArrives, days: 3).verdict("lk_a") == 1...1)
  }

  @Test("After a pause of collection nothing that was not asked for is owed")
  func collectionPaused() {
    let ways: [Change] = [.pauseCollection, .pauseCollectionKeepingDrafts, .pauseCollectionUncollectible]
    for way in ways {
      let play = Play.subscription(basic).after(way, days: 20).after(.renew)
      #expect(play.verdict("lk_a") == 0...0)
      #expect(play.verdict("lk_a", offer { $0.onPause = .keep }) == 1...1)
      #expect(play.after(.resumeCollection, days: 10).verdict("lk_a") == 1...1)
    }
  }

  @Test("Pauses of the subscription count by their cause")
  func paused() {
    let asked = Play.subscription(basic).after(.requestPause, days: 5)
    #expect(asked.verdict("lk_a") == 0...0)
    #expect(asked.verdict("lk_a", offer { $0.onPause = .keep }) == 1...1)
    #expect(asked.verdict("lk_a", days: 40, offer { $0.onPause = .keep }) == 0...1)
    let ended = Play.subscription(basic, start: trial).after(.trialEndsWithoutPaymentMethod)
    #expect(ended.verdict("lk_a", days: 4) == 0...0)
    #expect(ended.verdict("lk_a", days: 4, offer { $0.onPause = .keep }) == 0...0)
    let failed = Play.subscription(basic).after(.failRenewal, .endDunning("paused"))
    #expect(failed.verdict("lk_a", days: 4) == 0...0)
  }

  // MARK: Money back

  @Test("What a hold let go was not returned; what was captured and given back was")
  func partialCapture() {
    let play = Play(.checkout(CheckoutStart(money: .held), [basic]))
    #expect(play.verdict("lk_a") == 0...0)
    let captured = play.after(.capture(part: true), days: 2)
    #expect(captured.verdict("lk_a") == 1...1)
    #expect(captured.after(.refund(payment: 0, part: false, pending: false)).verdict("lk_a") == 0...0)
    #expect(play.after(.releaseHold).verdict("lk_a") == 0...0)
  }

  @Test("Money returned outside Stripe is returned, partly or in parts")
  func outside() {
    let play = Play(.invoice([basic])).after(.payOutside)
    #expect(play.after(.creditOutside(part: true)).verdict("lk_a") == 1...1)
    #expect(play.after(.creditOutside(part: true), .creditOutside(part: false)).verdict("lk_a") == 0...0)
    let subscribed = Play.subscription(basic)
    #expect(subscribed.after(.creditToBalance).verdict("lk_a") == 1...1)
    #expect(
      subscribed.after(.refund(payment: 0, part: true, pending: false), .creditOutside(part: false)).verdict("lk_a")
        == 0...0)
  }

  @Test("Of two overlapping periods the one that was not returned carries to its end; an older one changes nothing")
  func periods() {
    let play = Play.subscription(basic).after(.moveBillingDate(credit: false), days: 10)
    let returned = play.after(.refund(payment: 0, part: false, pending: false))
    #expect(returned.verdict("lk_a", days: 19) == 1...1)
    #expect(returned.verdict("lk_a", days: 25) == 0...0)
    let older = Play.subscription(basic).after(.renew).after(.refund(payment: 1, part: false, pending: false))
    #expect(older.verdict("lk_a") == 1...1)
  }

  @Test("A lost dispute ends, unless something was paid after it was made")
  func lost() {
    let play = Play.subscription(basic).after(.dispute(payment: 0, inquiry: false), days: 5)
    #expect(play.after(.disputeLost).verdict("lk_a") == 0...0)
    #expect(play.after(.renew, .disputeLost).verdict("lk_a") == 1...1)
  }

  // MARK: Fees and successors

  @Test("The fee of what a subscription is to is no license")
  func fee() {
    let play = Play.subscription(basic, start: .init(extra: .setupFee))
    #expect(play.verdict("lk_a") == 1...1)
    #expect(play.after(.cancelNow, days: 1).verdict("lk_a", days: 35) == 0...0)
    #expect(Play.subscription(basic, start: .init(extra: .addOn)).verdict("lk_d") == 1...1)
  }

  @Test("An item in the place of another is one place")
  func successor() {
    let play = Play.subscription(basic).after(.turnToNextPhase(item: 0, "price_a2", isPaid: true))
    #expect(play.verdict("lk_a", days: 2) == 1...1)
    let replaced = Play.subscription(basic).after(.replaceItem(0, with: "price_b1", billing: .atOnce), days: 3)
    #expect(replaced.verdict("lk_a") == 0...0)
    #expect(replaced.verdict("lk_b") == 1...1)
  }
}
