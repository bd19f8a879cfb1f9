import Identity
import LicenseKitAPI
import StripeAPI

@testable import StripeIntegration

/// Random histories; the same seed makes the same history.
struct Generator {
  private var random: SplitMix64

  init(seed: UInt64) { random = SplitMix64(seed: seed) }

  static func history(seed: UInt64) -> History {
    var generator = Generator(seed: seed)
    return generator.history()
  }

  private mutating func history() -> History {
    var history = History(
      shape: random.pick(Shape.allCases), cutsLists: random.once(in: 4), tellsInvoicePayments: !random.once(in: 3),
      offer: offer())
    let isSubscription = !random.once(in: 3)
    history.happenings.append(
      Happening(after: 0, purchase: 0, what: .begins(isSubscription ? subscription() : oneTime())))
    let others = random.once(in: 4) ? 1 + random.below(2) : 0
    for other in 0..<others {
      history.happenings.append(Happening(after: gap(), purchase: other + 1, what: .begins(oneTime())))
    }
    for _ in 0..<random.below(9) {
      let purchase = random.below(others + 1)
      let change = purchase == 0 && isSubscription ? subscriptionChange() : oneTimeChange()
      history.happenings.append(Happening(after: gap(), purchase: purchase, what: .changes(change)))
    }
    return history
  }

  private mutating func gap() -> Seconds {
    switch random.below(6) {
    case 0...1: 0
    case 2: 1
    case 3: Seconds(random.below(7_200))
    default: Seconds(random.below(4)) * day + Seconds(random.below(7_200))
    }
  }

  // MARK: What is offered

  private mutating func offer() -> Offer {
    var offer = Offer(a: terms("lk_a"), b: terms("lk_b"))
    if random.once(in: 3) {
      let more = random.pick(["base", "pro"])
      var override = offer.a
      override.features = [.init(featureID: FeatureID(more), maxConsumptions: 5)]
      if random.once(in: 2) { override.quantity = random.pick(Terms.Quantity.allCases) }
      if random.once(in: 3) { override.policy = "policy_pro" }
      offer.a2 = override
    }
    if random.once(in: 5) { offer.bundled = terms("lk_c") }
    return offer
  }

  private mutating func terms(_ product: String) -> Terms {
    let isPlain = random.once(in: 2)
    return Offer.terms(product) { terms in
      terms.quantity = random.pick(Terms.Quantity.allCases)
      if isPlain { return }
      terms.licenseType = random.pick([.subscription, .subscription, .perpetual, .timeLimited])
      terms.trial = random.once(in: 2)
      terms.graceDays = random.pick([0, 1, 3, 10])
      if terms.licenseType == .timeLimited, random.once(in: 2) { terms.termDays = random.pick([1, 10, 30]) }
      terms.onFullRefund = random.pick(Terms.OnFullRefund.allCases)
      terms.onDispute = random.pick(Terms.OnInterruption.allCases)
      terms.onPause = random.pick(Terms.OnInterruption.allCases)
      terms.onCancel = random.pick(Terms.OnCancel.allCases)
    }
  }

  private mutating func wish() -> Wish {
    Wish(price: random.pick(["price_a1", "price_a1", "price_a2", "price_b1"]), quantity: random.pick([1, 1, 2, 3]))
  }

  private mutating func wishes(upTo most: Int) -> [Wish] {
    var wishes = (0..<(1 + random.below(most))).map { _ in wish() }
    if wishes.count > 1, random.once(in: 4) { wishes[1].price = "price_x1" }
    return wishes
  }

  // MARK: What happens

  private mutating func oneTime() -> Beginning {
    random.once(in: 4)
      ? .invoice(wishes(upTo: 2))
      : .checkout(
        guest: random.once(in: 2), makesInvoice: random.once(in: 3), delayed: random.once(in: 3), wishes(upTo: 3))
  }

  private mutating func subscription() -> Beginning {
    .subscription(
      trial: random.once(in: 3), byCheckout: random.once(in: 2), opensIncomplete: random.once(in: 3), wishes(upTo: 2))
  }

  private mutating func money() -> Change {
    switch random.below(7) {
    case 0...1:
      .refund(payment: random.pick([0, 0, 0, 1]), part: random.once(in: 3), pending: random.once(in: 3))
    case 2: .refundSucceeds
    case 3: .refundFails
    case 4: .dispute(payment: random.pick([0, 0, 1]), inquiry: random.once(in: 3))
    case 5: random.pick([.disputeEscalates, .disputeWon])
    default: .disputeLost
    }
  }

  private mutating func oneTimeChange() -> Change {
    switch random.below(3) {
    case 0: random.pick([.moneyArrives, .moneyArrives, .moneyFails, .pay, .pay, .void, .markUncollectible])
    default: money()
    }
  }

  private mutating func subscriptionChange() -> Change {
    switch random.below(14) {
    case 0...3: random.pick([.renew, .payFirst, .renew])
    case 4: random.pick([.failRenewal, .retryFails, .neverPay])
    case 5: .failRenewal
    case 6: random.pick([.recover, .trialEndsWithoutPaymentMethod])
    case 7: random.pick([.endDunning("canceled"), .endDunning("unpaid"), .recover])
    case 8: random.pick([.cancelNow, .cancelAtPeriodEnd, .cancelAtPeriodEnd, .keepAfterAll])
    case 9: .setQuantity(item: random.below(2), random.pick([1, 2, 3, 0]), invoiced: random.once(in: 2))
    case 10:
      .setPrice(item: random.below(2), random.pick(["price_a1", "price_a2", "price_b1"]), invoiced: random.once(in: 2))
    case 11: random.pick([.addItem(wish(), invoiced: random.once(in: 2)), .removeItem(random.below(2))])
    case 12: random.pick([.pauseCollection, .resumeCollection])
    default: money()
    }
  }
}
