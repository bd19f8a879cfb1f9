import Identity
import LicenseKitAPI
import TestRandom

@testable import Purchases

/// Random histories; the same seed makes the same history. What happens is played while it is chosen, so that most of it
/// takes effect.
struct Generator {
  var random: SeededRandom

  init(seed: UInt64) { random = SeededRandom(seed: seed) }

  static func history(seed: UInt64) -> History {
    var generator = Generator(seed: seed)
    return generator.history()
  }

  private mutating func history() -> History {
    var history = History(
      shape: random.pick(Shape.allCases), cutsLists: random.once(in: 4), tellsInvoicePayments: !random.once(in: 3),
      billsFlexibly: random.once(in: 2), offer: offer())
    var model = history.moments()[0]
    var roots: [String] = []
    let isSubscription = !random.once(in: 3)
    func begins(_ beginning: Beginning, after: Seconds) {
      history.happenings.append(Happening(after: after, purchase: roots.count, what: .begins(beginning)))
      model.now += after
      roots.append(model.begin(beginning))
    }
    begins(isSubscription ? subscription() : oneTime(), after: 0)
    let others = random.once(in: 4) ? 1 + random.below(2) : 0
    for _ in 0..<others { begins(oneTime(), after: gap()) }
    for _ in 0..<random.below(9) {
      let purchase = random.below(others + 1)
      let after = gap()
      for _ in 0..<6 {
        let next = random.once(in: 3) ? followers(of: roots[purchase], in: model) : []
        let change =
          next.isEmpty
          ? purchase == 0 && isSubscription ? subscriptionChange() : oneTimeChange() : random.pick(next)
        var later = model
        later.now += after
        later.apply(change, to: roots[purchase])
        guard later.differs(from: model) else { continue }
        history.happenings.append(Happening(after: after, purchase: purchase, what: .changes(change)))
        model = later
        break
      }
    }
    return history
  }

  private mutating func gap() -> Seconds {
    switch random.below(7) {
    case 0...1: 0
    case 2: 1
    case 3: Seconds(random.below(7_200))
    case 4: Seconds(random.below(13)) * day + Seconds(random.below(7_200))
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
    if random.once(in: 3) {
      offer.addOn.licenseType = .timeLimited
      offer.addOn.termDays = random.pick([10, 30])
      offer.addOn.onFullRefund = random.pick(Terms.OnFullRefund.allCases)
      offer.addOn.onDispute = random.pick(Terms.OnInterruption.allCases)
    }
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

  mutating func wish(isYearly: Bool = false) -> Wish {
    let prices = isYearly ? ["price_a1y", "price_b1y"] : ["price_a1", "price_a1", "price_a2", "price_b1"]
    return Wish(price: random.pick(prices), quantity: random.pick([1, 1, 2, 3]))
  }

  private mutating func wishes(upTo most: Int, isYearly: Bool = false) -> [Wish] {
    var wishes = (0..<(1 + random.below(most))).map { _ in wish(isYearly: isYearly) }
    if wishes.count > 1, !isYearly, random.once(in: 4) { wishes[1].price = "price_x1" }
    return wishes
  }

  // MARK: How it begins

  private mutating func oneTime() -> Beginning {
    if random.once(in: 4) { return .invoice(wishes(upTo: 2)) }
    let start = CheckoutStart(
      guest: random.once(in: 2), makesInvoice: random.once(in: 3),
      money: random.pick([.card, .card, .card, .delayed, .delayed, .held]))
    return .checkout(start, wishes(upTo: 3))
  }

  private mutating func subscription() -> Beginning {
    var start = SubscriptionStart(
      trial: random.once(in: 3), byCheckout: random.once(in: 2),
      first: random.pick([.paid, .paid, .paid, .paid, .incomplete, .incomplete, .underWay, .sent]))
    // Checkout sends no invoices.
    if start.first == .sent { start.byCheckout = false }
    if random.once(in: 6) { start.extra = random.pick(SubscriptionStart.Extra.allCases) }
    let isYearly = random.once(in: 5)
    if start.first == .paid, !start.trial, !start.byCheckout, random.once(in: 4) {
      start.beside = wishes(upTo: 2, isYearly: isYearly)
    }
    return .subscription(start, wishes(upTo: isYearly ? 1 : 2, isYearly: isYearly))
  }
}

extension StripeModel {
  /// Whether something happened between two moments, be it told or not.
  func differs(from former: StripeModel) -> Bool {
    events.count != former.events.count || subscriptions != former.subscriptions || invoices != former.invoices
      || payments != former.payments
  }
}
