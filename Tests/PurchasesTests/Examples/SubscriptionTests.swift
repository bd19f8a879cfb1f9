import Identity
import LicenseKitAPI
import Testing

@testable import Purchases

@Suite("Subscriptions")
struct SubscriptionTests {
  @Test(
    "A subscription starts with one license for the paid period and the grace", arguments: Shape.allCases,
    [true, false])
  func start(shape: Shape, opensIncomplete: Bool) {
    var story = Story(shape: shape)
    story.subscribes(one(), opensIncomplete: opensIncomplete)
    if opensIncomplete {
      #expect(story.licenses == [])
      #expect(story.status == .waitingPayment)
      story.then(.payFirst)
    }
    #expect(story.licenses == ["lk_a active"])
    #expect(story.daysLeft == 33)
    #expect(story.decision?.root?.kind == "subscription")
  }

  @Test("A subscription that is never paid gets no license")
  func neverPaid() {
    var story = Story()
    story.subscribes(one(), opensIncomplete: true)
    story.then(.neverPay)
    #expect(story.licenses == [])
    #expect(story.status == .ended)
  }

  @Test("A renewal extends the same license", arguments: Shape.allCases)
  func renewal(shape: Shape) {
    var story = Story(shape: shape)
    story.subscribes(one())
    story.then(.renew)
    #expect(story.licenses == ["lk_a active"])
    #expect(story.daysLeft == 33)
  }

  @Test("A paid invoice alone issues the license, and the session that comes later changes nothing")
  func invoiceBeforeSession() {
    var story = Story()
    story.holdsEvents = true
    story.subscribes(one())
    story.deliver("invoice.paid")
    #expect(story.licenses == ["lk_a active"])
    story.deliver("checkout.session.completed", "customer.subscription.created", "charge.succeeded")
    #expect(story.licenses == ["lk_a active"])
    #expect(story.service.purchases.count == 1)
  }

  @Test("A subscription whose end is heard of first gets nothing, or no more than is paid")
  func deletedBeforeCreated() {
    var suspended = Story { $0.onCancel = .suspend }
    suspended.holdsEvents = true
    suspended.subscribes(one())
    suspended.then(.cancelNow)
    suspended.deliver("customer.subscription.deleted", "customer.subscription.created", "invoice.paid")
    #expect(suspended.licenses == [])
    #expect(suspended.status == .ended)

    var expiring = Story()
    expiring.holdsEvents = true
    expiring.subscribes(one())
    expiring.then(.cancelNow)
    expiring.deliver("customer.subscription.deleted", "customer.subscription.created", "invoice.paid")
    #expect(expiring.licenses == ["lk_a active"])
    expiring.passes(31)
    #expect(expiring.licenses == ["lk_a suspended"])
  }

  // MARK: Payments that fail

  @Test("A failed renewal keeps the license through the grace; paid within it, nothing was ever noticed")
  func recoveredInGrace() {
    var story = Story()
    story.subscribes(one())
    story.then(.failRenewal)
    story.passes(2)
    #expect(story.licenses == ["lk_a active"])
    story.then(.retryFails, .recover)
    #expect(story.licenses == ["lk_a active"])
    #expect(story.daysLeft == 31)
  }

  @Test("After the grace access ends, and comes back with the same license when the payment arrives")
  func recoveredAfterGrace() {
    var story = Story()
    story.subscribes(one())
    story.then(.failRenewal)
    story.passes(4)
    #expect(story.licenses == ["lk_a suspended"])
    #expect(story.status == .suspended)
    story.then(.recover)
    #expect(story.licenses == ["lk_a active"])
  }

  @Test("However retries end, access does not go on unpaid", arguments: ["canceled", "unpaid", "past_due"])
  func dunningEnds(status: String) {
    var story = Story()
    story.subscribes(one())
    story.then(.failRenewal)
    story.passes(10)
    story.then(.endDunning(status))
    #expect(story.licenses == ["lk_a suspended"])
    story.then(.recover)
    #expect(story.licenses == ["lk_a active"], "who pays the open invoice has paid the period")
  }

