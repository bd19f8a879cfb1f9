import TestRandom
import Testing

@testable import Purchases

/// Among all random histories few have an invoice that bills several subscriptions, and fewer have its money go back. Here
/// each has.
@Suite("The law for subscriptions that are billed together")
struct SharedInvoiceLawTests {
  @Test("Random histories", arguments: Runs.parts)
  func randomHistories(seeds: Range<UInt64>) {
    for seed in seeds where seed % 10 == 0 {
      func fails(_ history: History) -> Bool { !LawTests.faults(in: history, seed: seed).isEmpty }
      let history = Self.history(seed: seed)
      guard fails(history) else { continue }
      let smallest = shrunk(history) { Runs.shrinks && fails($0) }
      let faults = LawTests.faults(in: smallest, seed: seed)
      Issue.record("seed \(seed)\n\(smallest)\n\(faults.prefix(20).joined(separator: "\n"))")
      return
    }
  }

  @Test("Lists that show the lines of one alone, and events that are lost, do not make them one purchase")
  func cutLists() {
    var history = History(cutsLists: true, tellsInvoicePayments: false, billsFlexibly: true)
    history.happenings = [
      Self.beginning([Wish(price: "price_a1", quantity: 2)], [Wish(price: "price_a1", quantity: 1)]),
      // Nothing is disputed: a moment passes.
      Happening(after: 0, purchase: 0, what: .changes(.disputeWon)),
      Happening(after: 0, purchase: 0, what: .changes(.creditOutside(part: true))),
    ]
    #expect(LawTests.faults(in: history, seed: 190) == [])
  }

  private static func beginning(_ beside: [Wish], _ wishes: [Wish]) -> Happening {
    Happening(
      after: 0, purchase: 0, what: .begins(.subscription(SubscriptionStart(beside: beside), wishes)))
  }

  private static let changes: [Change] = [
    .renewTogether, .renewTogether, .renewTogether, .renew, .failRenewal, .recover, .cancelNow,
    .dispute(payment: 0, inquiry: false), .dispute(payment: 1, inquiry: false), .disputeWon, .disputeLost,
    .refund(payment: 0, part: false, pending: false), .refund(payment: 0, part: true, pending: false),
    .refund(payment: 1, part: false, pending: true), .refundSucceeds, .refundFails,
    .creditOutside(part: false), .creditOutside(part: true),
  ]

  private static func history(seed: UInt64) -> History {
    var random = SeededRandom(seed: seed &* 7_919)
    var history = Generator.history(seed: seed)
    let prices = random.once(in: 2) ? ["price_a1y", "price_b1y"] : ["price_a1", "price_b1"]
    func wishes() -> [Wish] {
      (0...random.below(2)).map { _ in Wish(price: random.pick(prices), quantity: 1 + random.below(2)) }
    }
    history.happenings = [beginning(wishes(), wishes())]
    for _ in 0...(1 + random.below(4)) {
      let after = random.pick([0, 0, 1, 60, hour, day])
      history.happenings.append(Happening(after: after, purchase: 0, what: .changes(random.pick(changes))))
    }
    return history
  }
}