  @Test("A failed invoice in the middle of a paid period does not shorten it")
  func failureWithinPaidPeriod() {
    var story = Story { $0.graceDays = 0 }
    story.subscribes(one())
    story.then(.setQuantity(item: 0, 2, invoiced: true))
    story.passes(20)
    #expect(story.licenses == ["lk_a active"])
  }

  // MARK: Ends

  @Test(
    "A cancellation at once does what the vendor chose",
    arguments: [(Terms.OnCancel.expire, "active"), (.suspend, "suspended"), (.revoke, "revoked")])
  func canceledAtOnce(choice: Terms.OnCancel, end: String) {
    var story = Story { $0.onCancel = choice }
    story.subscribes(one())
    story.then(.cancelNow)
    #expect(story.licenses == ["lk_a \(end)"])
    #expect(story.reason?.hasPrefix("The subscription was canceled") == true)
    story.passes(30)
    #expect(story.licenses == ["lk_a \(choice == .expire ? "suspended" : end)"], "the grace is for those who stay")
  }

  @Test("A cancellation at the period's end keeps access until then, and can be taken back")
  func canceledAtPeriodEnd() {
    var story = Story()
    story.subscribes(one())
    story.then(.cancelAtPeriodEnd)
    #expect(story.licenses == ["lk_a active"])
    #expect(story.reason?.hasPrefix("The subscription ends on 20") == true)
    story.then(.keepAfterAll, .renew)
    #expect(story.licenses == ["lk_a active"])
    #expect(story.reason == nil)
    story.then(.cancelAtPeriodEnd, .renew)
    #expect(story.licenses == ["lk_a suspended"])
    #expect(story.status == .ended)
  }

  // MARK: Trials

  @Test("A trial is licensed until it ends, and the first payment extends the same license")
  func trial() {
    var story = Story()
    story.subscribes(one(), trial: true)
    #expect(story.licenses == ["lk_a active"])
    #expect(story.daysLeft == 17)
    story.then(.renew)
    #expect(story.licenses == ["lk_a active"])
    #expect(story.daysLeft == 33)
  }

  @Test("A trial that the mapping does not license waits for the first payment")
  func unlicensedTrial() {
    var story = Story { $0.trial = false }
    story.subscribes(one(), trial: true)
    #expect(story.licenses == [])
    #expect(story.status == .waitingPayment)
    story.then(.renew)
    #expect(story.licenses == ["lk_a active"])
  }

  @Test("A trial that is canceled ends with it, since nothing was paid")
  func canceledTrial() {
    var story = Story()
    story.subscribes(one(), trial: true)
    story.then(.cancelNow)
    #expect(story.licenses == ["lk_a suspended"])
  }

  @Test("A trial that ends without a payment method suspends")
  func pausedTrial() {
    var story = Story()
    story.subscribes(one(), trial: true)
    story.then(.trialEndsWithoutPaymentMethod)
    #expect(story.licenses == ["lk_a suspended"])
  }

  // MARK: Changes

  @Test("A license per unit follows the quantity up, down and up again")
  func quantity() {
    var story = Story { $0.quantity = .perUnit }
    story.subscribes(one())
    story.then(.setQuantity(item: 0, 3, invoiced: true))
    #expect(story.licenses == ["lk_a active", "lk_a active", "lk_a active"])
    story.then(.setQuantity(item: 0, 1, invoiced: true))
    #expect(story.licenses == ["lk_a active", "lk_a suspended", "lk_a suspended"], "the rest was credited")
    story.then(.setQuantity(item: 0, 2, invoiced: false))
    #expect(story.licenses == ["lk_a active", "lk_a active", "lk_a suspended"])
  }

  @Test("A quantity that is lowered without a credit keeps what is paid to the end of the period")
  func quantityWithoutCredit() {
    var story = Story { $0.quantity = .perUnit }
    story.subscribes(several(3))
    story.then(.setQuantity(item: 0, 1, invoiced: false))
    #expect(story.licenses == ["lk_a active", "lk_a active", "lk_a active"])
    story.then(.renew)
    #expect(story.licenses.filter { $0 == "lk_a active" }.count == 1)
  }

  @Test("Seats follow the quantity on the same license")
  func seats() {
    var story = Story { $0.quantity = .seats }
    story.subscribes(several(5))
    story.then(.setQuantity(item: 0, 8, invoiced: true))
    #expect(story.licenses == ["lk_a active"])
    #expect(story.features["seats"] == 8)
  }

  @Test("Another price of the same product keeps the license and changes its features")
  func priceWithinProduct() {
    var pro = Offer.terms("lk_a")
    pro.features = [.init(featureID: .init("pro"), maxConsumptions: 10)]
    var story = Story(Offer(a2: pro))
    story.subscribes(one())
    story.then(.setPrice(item: 0, "price_a2", invoiced: true))
    #expect(story.licenses == ["lk_a active"])
    #expect(story.features == ["pro": 10])
  }

  @Test("A change to another product replaces the license")
  func priceOfAnotherProduct() {
    var story = Story()
    story.subscribes(one())
    story.then(.setPrice(item: 0, "price_b1", invoiced: true))
    #expect(story.licenses == ["lk_a suspended", "lk_b active"])
  }

  @Test("A change to a price without mapping keeps what was sold before, and shows what is missing")
  func priceWithoutMapping() {
    var story = Story()
    story.subscribes(one())
    story.then(.setPrice(item: 0, "price_x1", invoiced: true))
    #expect(story.licenses == ["lk_a active"])
    #expect(story.decision?.unmapped == ["price_x1", "prod_x"])
  }

  @Test("The fee at the beginning of a trial stays a fee when the trial ends in another product's plan")
  func feeOfTrial() {
    var story = Story()
    story.begins(.subscription(SubscriptionStart(trial: true, extra: .setupFee), [one()]))
    #expect(story.licenses == ["lk_a active"])
    story.then(.turnToNextPhase(item: 0, "price_b1", isPaid: true))
    #expect(story.licenses == ["lk_a suspended", "lk_b active"])
  }

  @Test("An item that was added beside one of its product, and changed to another product, takes its own unit along")
  func changedBesideItsProduct() {
    for holdsEvents in [false, true] {
      var story = Story()
      story.holdsEvents = holdsEvents
      story.subscribes(one())
      story.then(.addItem(one("price_a2"), invoiced: true), .setPrice(item: 1, "price_b1", invoiced: true))
      if holdsEvents { story.deliverAll(Array(story.stripe.events.indices.reversed())) }
      #expect(story.licenses.filter { $0.hasSuffix("active") }.sorted() == ["lk_a active", "lk_b active"])
    }
  }

  @Test("An item that is added is licensed, and one that is removed no more")
  func items() {
    var story = Story()
    story.subscribes(one())
    story.then(.addItem(one("price_b1"), invoiced: false))
    #expect(story.licenses == ["lk_a active", "lk_b active"])
    story.then(.removeItem(0))
    #expect(story.licenses == ["lk_a active", "lk_b active"], "it is paid, and nothing of it was credited")
    story.then(.renew)
    story.passes(1)
    #expect(story.licenses == ["lk_a suspended", "lk_b active"])
  }

  @Test("An item that was added in the middle of a period shares its fate when the renewal fails")
  func addedItemInDunning() {
    var story = Story(Offer(b: Offer.terms("lk_b") { $0.licenseType = .perpetual }))
    story.subscribes(one())
    story.then(.addItem(one("price_b1"), invoiced: false), .failRenewal)
    #expect(story.licenses == ["lk_a active", "lk_b active"])
    story.passes(5)
    #expect(story.licenses == ["lk_a suspended", "lk_b suspended"])
  }

  @Test("A pause of the collection suspends, or keeps access going, as the vendor chose")
  func pause() {
    var suspended = Story()
    suspended.subscribes(one())
    suspended.then(.pauseCollection)
    #expect(suspended.licenses == ["lk_a suspended"])
    suspended.then(.resumeCollection)
    #expect(suspended.licenses == ["lk_a active"])

    var kept = Story { $0.onPause = .keep }
    kept.subscribes(one())
    kept.then(.pauseCollection, .renew)
    kept.passes(10)
    #expect(kept.licenses == ["lk_a active"])
  }
}
